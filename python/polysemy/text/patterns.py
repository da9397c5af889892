"""How far the regular expressions of a tokenizer look: what their matches depend on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum

from ..record import record

__all__ = ["MOST_COUNTED", "Sight", "names_digit", "sight"]

MOST_COUNTED = 15
"""Characters that a pattern may count, so that where words begin depends on where the first one does."""


class Sight(Enum):
    """What a match depends on, besides itself and some characters on each side."""

    NEAR = 0
    """Nothing."""
    BLANK = 1
    """On where the white space ends that it stands in, and what comes then."""
    FAR = 2
    """On what stands anywhere, or this is not known."""


# Characters of a pattern that is looked at: those of known models have some hundred.
_LONGEST = 1024
# Looking ahead, behind or back; calls; borders of words and texts; and numbers of ten and more.
_LOOKS = r"\(\?(?![a-z]*:|[a-z]+\))|\\[1-9AbBgGkKRXzZ]|\{\d*,?\d{2,}"
_ATOM = (
    r"\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\[\\])*\]|\\[pP]\{\^?\w+\}|\\x\{\w+\}|\\x\w\w|\\u\w{4}|\\.|"
    r"\(\?[a-z]*:|[^*+?{\[]"
)
_ITEM = rf"(?s:(?P<atom>{_ATOM})(?P<times>[*+?]|\{{\d*,?\d*\}})?[?+]?)"
_FLAGS = r"\(\?[a-z]+\)"
# Matching any character, all that follows among them, or where a line or a part of a text begins or ends.
_FAR_ATOMS = {".", "^", "$"}
_SPACE = r"\s"
# No letter follows, written as a character that no pattern has.
_NO_LETTER, _NONE = r"(?!\S)", "\U0010ffff"


@record
class _Item:
    atom: str
    optional: bool
    endless: bool
    counted: int
    """The largest number of times; 0 where there are no numbers."""


def sight(pattern: str) -> Sight:
    """That of a regular expression."""
    if len(pattern) > _LONGEST or _NONE in pattern:
        return Sight.FAR
    pattern = re.sub(_FLAGS, "", pattern.replace(_NO_LETTER, _NONE))
    if re.search(_LOOKS, pattern):
        return Sight.FAR
    items = [*_items(pattern)]
    if sum(item.atom.startswith("(") for item in items) != sum(item.atom == ")" for item in items):
        return Sight.FAR
    if _longest_count(items) > MOST_COUNTED:
        return Sight.FAR
    return max(
        (_needed(item, items, i) for i, item in enumerate(items)), key=lambda s: s.value, default=Sight.NEAR
    )


def names_digit(pattern: str) -> bool:
    """Whether a regular expression may treat some digits of a script otherwise than others."""
    counts = r"(?<!\\[xou])\{\d*,?\d*\}"  # not of characters: \x{31} is a 1
    return re.search(r"\d", re.sub(f"{counts}|0-9", "", pattern)) is not None


def _longest_count(items: list[_Item]) -> int:
    """Characters that are counted in one match; too many for a group that is."""
    longest = count = 0
    for item in items:
        if item.atom == "|":
            count = 0
        elif item.counted:
            count += MOST_COUNTED + 1 if item.atom == ")" else item.counted
        longest = max(longest, count)
    return longest


def _items(pattern: str) -> Iterator[_Item]:
    place, item = 0, re.compile(_ITEM)  # here, not on import: that takes milliseconds
    while match := item.match(pattern, place):
        times = match["times"] or ""
        least = re.match(r"\{(\d+)", times)
        optional = times in ("*", "?") or (times.startswith("{") and (not least or int(least[1]) == 0))
        endless = times in ("*", "+") or times.endswith(",}")
        counted = max(map(int, re.findall(r"\d+", times)), default=0)
        yield _Item(match["atom"], optional, endless, counted)
        place = match.end()
    if place < len(pattern):
        yield _Item(".", optional=False, endless=True, counted=0)  # what is not understood


def _needed(item: _Item, items: list[_Item], place: int) -> Sight:
    """What an item looks at: if it may go on for ever and something must follow, at all up to there."""
    if item.atom in _FAR_ATOMS:
        return Sight.FAR
    following = _following(items, place) if item.endless else []
    if not following or (item.atom == _SPACE and following == [_NONE]):  # of spaces all but the last one
        return Sight.NEAR
    blank = item.atom == _SPACE and len(following) == 1 and following[0] not in ("(", _NONE)
    return Sight.BLANK if blank else Sight.FAR


def _following(items: list[_Item], place: int) -> list[str]:
    """What has to follow this item, which may stand in a group. A parenthesis is more than one character."""
    found: list[str] = []
    depth = 0  # of groups that are skipped
    skipping = False  # the other alternatives of the group that the item is in
    for item in items[place + 1 :]:
        if item.atom.startswith("("):
            depth += 1
        elif item.atom == ")" and depth:
            depth -= 1
            if not depth and not skipping and not item.optional:
                found.append("(")
        elif item.atom == ")":
            skipping = False
            if item.endless or item.counted:
                found.append("(")  # the group itself
        elif not depth and item.atom == "|":
            skipping = True
        elif not depth and not skipping and not item.optional:
            found.append("(" if item.counted else item.atom)
    return found
