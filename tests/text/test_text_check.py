"""What counts as text."""

from __future__ import annotations

import io
from collections import ChainMap, Counter, deque
from collections.abc import Iterator
from types import MappingProxyType

import numpy as np
import pytest
from polysemy.text.check import check_text, check_text_or_pair, is_ordered, is_textual, members, shortened


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


class Column:
    """One dimension, its members by position; pandas and xarray have keys() there, too."""

    shape = (2,)

    def __iter__(self) -> Iterator[str]:
        return iter("ab")

    def keys(self) -> list[int]:
        return [0, 1]


class Frame(Column):
    """Rows and columns, and iteration over the names of the columns: pandas, polars, Arrow, Dask, datasets."""

    shape = (3, 2)


class Fields(Column):
    """A mapping by its methods, without a shape."""

    shape = None

    def __getitem__(self, name: str) -> int:
        return 0


@pytest.mark.parametrize(
    "items",
    [["a"], ("a",), iter("a"), "ab", np.array(["a"]), range(2), Column(), io.StringIO("a"), deque("a")],
)
def test_ordered(items: object) -> None:
    assert is_ordered(items)


@pytest.mark.parametrize(
    "items",
    [
        b"ab",
        bytearray(b"ab"),
        memoryview(b"ab"),
        {"a": 1},
        {"a": 1}.keys(),
        {1: "a"}.values(),
        {"a": "b"}.items(),
        Counter("a"),
        ChainMap({"a": "b"}),
        MappingProxyType({"a": 1}),
        {"a"},
        frozenset("a"),
        3,
        None,
        np.array("a"),
        np.array([["a"]]),
        Frame(),
        Fields(),
    ],
)
def test_not_ordered(items: object) -> None:
    assert not is_ordered(items)


class Scalar:
    """What iteration over an Arrow array gives."""


class ArrowColumn:
    """The part of `pyarrow.Array` and `pyarrow.ChunkedArray` that counts."""

    def __init__(self, values: list[str | None]) -> None:
        self.values = values
        self.longest = 0

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[Scalar]:
        return (Scalar() for _ in self.values)

    def slice(self, offset: int, length: int) -> ArrowColumn:
        self.longest = max(self.longest, length)
        return ArrowColumn(self.values[offset : offset + length])

    def to_pylist(self) -> list[str | None]:
        return self.values


def test_members_of_an_arrow_column() -> None:
    column = ArrowColumn([str(i) for i in range(5000)])
    assert is_ordered(column) and [*members(column)] == column.values
    assert 0 < column.longest < 5000, "not all of them become Python objects at once"
    assert [*members(iter("ab"))] == ["a", "b"]


@pytest.mark.parametrize("pair", [("a", "b"), ("", "")])
def test_a_pair(pair: tuple[str, str]) -> None:
    assert check_text_or_pair(pair, "x") == pair and is_textual(pair)


@pytest.mark.parametrize(
    ("item", "error", "message"),
    [
        (("a",), TypeError, "x must be a str or a tuple of two, got a tuple of 1"),
        (("a", "b", "c"), TypeError, "got a tuple of 3"),
        ((), TypeError, "got a tuple of 0"),
        (("a", 5), TypeError, r"x\[1\] must be a str, got int"),
        ((b"a", "b"), TypeError, r"x\[0\] must be a str, got bytes"),
        (("a", "\ud800"), ValueError, r"x\[1\] must be valid Unicode"),
        (["a", "b"], TypeError, "x must be a str, got list"),
    ],
)
def test_not_a_pair(item: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        check_text_or_pair(item, "x")


def test_shortened() -> None:
    assert shortened("x" * 60) == repr("x" * 60)
    assert shortened("x" * 61) == repr("x" * 57 + "...")
