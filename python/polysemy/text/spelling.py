"""What the rest of a long word can't change, by the letters that the model reads.

They are those of the names of tokens. Where they stand for bytes, a token may begin inside a character, so that no text
can be cut at all places where one may begin or end. Where a model marks the end of a word, every text that is cut has
such an end.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .library import library

if TYPE_CHECKING:
    from .pieces import Tokens

__all__ = ["Spelling"]


class Spelling:
    """Tries a long word's letters."""

    __slots__ = ("_inner", "_longest", "_margin", "_model", "_suffix")

    def __init__(self, model: Any, longest: int, margin: int) -> None:
        """``longest``: letters of the longest token, see `reach.longest_token`; ``margin``: `reach.Reach.margin`."""
        self._model = model
        self._longest = longest
        self._margin = margin
        self._suffix: str = getattr(model, "end_of_word_suffix", None) or ""
        self._inner = _unmarked(model) if self._suffix else model

    def same_after(self, word: Tokens, kept: int) -> bool:
        """Has a word that begins like this one, but at its last characters, its first ``kept`` tokens?"""
        letters, numbers = self._spelled(word), _numbers(word)
        sure = self._spelled([token for token in word if token[2] <= word[-1][2] - self._margin])
        first = len(self._spelled(word[:kept])) + self._longest
        stops = range(first, first + self._longest)
        return stops.stop <= len(sure) and all(
            self._read(self._inner, letters[:stop])[:kept] == numbers[:kept] for stop in stops
        )

    def same_before(self, word: Tokens, kept: int) -> bool:
        """Has a word that ends like this one, but at its first characters, its last ``kept`` tokens?"""
        letters, numbers = self._spelled(word), _numbers(word)
        unsure = self._spelled([token for token in word if token[1] < word[0][1] + self._margin])
        last = len(letters) - len(self._spelled(word[-kept:])) - self._longest
        starts = range(last - self._longest, last)
        return starts.start >= len(unsure) and all(
            self._read(self._model, letters[start:])[-kept:] == numbers[-kept:] for start in starts
        )

    def _spelled(self, tokens: Tokens) -> str:
        return "".join(name for *_, name in tokens).removesuffix(self._suffix)

    @staticmethod
    def _read(model: Any, letters: str) -> list[int]:
        with library("tokenizer: a part of a word can't be tokenized"):
            return [token.id for token in model.tokenize(letters)]


def _numbers(tokens: Tokens) -> list[int]:
    return [number for number, *_ in tokens]


def _unmarked(model: Any) -> Any:
    """The same byte-pair encoding for what is no end of a word."""
    with library("tokenizer: its model can't be read"):
        state = json.loads(model.__getstate__())
        merges = [tuple(pair.split(" ") if isinstance(pair, str) else pair) for pair in state["merges"]]
        return type(model)(state["vocab"], merges, unk_token=state.get("unk_token"))
