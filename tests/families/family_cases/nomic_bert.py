"""Nomic BERT."""

from __future__ import annotations

from family_case import LLAMA3, ROTARY, Fields, rotary

CASES = [
    rotary("nomic", "NomicBertModel", 64, 4, 2, 96),
    rotary("nomic-odd", "NomicBertModel", 36, 1, 2, 51, hidden_act="gelu", rope_parameters=LLAMA3),
]  # fmt: skip
SWEPT = ["nomic"]
FIELDS: dict[str, Fields] = {"nomic_bert": ROTARY}
