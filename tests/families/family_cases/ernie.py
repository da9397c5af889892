"""ERNIE."""

from __future__ import annotations

from family_case import bert, sizes

CASES = [
    bert("ernie", "ErnieModel", **sizes(40, 2, 2, 64)),
]  # fmt: skip
SWEPT = ["ernie"]
