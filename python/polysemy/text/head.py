"""The part of a long text that has the tokens of the whole, as far as a model reads.

A model reads some hundred tokens. Tokenizing megabytes to throw all else away takes seconds with the interpreter
locked, and memory that may not be there.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .calls import encode_texts
from .library import library
from .pieces import Tokens, moved, pieces
from .reach import Reach, longest_token, reach

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["LongTexts", "counted_up_to"]

# A text of which a part is enough is longer than this.
_CHARACTERS_PER_TOKEN, _SHORT, _LONG = 16, 16_384, 131_072
# Ordinary letters on both sides: no mark, no run of spaces, nothing that a pattern could join across.
_SPACE = re.compile(r"(?<=[A-Za-z0-9]) (?=[A-Za-z0-9])")


def counted_up_to(max_length: int) -> int:
    """As many tokens beyond ``max_length`` are counted exactly; where more are cut, the count is a lower bound."""
    return max(max_length, 1024)


class LongTexts:
    """What of a long text is read."""

    __slots__ = ("_keep_end", "_longest", "_most", "_names", "_reach", "_tokenizer", "needed")

    def __init__(self, tokenizer: Tokenizer, max_length: int, *, keep_end: bool) -> None:
        self._tokenizer = tokenizer
        self._keep_end = keep_end
        self._most = min(max(_CHARACTERS_PER_TOKEN * max_length, _SHORT), _LONG)
        self._reach: Reach | bool | None = False  # not known yet
        self._longest = 0
        self._names: dict[int, str] = {}  # each once, not once per token
        self.needed = max_length + counted_up_to(max_length)
        """So many tokens of a part are those of the whole, or the part has all of them."""

    def is_long(self, text: str) -> bool:
        """Whether a part may be enough."""
        return len(text) > 2 * self._most

    def in_pieces(self, text: str, most: int) -> tuple[Tokens, int] | None:
        """At most ``most`` tokens of the text, and how many are left out; None where the library has to say it.

        Where not all of the text is read, at least `counted_up_to` are left out.
        """
        known = self._known()
        if known is None:
            return None
        if not known.parted:
            if self.needed < len(text):
                return self._tail(text, most, known) if self._keep_end else None
            if not known.placed or _SPACE.search(text, _SHORT) is None:
                return None
        parts: deque[Tokens] = deque()
        count = first = 0  # tokens, and those of parts that are gone
        for part in self._parts(text, known):
            parts.append(part)
            count += len(part)
            if not self._keep_end and count >= self.needed:
                break
            while self._keep_end and count - first - len(parts[0]) >= most:
                first += len(parts.popleft())
        tokens = [token for part in parts for token in part]
        kept = tokens[max(len(tokens) - most, 0) :] if self._keep_end else tokens[:most]
        return kept, count - len(kept)

    def head(self, text: str) -> str:
        """A beginning of the text that has the first `needed` tokens of it."""
        known = self._known() if self.is_long(text) and not self._keep_end else None
        if known is None or self.needed > len(text):
            return text
        size = self._most
        while 2 * size < len(text):
            stop = self._decided(text, size, known)
            if stop:
                return text[:stop]
            size *= 4
        return text

    def _tail(self, text: str, most: int, known: Reach) -> tuple[Tokens, int] | None:
        """The last tokens of a text, read from a space that ends a word; the words are counted from there."""
        size = self._most
        while known.spaces and self.needed < len(text) and 2 * size < len(text):
            border = _SPACE.search(text, len(text) - size, len(text) - size // 2)
            if border is not None:
                tokens = moved(self._tokens(text[border.start() :]), border.start())
                if len(tokens) >= self.needed:
                    return tokens[-most:] if most else [], len(tokens) - most
            size *= 4
        return None

    def first_is_longer(self, first: str, second: str) -> bool:
        """Has the first text more tokens than the second? No more is read than shows it."""
        known = self._known()
        counts = [map(len, self._parts(text, known)) for text in (first, second)]
        totals = [0, 0]
        while True:
            behind = int(totals[0] > totals[1])
            count = next(counts[behind], None)
            if count is None:
                return totals[0] > totals[1]
            totals[behind] += count

    def _known(self) -> Reach | None:
        if isinstance(self._reach, bool):
            self._reach = reach(self._tokenizer)
        return self._reach

    def _parts(self, text: str, known: Reach | None) -> Iterator[Tokens]:
        """The tokens of the text, a piece at a time where they are known to be the same."""
        if known is not None and known.parted:
            yield from pieces(text, known, self._tokens, self._length)
            return
        start = words = 0
        while start < len(text):
            border = _SPACE.search(text, start + _SHORT) if known is not None and known.spaces else None
            stop = len(text) if border is None else border.start()
            tokens = self._tokens(text[start:stop])
            yield moved(tokens, start, words)
            words += 1 + max((word for _, _, _, word, _ in tokens if word is not None), default=-1)
            start = stop

    def _decided(self, text: str, size: int, known: Reach) -> int:
        """How much of the text that is, at most ``size``; 0 where what follows could still change these tokens."""
        less = size - size // 8
        tokens, needed = self._tokens(text[:less]), self.needed
        if len(tokens) < needed or tokens[:needed] != self._tokens(text[:size])[:needed]:
            return 0
        _, _, end, word, _ = tokens[needed - 1]
        if word == tokens[-1][3]:
            return size if known.spliced and self._same_in_a_word(text, size, tokens[:needed]) else 0
        if end > less - known.margin:
            return 0
        last = max(i for i in range(1, len(tokens)) if tokens[i - 1][3] != tokens[i][3])
        border = tokens[last][1]
        return border if last >= needed and self._tokens(text[:border]) == tokens[:last] else size

    def _same_in_a_word(self, text: str, size: int, tokens: Tokens) -> bool:
        """Has the text these tokens, wherever a token ends near here? See `longest_token`."""
        self._longest = self._longest or longest_token(self._tokenizer)
        window = range(size - self._longest, size)
        return (
            len(window) * size < len(text)
            and self._length(text[window.start : size]) >= self._longest
            and all(self._tokens(text[:stop])[: len(tokens)] == tokens for stop in window)
        )

    def _tokens(self, text: str) -> Tokens:
        (encoding,) = encode_texts(self._tokenizer, [text], spans=True, special=False)
        parts = [encoding, *encoding.overflowing]
        names = self._names
        return [
            (number, *place, word, name if names.setdefault(number, name) != name else names[number])
            for part in (parts[::-1] if self._keep_end else parts)  # the one that is kept is the first
            for number, place, word, name in zip(
                part.ids, part.offsets, part.word_ids, part.tokens, strict=True
            )
        ]

    def _length(self, text: str) -> int:
        normalizer = self._tokenizer.normalizer
        with library("tokenizer: a text can't be normalized"):
            return len(text if normalizer is None else normalizer.normalize_str(text))
