"""Where a word stands in a text, and which tokens it became."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .check import shortened

__all__ = ["WordUse", "find_word", "tokens_in", "uses_of_word"]

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
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

    An occurrence is whole when neither of its ends is inside of a word, where a word ends between a letter or
    digit and any other character, and also where the tokenizer ends one (it takes each Chinese character
    for itself, for example). ``spans`` and ``word_ids`` are those of the tokens of the text.
    """
    borders = _word_borders(spans, word_ids)

    def whole(place: int) -> bool:
        if place in borders or place in (0, len(text)):
            return True
        return not (_is_word(text[place - 1]) and _is_word(text[place]))

    pattern = re.compile(re.escape(word), re.IGNORECASE if ignore_case else 0)
    found: list[Span] = []
    start = 0
    while match := pattern.search(text, start):
        if whole(match.start()) and whole(match.end()):
            found.append(match.span())
            start = match.end()
        else:
            start = match.start() + 1
    return found


def tokens_in(span: Span, spans: Sequence[Span]) -> list[int]:
    """The indices of the tokens that share a character with the span. Special tokens have an empty span."""
    start, end = span
    return [i for i, (a, b) in enumerate(spans) if a < end and b > start and a < b]


def _sticks_out(place: Span, spans: Sequence[Span]) -> bool:
    """Whether the place begins before, or ends after, all characters that are in tokens."""
    filled = [span for span in spans if span[0] < span[1]]
    return place[0] < filled[0][0] or place[1] > filled[-1][1]


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _word_borders(spans: Sequence[Span], word_ids: Sequence[int | None]) -> set[int]:
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for (start, end), word in zip(spans, word_ids, strict=True):
        if word is not None and start < end:
            first.setdefault(word, start)
            last[word] = end
    return {*first.values(), *last.values()}
