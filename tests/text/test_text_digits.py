"""A run of digits, and a text in which they are all the same."""

from __future__ import annotations

import pytest
from polysemy.text.digits import run_of_digits, script_of, with_one_digit

ARABIC = "\u0660\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668\u0669"


@pytest.mark.parametrize("ten", ["0123456789", ARABIC])
def test_script(ten: str) -> None:
    assert {*map(script_of, ten)} == {ten}


@pytest.mark.parametrize(
    ("text", "probe", "expected"),
    [
        ("a123b", 2, range(1, 4)), ("123", 0, range(3)), ("123", 2, range(3)), ("a123b", 0, None), ("a123b", 4, None),
        (f"12{ARABIC}34", 3, range(2, 12)), (f"12{ARABIC}34", 1, range(2)), ("1 2", 1, None), ("1\u00b22", 1, None),
    ],
)  # fmt: skip
def test_run(text: str, probe: int, expected: range | None) -> None:
    assert run_of_digits(text, probe) == expected


def test_one_digit() -> None:
    assert with_one_digit("a123456b", range(1, 7), 2) == "a121156b"
    assert with_one_digit("a1234b", range(1, 5), 2) == "a1234b"  # nothing between its ends
    assert with_one_digit("a1234b", range(1, 5), 0) == "a1111b"
