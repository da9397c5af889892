"""How far a tokenizer looks: what of a text its first tokens depend on."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ..record import record
from .library import library, steps
from .patterns import Sight, names_digit, sight

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["Reach", "longest_token", "reach"]

# Steps that look at some characters around each, and at no more.
_NORMALIZERS = {
    "BertNormalizer", "ByteLevel", "Lowercase", "NFC", "NFD", "NFKC", "NFKD", "Nmt", "Precompiled", "Prepend",
    "Replace", "Strip", "StripAccents",
}  # fmt: skip
_SPLITTERS = {
    "BertPreTokenizer", "ByteLevel", "CharDelimiterSplit", "Digits", "Metaspace", "Punctuation", "Split",
    "UnicodeScripts", "Whitespace", "WhitespaceSplit",
}  # fmt: skip
# Of these, what one letter does to its neighbour, every letter does.
_STATELESS_NORMALIZERS = {"BertNormalizer", "Lowercase", "NFC", "NFD", "NFKC", "NFKD", "StripAccents"}
_STATELESS_SPLITTERS = {"BertPreTokenizer", "WhitespaceSplit"}

_SORTING = {"NFC", "NFD", "NFKC", "NFKD"}
# A letter and its marks, or an emoji of several parts, is shorter.
_MARGIN = 64


@record
class Reach:
    """What is known of a tokenizer."""

    margin: int
    """A character decides nothing that lies farther before it, but in its own word or run of spaces."""
    parted: bool
    """Words are found and spelled each by itself: pieces of a text have the tokens of the whole."""
    stripped: bool
    """An added token takes the spaces before it."""
    followed: frozenset[int]
    """Added tokens that take the spaces behind them."""
    sorted: bool
    """Normalization sorts the marks of a letter, however many they are."""
    word: int
    """Words of more characters are unknown, as a whole; 0: there is no such limit."""
    blank: bool
    """A word may depend on where the white space ends that it stands in, and what comes then."""
    spliced: bool
    """Inside a word, tokens depend on their neighbours alone, see `longest_token`."""
    paired: bool
    """An encoding is what any two neighbours of it are, see `repetitions`."""
    lettered: bool
    """A word can only be cut between the letters that the model reads: they stand for bytes, or the last is marked."""
    digits: bool
    """Words don't depend on which digits of a script a run of them consists of."""
    trimmed: bool
    """The places of tokens leave out the spaces that they begin with."""
    spaces: bool
    """A space between two letters ends a word, and the next word has the same tokens at the beginning of a text."""
    placed: bool
    """These have the same places, too."""


def reach(tokenizer: Tokenizer) -> Reach | None:
    """What is known of this tokenizer; None for one with steps that may look anywhere."""
    normalizers, splitters = [*steps(tokenizer.normalizer)], [*steps(tokenizer.pre_tokenizer)]
    if not _known(normalizers, _NORMALIZERS) or not _known(splitters, _SPLITTERS, Sight.BLANK):
        return None
    model = tokenizer.model
    with library("tokenizer: its added tokens can't be read"):
        numbered = tokenizer.get_added_tokens_decoder()
    added = numbered.values()
    parted = (
        _known(normalizers, _STATELESS_NORMALIZERS)
        and len(splitters) == 1
        and _known(splitters, _STATELESS_SPLITTERS)
        and type(model).__name__ == "WordPiece"
        and not any(token.single_word for token in added)
    )
    literals = _literals([*normalizers, *splitters])
    bytewise = any(step["type"] == "ByteLevel" for step in (*normalizers, *splitters))
    return Reach(
        max(
            [
                _MARGIN,
                *(2 * len(literal) for literal in literals),
                *(2 * len(token.content) for token in added),
            ]
        ),
        parted,
        any(token.lstrip for token in added),
        frozenset(number for number, token in numbered.items() if token.rstrip),
        any(step["type"] in _SORTING for step in normalizers),
        model.max_input_chars_per_word if parted else 0,
        _farthest(splitters) is Sight.BLANK,
        _paired(model) or (type(model).__name__ == "Unigram" and not bytewise),
        _paired(model),
        bytewise or _marked(model),
        not any(map(names_digit, _patterns([*normalizers, *splitters])))
        and not any(map(str.isdecimal, (*literals, *(token.content for token in added)))),
        any(step.get("trim_offsets") for step in steps(tokenizer.post_processor)),
        *_spaces(tokenizer, any(_takes_spaces(token) for token in added)),
    )


def longest_token(tokenizer: Tokenizer) -> int:
    """Characters of the longest entry of the vocabulary, as it is spelled there.

    A token ends within that many characters of any place. Up to there a text has the tokens that it has when it ends
    there: for byte-pair encoding, since the tokens between two ends of tokens are those of what stands between them;
    for a unigram model, since the best path to a place doesn't depend on what follows. So what all of these places
    have in common, the text has, however it goes on.
    """
    with library("tokenizer: its vocabulary can't be read"):
        return max(map(len, tokenizer.get_vocab()), default=0)


def _known(steps: list[dict[str, Any]], names: set[str], most: Sight = Sight.NEAR) -> bool:
    return all(step["type"] in names for step in steps) and _farthest(steps).value <= most.value


def _farthest(steps: list[dict[str, Any]]) -> Sight:
    """Of the regular expressions in them."""
    return max(map(sight, _patterns(steps)), key=lambda s: s.value, default=Sight.NEAR)


def _patterns(steps: list[dict[str, Any]]) -> list[str]:
    return [step["pattern"]["Regex"] for step in steps if "Regex" in (step.get("pattern") or ())]


def _literals(steps: list[dict[str, Any]]) -> list[str]:
    patterns = [step["pattern"]["String"] for step in steps if "String" in (step.get("pattern") or ())]
    return patterns + [step["delimiter"] for step in steps if "delimiter" in step]


def _paired(model: Any) -> bool:
    return type(model).__name__ == "BPE" and not (model.dropout or model.continuing_subword_prefix)


def _marked(model: Any) -> bool:
    return type(model).__name__ == "BPE" and bool(model.end_of_word_suffix)


def _takes_spaces(added: Any) -> bool:
    """One between letters?"""
    return bool(re.search(r"\s", added.content)) or (added.rstrip and added.content[-1:].isalnum())


def _spaces(tokenizer: Tokenizer, across: bool) -> tuple[bool, bool]:
    """`Reach.spaces` and `Reach.placed`; ``across``: an added token may take one that ends a word."""
    with library("tokenizer: a text can't be tokenized"):
        both, first, second = (
            tokenizer.encode(text, add_special_tokens=False) for text in ("be at", "be", " at")
        )
    words = both.word_ids
    same = both.ids == first.ids + second.ids and words[: len(first)][-1:] != words[len(first) :][:1]
    places = [(start + 2, end + 2) for start, end in second.offsets]
    spaces = same and not across
    return spaces, spaces and both.offsets[len(first) :] == places
