"""GTE v1.5."""

from __future__ import annotations

from family_case import ROTARY, Fields, rotary

CASES = [
    rotary("gte", "GteModel", 64, 4, 2, 96),
    rotary("gte-without-types", "GteModel", 36, 1, 2, 51, type_vocab_size=0, hidden_act="silu"),
]  # fmt: skip
SWEPT = ["gte"]
FIELDS: dict[str, Fields] = {"gte": ROTARY}
