"""What the rest of a long word can't change, by the letters that the model reads.

They are those of the names of tokens. Where they stand for bytes, a token may begin inside a character, so that no text
can be cut at all places where one may begin or end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .library import library

if TYPE_CHECKING:
    from .pieces import Tokens

__all__ = ["same_after", "same_before"]


def same_after(model: Any, word: Tokens, kept: int, longest: int, margin: int) -> bool:
    """Has a word that begins like this one the first ``kept`` tokens of this one? See `reach.longest_token`.

    ``longest``: letters of the longest token; ``margin``: characters at the end of the word that may be others.
    """
    letters, numbers = _spelled(word)
    sure = _spelled([token for token in word if token[2] <= word[-1][2] - margin])[0]
    first = len(_spelled(word[:kept])[0]) + longest
    if first + longest > len(sure):
        return False
    return all(
        _numbers(model, letters[:stop])[:kept] == numbers[:kept] for stop in range(first, first + longest)
    )


def same_before(model: Any, word: Tokens, kept: int, longest: int, margin: int) -> bool:
    """Has a word that ends like this one the last ``kept`` tokens of this one?

    The first ``margin`` characters of the word may be others.
    """
    letters, numbers = _spelled(word)
    unsure = _spelled([token for token in word if token[1] < word[0][1] + margin])[0]
    last = len(letters) - len(_spelled(word[-kept:])[0]) - longest
    if last - longest < len(unsure):
        return False
    starts = range(last - longest, last)
    return all(_numbers(model, letters[start:])[-kept:] == numbers[-kept:] for start in starts)


def _spelled(tokens: Tokens) -> tuple[str, list[int]]:
    return "".join(name for *_, name in tokens), [number for number, *_ in tokens]


def _numbers(model: Any, letters: str) -> list[int]:
    with library("tokenizer: a part of a word can't be tokenized"):
        return [token.id for token in model.tokenize(letters)]
