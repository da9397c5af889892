"""What counts as text."""

from __future__ import annotations

import numpy as np
import pytest
from polysemy.text.check import check_text, is_ordered, shortened


@pytest.mark.parametrize("text", ["", "bank", "caf\u00e9", "\U0001f600", "\x00", "\uffff"])
def test_a_text(text: str) -> None:
    assert check_text(text, "x") is text


@pytest.mark.parametrize("value", [None, 3, b"b", ["c"], float("nan")])
def test_not_a_text(value: object) -> None:
    with pytest.raises(TypeError, match=f"x must be a str, got {type(value).__name__}"):
        check_text(value, "x")


@pytest.mark.parametrize(("text", "place"), [("\ud800", 0), ("b\udfff", 1), ("\U0001f600\udc80", 1)])
def test_half_of_a_surrogate_pair(text: str, place: int) -> None:
    with pytest.raises(
        ValueError, match=f"x must be valid Unicode, got a lone surrogate at character {place}"
    ):
        check_text(text, "x")


@pytest.mark.parametrize("items", [["a"], ("a",), iter("a"), "ab", np.array(["a"]), range(2)])
def test_ordered(items: object) -> None:
    assert is_ordered(items)


@pytest.mark.parametrize(
    "items", [b"ab", bytearray(b"ab"), {"a": 1}, {"a"}, frozenset("a"), 3, None, np.array("a")]
)
def test_not_ordered(items: object) -> None:
    assert not is_ordered(items)


def test_shortened() -> None:
    assert shortened("x" * 60) == repr("x" * 60)
    assert shortened("x" * 61) == repr("x" * 57 + "...")
