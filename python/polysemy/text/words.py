"""Where a word stands in a text, and which tokens it became."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

from ..record import record
from .characters import fold, is_word, split_clusters, writes_spaces
from .check import shortened

__all__ = ["WordUse", "find_word", "tokens_in", "uses_of_word"]

Span = tuple[int, int]


@record
class WordUse:
    """One occurrence of a word in a text."""

    place: Span
    """(start, end) in characters of the text."""
    tokens: list[int]
    """Which tokens of the text it became."""


def uses_of_word(
    text: str,
    word: str,
    spans: Sequence[Span],
    word_ids: Sequence[int | None],
    *,
    ignore_case: bool,
    cut: bool,
    name: str,
) -> list[WordUse]:
    """The whole-word occurrences, as `find_word` tells, in the part of the text that the model reads, in order.

    ``cut`` says that the text is longer than this part; a word of which the model reads only some tokens does
    not count. Raises ``ValueError``, which begins with ``name``, when the word is empty or there is none.
    """
    sought = word.strip()
    if not sought:
        raise ValueError(f"{name} must not be empty")
    places = find_word(text, sought, spans, word_ids, ignore_case=ignore_case)
    if not places:
        case = "" if ignore_case else "; this model tells upper from lower case"
        raise ValueError(f"{name}: {word!r} is not a word of the text {shortened(text)}{case}")
    uses = [WordUse(place, tokens_in(place, spans)) for place in places]
    read = [use for use in uses if use.tokens and not (cut and _sticks_out(use.place, spans))]
    if not read:
        raise ValueError(
            f"{name}: {word!r} stands only beyond the {len(spans)} tokens that the model reads of the text "
            f"{shortened(text)}"
        )
    return read


def find_word(
    text: str, word: str, spans: Sequence[Span], word_ids: Sequence[int | None], *, ignore_case: bool
) -> list[Span]:
    """The (start, end) characters of every whole-word occurrence, in order, without overlaps.

    Canonically equivalent spellings are the same word. An occurrence is whole when neither of its ends is inside
    of a word, where marks belong to the letter before them and a word ends between a letter or digit and any
    other character. It also ends where the tokenizer ends one, except between the letters of a script that
    writes spaces: each Chinese character may be a word for itself, for example. ``spans`` and ``word_ids`` are
    those of the tokens of the text.
    """
    clusters = split_clusters(text)
    starts = [start for start, _ in clusters]
    folded = [fold(text[start:end], ignore_case=ignore_case) for start, end in clusters]
    # Where each cluster begins in the folded text, and where the text ends.
    cluster_at = {place: i for i, place in enumerate(accumulate(map(len, folded), initial=0))}
    borders = {bisect_left(starts, place) for place in _word_borders(spans, word_ids)}

    def whole(i: int) -> bool:
        if i in (0, len(clusters)):
            return True
        before, after = text[starts[i - 1]], text[starts[i]]
        if not (is_word(before) and is_word(after)):
            return True
        return i in borders and not (writes_spaces(before) and writes_spaces(after))

    haystack = "".join(folded)
    needle = "".join(fold(word[start:end], ignore_case=ignore_case) for start, end in split_clusters(word))
    found: list[Span] = []
    place = haystack.find(needle)
    while place >= 0:
        first, last = cluster_at.get(place), cluster_at.get(place + len(needle))
        if first is not None and last is not None and whole(first) and whole(last):
            found.append((starts[first], clusters[last - 1][1]))
            place = haystack.find(needle, place + len(needle))
        else:
            place = haystack.find(needle, place + 1)
    return found


def tokens_in(span: Span, spans: Sequence[Span]) -> list[int]:
    """The indices of the tokens that share a character with the span. Special tokens have an empty span."""
    start, end = span
    return [i for i, (a, b) in enumerate(spans) if a < end and b > start and a < b]


def _sticks_out(place: Span, spans: Sequence[Span]) -> bool:
    """Whether the place begins before, or ends after, all characters that are in tokens."""
    filled = [span for span in spans if span[0] < span[1]]
    return place[0] < filled[0][0] or place[1] > filled[-1][1]


def _word_borders(spans: Sequence[Span], word_ids: Sequence[int | None]) -> set[int]:
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for (start, end), word in zip(spans, word_ids, strict=True):
        if word is not None and start < end:
            first.setdefault(word, start)
            last[word] = end
    return {*first.values(), *last.values()}
