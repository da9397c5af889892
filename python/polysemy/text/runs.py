"""Long runs of characters of which a tokenizer makes one token or none, however long they are."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import TYPE_CHECKING
from unicodedata import category, combining

from ..record import record
from .library import library, steps
from .pieces import Tokens

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["Runs", "Shortened", "may_have_run"]

_LONG, _PIECE = 4096, 16_384
_SOME = f"[^A-Za-z0-9]{{{_LONG}}}"
_LETTER = "a"
_BLANK = re.compile(r"[\s\u2581]+")
# Splitters that treat all characters alike that are no spaces.
_PLAIN = {"Metaspace", "WhitespaceSplit"}
# Hieroglyphs and characters for private use, of which hardly any vocabulary has one.
_MARKS = [*map(chr, (*range(0x13000, 0x13100), *range(0x10F000, 0x10F100)))]
_BYTE = "<0x"  # entries that spell unknown characters


def may_have_run(text: str) -> bool:
    """Has the text a long run of anything but Latin letters and digits? This is known without the vocabulary."""
    return re.search(_SOME, text) is not None


@record
class Gap:
    """What is left out of a run."""

    place: int
    """In the shortened text."""
    count: int
    """Characters."""
    name: str
    """As the name of a token has them."""


@record
class Shortened:
    """A text without the middle of its long runs: it has the tokens of the whole text, at other places."""

    text: str
    gaps: list[Gap]
    mark: str
    """Stands for what is left out in the names of tokens."""

    def restored(self, tokens: Tokens) -> Tokens:
        """The tokens as they are in the whole text."""
        places = [gap.place for gap in self.gaps]
        moved = [*accumulate((gap.count for gap in self.gaps), initial=0)]
        found = []
        for number, start, end, word, short in tokens:
            first = bisect_right(places, start)
            last = max(first, bisect_left(places, end))
            name = short
            if self.mark and self.mark in short:
                names = [gap.name for gap in self.gaps[first:last] if gap.name]
                parts = zip(short.split(self.mark), [*names, ""], strict=True)
                name = "".join(part for both in parts for part in both)
            found.append((number, start + moved[first], end + moved[last], word, name))
        return found


class Runs:
    """Finds the long runs of texts.

    A character that is in no entry of the vocabulary is unknown whatever stands beside it, and unknown characters side
    by side are one token. What normalization takes away is none. With spaces it is tried.
    """

    def __init__(self, tokenizer: Tokenizer, margin: int, encode: Callable[[str], Tokens]) -> None:
        """``margin`` characters of a run may have to do with what stands before or behind it."""
        self._normalizer = tokenizer.normalizer
        self._margin = margin
        self._encode = encode
        with library("tokenizer: its vocabulary can't be read"):
            entries = [*tokenizer.get_vocab()]
            added = tokenizer.get_added_tokens_decoder().values()
        self._letters: set[str] = set().union(*entries)
        self._special: set[str] = set().union(*(token.content for token in added))
        plain = all(step["type"] in _PLAIN for step in steps(tokenizer.pre_tokenizer))
        self._fused = plain and not any(entry.startswith(_BYTE) for entry in entries)
        # What normalization puts around a text. Where it makes other letters of letters, it can't be told.
        around = self._normalized(2 * _LETTER).split(2 * _LETTER)
        self._told = len(around) == 2
        self._before, self._behind = around[0], around[-1]
        # The last characters of added tokens that take the spaces behind them, and the first of those that take others.
        self._edges = (
            self._spellings({token.content[-1:] for token in added if token.rstrip}),
            self._spellings({token.content[:1] for token in added if token.lstrip}),
        )

    def shortened(self, text: str) -> Shortened | None:
        """None for a text without such a run."""
        if not self._told:
            return None
        chars: set[str] = set().union(*map(set, _pieces(text)))
        names = {char: name for char in chars if (name := self._name(char)) is not None}
        mark = self.mark(chars)
        gaps: list[Gap] = []
        parts, end, length = [], 0, 0
        for run in self._runs(text, names):
            around = text[max(run.start() - 1, 0) : run.start()], text[run.end() : run.end() + 1]
            if run[0].isspace() and self._stripped(*around):
                continue
            start, stop = run.start() + self._margin, run.end() - self._margin
            name = "" if text[start].isspace() else _spelled(text[start:stop], names)
            if name and not mark:
                continue
            parts += [text[end:start], mark if name else ""]
            length += start - end
            gaps.append(Gap(length, stop - start - bool(name), name))
            length += bool(name)
            end = stop
        return Shortened("".join([*parts, text[end:]]), gaps, mark) if gaps else None

    def mark(self, others: set[str]) -> str:
        """A character that is unknown, as a token of its own beside any known one; empty where there is none.

        It is none of the others.
        """
        if not self._told:
            return ""
        return next((mark for mark in _MARKS if mark not in others and self._name(mark) == mark), "")

    def _name(self, char: str) -> str | None:
        """How normalization spells a character of which a run may consist."""
        if category(char) == "Cs" or char in self._special:
            return None
        name = self._inside(char)
        if not name or char.isspace():
            return name
        return name if self._fused and self._letters.isdisjoint(name) and not _BLANK.search(name) else None

    def _runs(self, text: str, names: dict[str, str]) -> Iterator[re.Match[str]]:
        """Those whose length makes no difference: of spaces, of what normalization takes away, of unknown characters.

        Of the last two also in one run, if it begins and ends, but for a margin, with unknown ones: so does its token.
        """
        spaces = {char for char in names if char.isspace()}
        gone = {char for char, name in names.items() if not name} - spaces
        unknown = {*names} - spaces - gone
        least = max(_LONG, 4 * self._margin)

        def of(*kinds: set[str]) -> re.Pattern[str]:
            parts = ("".join(map(re.escape, kind)) for kind in kinds if kind)
            return re.compile("|".join(f"[{part}]{{{least},}}" for part in parts) or "(?!)")

        pure = of(spaces, gone, unknown)
        for run in of(spaces, gone | unknown).finditer(text):
            ends = run[0][: self._margin], run[0][-self._margin :]
            whole = all(any(map(names.get, end)) for end in ends) or not any(map(names.get, run[0]))
            if whole and self._shortens(run[0], names):
                yield run
                continue
            parts = pure.finditer(text, run.start(), run.end())
            yield from (part for part in parts if part[0] != run[0] and self._shortens(part[0], names))

    def _shortens(self, run: str, names: dict[str, str]) -> bool:
        """Does its length make no difference?"""
        if run[0].isspace():
            return self._blank(run) and self._any_length(run, named=True)
        same = all(self._inside(piece) == _spelled(piece, names) for piece in _pieces(run, self._margin))
        return same and not self._many_marks(run, names) and self._any_length(run, named=False)

    def _many_marks(self, run: str, names: dict[str, str]) -> bool:
        """Has a letter so many marks, which normalization may sort, that no piece shows it?"""
        marks = "".join(filter(combining, names))
        return bool(marks) and re.search(f"[{marks}]{{{self._margin // 2}}}", run) is not None

    def _spellings(self, chars: set[str]) -> set[str]:
        return chars.union(*(self._inside(char) or "" for char in chars))

    def _stripped(self, before: str, behind: str) -> bool:
        """May an added token take spaces between these characters, into its name?"""
        for char, edges in zip((before, behind), self._edges, strict=True):
            name = self._inside(char) if char and edges else "-"
            if not name or _BLANK.search(name) or not edges.isdisjoint(char + name):
                return True
        return False

    def _blank(self, spaces: str) -> bool:
        """Does normalization leave one space of them, or a space of each?"""
        pieces = [*_pieces(spaces)]
        inside = [self._inside(piece) or "" for piece in pieces]
        return all(map(_BLANK.fullmatch, inside)) and (
            all(len(name) == 1 for name in inside) or [*map(len, inside)] == [*map(len, pieces)]
        )

    def _any_length(self, run: str, *, named: bool) -> bool:
        """Have shorter runs the same tokens, and the same names of them?

        Their lengths differ by one, so that a step that counts by twos or threes shows, and by a margin or two.
        """
        margin = self._margin
        tried = [
            [
                (number, word, name if named else "")
                for number, _, _, word, name in self._encode(_LETTER + run[:count] + run[-margin:] + _LETTER)
            ]
            for count in (margin, margin + 1, 2 * margin, 3 * margin)
        ]
        return all(tokens == tried[0] for tokens in tried)

    def _inside(self, text: str) -> str | None:
        """How normalization spells it between letters."""
        spelled = self._normalized(_LETTER + text + _LETTER)
        before, behind = self._before + _LETTER, _LETTER + self._behind
        between = spelled.startswith(before) and spelled.endswith(behind)
        return spelled[len(before) : len(spelled) - len(behind)] if between else None

    def _normalized(self, text: str) -> str:
        if self._normalizer is None:
            return text
        with library("tokenizer: a text can't be normalized"):
            spelled: str = self._normalizer.normalize_str(text)
        return spelled


def _pieces(text: str, before: int = 0) -> Iterator[str]:
    """Each with so many characters of the one before it. Between them other threads have a turn."""
    for start in range(0, len(text), _PIECE):
        yield text[max(start - before, 0) : start + _PIECE]


def _spelled(run: str, names: dict[str, str]) -> str:
    return "".join(["".join(map(names.__getitem__, piece)) for piece in _pieces(run)])
