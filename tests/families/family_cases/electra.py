"""ELECTRA."""

from __future__ import annotations

from family_case import Case, sizes

CASES = [
    Case("electra", sizes(48, 4, 2, 64, embedding_size=48), "ElectraModel"),
    Case("electra-projected", sizes(48, 4, 2, 64, embedding_size=20), "ElectraModel"),
]  # fmt: skip
SWEPT = ["electra-projected"]
