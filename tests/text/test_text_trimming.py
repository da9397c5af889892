"""Spaces that places of tokens leave out are put back, and taken away again."""

from __future__ import annotations

import pytest
from polysemy.text.pieces import Tokens
from polysemy.text.trimming import trimmed, untrimmed


def tokens(*places: tuple[int, int]) -> Tokens:
    return [(i, *place, 0, "") for i, place in enumerate(places)]


@pytest.mark.parametrize(
    ("text", "places", "whole"),
    [
        ("a b", [(0, 1), (2, 3)], [(0, 1), (1, 3)]),
        ("a   b", [(0, 1), (3, 3), (4, 5)], [(0, 1), (1, 3), (3, 5)]),
        ("a  ", [(0, 1), (2, 2), (3, 3)], [(0, 1), (1, 2), (2, 3)]),
        ("ab", [(0, 1), (1, 2)], [(0, 1), (1, 2)]),
        ("a\nb", [(0, 1), (1, 2), (2, 3)], [(0, 1), (1, 2), (2, 3)]),
    ],
)
def test_there_and_back(text: str, places: list[tuple[int, int]], whole: list[tuple[int, int]]) -> None:
    assert untrimmed(tokens(*places), text) == tokens(*whole)
    assert trimmed(tokens(*whole), text) == tokens(*places)


def test_places_that_are_not_trimmed() -> None:
    assert untrimmed(tokens((0, 1), (1, 3)), "a b") == []
