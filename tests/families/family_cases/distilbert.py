"""DistilBERT."""

from __future__ import annotations

from typing import Any

from family_case import Case


def _distil(**more: Any) -> dict[str, Any]:
    return {
        "vocab_size": 60,
        "dim": 48,
        "n_heads": 4,
        "n_layers": 2,
        "hidden_dim": 70,
        "max_position_embeddings": 40,
    } | more


CASES = [
    Case("distilbert", _distil(), "DistilBertModel"),
    Case("distilbert-sinus", _distil(sinusoidal_pos_embds=True, activation="relu"), "DistilBertModel"),
]  # fmt: skip
SWEPT = ["distilbert"]
