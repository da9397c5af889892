"""How far the regular expressions of a tokenizer look: what their matches depend on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum

from ..record import record

__all__ = ["Sight", "sight"]


class Sight(Enum):
    """What a match depends on, besides itself and some characters on each side."""

    NEAR = 0
    """Nothing."""
    BLANK = 1
    """On where the white space ends that it stands in, and what comes then."""
    FAR = 2
    """On what stands anywhere, or this is not known."""


# One character outside of a set does not follow: that is near.
_NO_MORE = re.compile(r"\(\?!(?:\\S|\[\^(?:\\.|[^\]\\])*\])\)")
# Looking ahead, behind or back; borders of words and texts; and numbers of ten and more.
_LOOKS = re.compile(r"\(\?(?![a-z]*:|[a-z]+\))|\\[1-9AbBGkKRXzZ]|\{\d*,?\d{2,}")
_ATOM = (
    r"\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\[\\])*\]|\\[pP]\{\^?\w+\}|\\x\{\w+\}|\\x\w\w|\\u\w{4}|\\.|"
    r"\(\?[a-z]*:|[^*+?{\[]"
)
_ITEM = re.compile(rf"(?P<atom>{_ATOM})(?P<times>[*+?]|\{{\d*,?\d*\}})?[?+]?", re.DOTALL)
_FLAGS = re.compile(r"\(\?[a-z]+\)")
_ANYTHING = {".", "^", "$"}
_SPACE = re.compile(r" |\\[nrst]|\[(?: |\\[nrst])+\]")


@record
class _Item:
    atom: str
    optional: bool
    endless: bool


def sight(pattern: str) -> Sight:
    """That of a regular expression."""
    pattern = _FLAGS.sub("", _NO_MORE.sub("", pattern))
    if _LOOKS.search(pattern):
        return Sight.FAR
    items = [*_items(pattern)]
    if sum(item.atom.startswith("(") for item in items) != sum(item.atom == ")" for item in items):
        return Sight.FAR
    return max(
        (_needed(item, items, i) for i, item in enumerate(items)), key=lambda s: s.value, default=Sight.NEAR
    )


def _items(pattern: str) -> Iterator[_Item]:
    place = 0
    while match := _ITEM.match(pattern, place):
        times = match["times"] or ""
        least = re.match(r"\{(\d+)", times)
        optional = times in ("*", "?") or (times.startswith("{") and (not least or int(least[1]) == 0))
        yield _Item(match["atom"], optional, times in ("*", "+") or times.endswith(",}"))
        place = match.end()
    if place < len(pattern):
        yield _Item(".", False, True)  # what is not understood


def _needed(item: _Item, items: list[_Item], place: int) -> Sight:
    """What an item looks at: if it may go on for ever and something must follow, at all up to there."""
    if item.atom in _ANYTHING:
        return Sight.FAR
    if not item.endless or not _must_follow(items, place):
        return Sight.NEAR
    return Sight.BLANK if _SPACE.fullmatch(item.atom) else Sight.FAR


def _must_follow(items: list[_Item], place: int) -> bool:
    """Does something have to follow this item, which ends a group or stands in one, or in none?"""
    depth = 0  # of groups that are skipped
    skipping = False  # the other alternatives of the group that the item is in
    for item in items[place + 1 :]:
        if item.atom.startswith("("):
            depth += 1
        elif item.atom == ")":
            if depth:
                depth -= 1
                if not depth and not skipping and not item.optional:
                    return True
            else:
                skipping = False
                if item.endless:
                    return True  # the group itself follows
        elif not depth and item.atom == "|":
            skipping = True
        elif not depth and not skipping and not item.optional:
            return True
    return False
