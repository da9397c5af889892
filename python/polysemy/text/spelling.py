"""What the rest of a long word can't change, by the letters that the model reads.

They are those of the names of tokens. Where they stand for bytes, a token may begin inside a character, so that no text
can be cut at all places where one may begin or end. Where a model marks the end of a word, every text that is cut has
such an end.

Tokens beside each other in a word are a byte-pair encoding of what they spell, and any that are so beside each other,
two by two, are an encoding of a word (see `repetitions`). So only the last token that is kept is tried, and what may
stand behind it. A byte of an unknown letter is in no merge: what stands on its two sides has nothing to do with each
other.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from .library import library

if TYPE_CHECKING:
    from .pieces import Tokens

__all__ = ["Spelling"]

_BYTE = "<0x"  # entries that spell unknown letters
_BYTE_LENGTH = len("<0x00>")


class Spelling:
    """Tries a long word's letters."""

    __slots__ = ("_apart", "_bytes", "_inner", "_longest", "_margin", "_model", "_suffix", "_unknown")

    def __init__(self, model: Any, vocabulary: Collection[str], longest: int, margin: int) -> None:
        """``longest``: letters of the longest token, see `reach.longest_token`; ``margin``: `reach.Reach.margin`."""
        self._model = model
        # A merge of a byte would be an entry, too.
        self._apart = not any(_BYTE in entry and len(entry) > _BYTE_LENGTH for entry in vocabulary)
        self._longest = longest
        self._margin = margin
        self._suffix: str = getattr(model, "end_of_word_suffix", None) or ""
        self._unknown: str | None = getattr(model, "unk_token", None)
        self._bytes: bool = getattr(model, "byte_fallback", False)
        self._inner = _unmarked(model) if self._suffix else model

    def same_after(self, word: Tokens, kept: int) -> bool:
        """Has a word that begins like this one, but at its last characters, its first ``kept`` tokens?"""
        sure = [token for token in word if token[2] <= word[-1][2] - self._margin]
        last, letters = word[kept - 1], self._spelled(sure[kept - 1 :], 3 * self._longest)
        first = len(self._spelled([last])) + self._longest
        stops = range(first, first + self._longest)
        return stops.stop <= len(letters) and all(
            self._read(self._inner, letters[:stop])[:1] == [last[0]] for stop in stops
        )

    def same_before(self, word: Tokens, kept: int) -> bool:
        """Has a word that ends like this one, but at its first characters, its last ``kept`` tokens?"""
        sure = [token for token in word if token[1] >= word[0][1] + self._margin]
        before = sure[: len(sure) - kept + 1]
        if any(map(self._is_byte, before)):
            return True
        first, letters = word[-kept], self._spelled(before, -3 * self._longest)
        last = len(letters) - len(self._spelled([first])) - self._longest
        starts = range(last - self._longest, last)
        model = self._inner if kept > 1 else self._model
        return (
            kept <= len(sure)
            and starts.start >= 0
            and all(self._read(model, letters[start:])[-1:] == [first[0]] for start in starts)
        )

    def _is_byte(self, token: tuple[int, int, int, int | None, str]) -> bool:
        """That of a letter? In a text that says "<0x41>" it would be several letters."""
        _, start, end, _, name = token
        return self._bytes and self._apart and name.startswith(_BYTE) and end - start == 1

    def _spelled(self, tokens: Tokens, most: int = sys.maxsize) -> str:
        """The first ``most`` letters, or last ones, as far as they are known: the names of unknown ones are others."""
        letters = ""
        for *_, name in tokens if most > 0 else reversed(tokens):
            if name == self._unknown or (self._bytes and name.startswith(_BYTE)) or len(letters) >= abs(most):
                break
            letters = letters + name if most > 0 else name + letters
        return letters.removesuffix(self._suffix)

    @staticmethod
    def _read(model: Any, letters: str) -> list[int]:
        with library("tokenizer: a part of a word can't be tokenized"):
            return [token.id for token in model.tokenize(letters)]


def _unmarked(model: Any) -> Any:
    """The same byte-pair encoding for what is no end of a word."""
    with library("tokenizer: its model can't be read"):
        state = json.loads(model.__getstate__())
        merges = [tuple(pair.split(" ") if isinstance(pair, str) else pair) for pair in state["merges"]]
        return type(model)(state["vocab"], merges, unk_token=state.get("unk_token"))
