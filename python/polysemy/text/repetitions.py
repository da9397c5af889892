"""The end of a text that repeats itself, as a run of one letter does.

Its last tokens depend on where the repetition began, so that no end of the text shows them. But they repeat themselves,
too, and a text with fewer repetitions has the same ones around those that are left out. For tokens are the byte-pair
encoding of what they spell if every two neighbours are the encoding of what the two spell: otherwise a first merge goes
across the border of two of them, and as all merges before it come in the order in which they come where the two stand
alone, it would come there, too. The converse holds likewise. More repetitions have no other pairs of neighbours.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from unicodedata import combining

from ..record import record
from .pieces import Tokens, moved

__all__ = ["end_of_repetition"]


@record
class _Block:
    """What repeats itself."""

    place: int
    """Of the second one in the text, before which there is another."""
    count: int
    """Tokens."""
    size: int
    """Characters."""


def end_of_repetition(
    text: str,
    probe: int,
    needed: int,
    around: int,
    begin: Callable[[int], int | None],
    encode: Callable[[str], Tokens],
) -> Tokens:
    """The last ``needed`` tokens and some more of a text that repeats itself at ``probe``; words count from there.

    None where it doesn't, or not for long enough. ``around``: more characters than any token has, and than a character
    may have to do with. ``begin`` gives a place before another one from which on tokens are those of the whole text,
    or None.
    """
    period = _period(text[probe : probe + 2 * around])
    unit = text[probe : probe + period]
    if not period or any(map(combining, unit)):
        return []
    start, stop = _extent(text, probe, period)
    first = begin(start)
    last = min(stop, len(text) - needed * around) - 4 * around
    if first is None or last - start < 8 * around:
        return []
    seen = moved(encode(text[first : start + 8 * around]), first)
    block = _block(seen, start + 2 * around, start + 6 * around, around)
    if block is None or block.size % period:
        return []
    left_out = (last - block.place) // block.size * block.size
    if left_out <= 0:
        return []
    tokens = moved(encode(text[first : block.place] + text[block.place + left_out :]), first)
    # Its end may decide how a run begins, and so where the blocks are.
    count, size = block.count, block.size
    near = [
        i for i, token in enumerate(tokens) if block.place <= token[1] < block.place + size and i >= count
    ]
    blocks = [
        i
        for i in near
        if tokens[i][1] - tokens[i - count][1] == size and _repeats(tokens, i - count, count, around)
    ]
    kept = tokens[blocks[0] :] if blocks else []
    return moved(kept, left_out, -(kept[0][3] or 0)) if len(kept) >= max(needed, 1) else []


def _period(piece: str) -> int:
    """The smallest one of the piece, at most half of it; 0 for none."""
    place = piece.find(piece[: len(piece) // 2], 1)
    return place if place > 0 and piece[place:] == piece[:-place] else 0


def _extent(text: str, probe: int, period: int) -> tuple[int, int]:
    """From where to where the text has this period."""

    def repeats(start: int, stop: int) -> bool:
        return text[start : stop - period] == text[start + period : stop]

    return (
        probe - _most(probe, lambda count: repeats(probe - count, probe + period)),
        probe + _most(len(text) - probe, lambda count: repeats(probe, probe + count)),
    )


def _most(count: int, holds: Callable[[int], bool]) -> int:
    """The largest number up to ``count`` for which it holds, as it does for all smaller ones."""
    low = 0
    while low < count:
        middle = (low + count + 1) // 2
        low, count = (middle, count) if holds(middle) else (low, middle - 1)
    return low


def _block(tokens: Tokens, start: int, stop: int, around: int) -> _Block | None:
    """The shortest one between these places, from the first token on, or from the first one of a word."""
    inside = [i for i, token in enumerate(tokens) if start <= token[1] and token[2] <= stop]
    begins = (i for i in inside if i and tokens[i][3] != tokens[i - 1][3])
    for first in [*inside[:1], *islice(begins, 1)]:
        for count in range(1, (inside[-1] - first) // 2):
            if _repeats(tokens, first, count, around) and _goes_on(tokens, first, inside[-1], count):
                place = tokens[first + count][1]
                return _Block(place, count, place - tokens[first][1])
    return None


def _goes_on(tokens: Tokens, first: int, last: int, count: int) -> bool:
    """Does each token from ``first`` to ``last`` stand ``count`` tokens later, too, at the same distance?

    Words that two steps count, one after the other, repeat themselves some times before they differ: as often as a
    pattern counts characters, of which many more are looked at.
    """
    size = tokens[first + count][1] - tokens[first][1]
    return all(
        one[0] == other[0]
        and other[1] - one[1] == size
        and (one[3] == before[3]) == (other[3] == other_before[3])
        for before, one, other_before, other in zip(
            tokens[first - 1 : last],
            tokens[first : last + 1 - count],
            tokens[first + count - 1 :],
            tokens[first + count : last + 1],
            strict=False,
        )
    )


def _repeats(tokens: Tokens, first: int, count: int, around: int) -> bool:
    """Are the tokens from ``first`` on the same twice, between characters? All in one word, or each time in others.

    A word whose characters a pattern counts is no longer than ``around``.
    """
    second, end = first + count, first + 2 * count
    if first < 1 or end >= len(tokens):
        return False
    ends = first, second, end
    between = all(tokens[i - 1][2] == tokens[i][1] for i in ends)
    same = _relative(tokens[first:second]) == _relative(tokens[second:end])
    if not (between and same):
        return False
    place, reach = tokens[second][1], max(around, tokens[end][1] - tokens[second][1])
    near = {token[3] for token in tokens if abs(token[1] - place) <= reach}
    return len(near) == 1 or all(tokens[i - 1][3] != tokens[i][3] for i in ends)


def _relative(tokens: Tokens) -> list[tuple[int, int, int, int]]:
    """Without where they are."""
    _, start, _, word, _ = tokens[0]
    return [(token[0], token[1] - start, token[2] - start, (token[3] or 0) - (word or 0)) for token in tokens]
