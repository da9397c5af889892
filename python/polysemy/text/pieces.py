"""A text in pieces, for tokenizers whose words stand by themselves: memory is bounded by a piece."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from .reach import Reach

__all__ = ["Tokens", "moved", "pieces"]

Tokens: TypeAlias = list[tuple[int, int, int, int | None, str]]
"""Id, first and last character, number of the word, and name of each token."""

_PIECE = 16_384
# Stands where the text goes on: a letter, that continues a word if anything does.
_LETTER = "a"


def pieces(
    text: str, reach: Reach, encode: Callable[[str], Tokens], length: Callable[[str], int]
) -> Iterator[Tokens]:
    """The tokens of the text, a piece of it at a time.

    ``encode`` gives those of a text that begins with a word, ``length`` the characters of a text after normalization.
    """
    start, size, words = 0, _PIECE, 0
    while start < len(text):
        stop = start + size
        if stop >= len(text):
            yield moved(encode(text[start:]), start, words)
            return
        tokens = encode(text[start:stop] + _LETTER)
        first, undecided = tokens[0][1], _first_undecided(tokens, size, reach.margin)
        if reach.stripped:
            undecided = len(text[start : start + undecided].rstrip())
        found = [token for token in tokens if token[1] < undecided]
        if found and found[-1][0] in reach.followed and not text[start + found[-1][2] : stop].strip():
            undecided = found.pop()[1]  # its spaces go on
        if undecided:
            end = start + undecided
        elif tokens[0][3] == tokens[-1][3] and length(text[start + first : stop]) > reach.word + reach.margin:
            end = _end_of_word(text, start + first, stop, reach.margin, encode)
            found = [(tokens[0][0], first, end - start, 0, tokens[0][4])]
        else:
            size *= 4  # a word that ends just there, or a letter with thousands of marks
            continue
        yield moved(found, start, words)
        words += len({word for _, _, _, word, _ in found})
        start, size = end, _PIECE


def moved(tokens: Tokens, start: int, words: int = 0) -> Tokens:
    """Those of a piece as those of the text."""
    return [
        (number, first + start, end + start, None if word is None else word + words, name)
        for number, first, end, word, name in tokens
    ]


def _first_undecided(tokens: Tokens, size: int, margin: int) -> int:
    """Where the first word begins of which what follows could be a part, or which an added token could take apart."""
    last, sure = tokens[-1][3], size - margin
    start, current = 0, None
    for _, first, end, word, _ in tokens:
        if word != current:
            start, current = first, word
        if word == last or end > sure:
            return min(start, sure)
    return sure


def _end_of_word(text: str, start: int, place: int, margin: int, encode: Callable[[str], Tokens]) -> int:
    """Where the word from ``start`` ends that goes on at ``place``: after its last character that is read."""
    end = start + _end_of_first(encode(text[start:place]))
    while True:
        part = text[place : place + _PIECE]
        final = place + len(part) == len(text)
        sure = len(part) if final else len(part) - margin
        read = min(_end_of_first(encode(_LETTER + part)) - 1, sure)
        if read:
            end = place + read
        if final or _end_of_first(encode(_LETTER + part + _LETTER)) - 1 <= sure:
            return end
        place += sure


def _end_of_first(tokens: Tokens) -> int:
    return max(end for _, _, end, word, _ in tokens if word == tokens[0][3])
