"""ALBERT."""

from __future__ import annotations

from family_case import bert, sizes

CASES = [
    bert("albert", "AlbertModel", **sizes(48, 4, 3, 70, embedding_size=20)),
    bert(
        "albert-groups", "AlbertModel",
        **sizes(36, 2, 5, 70, embedding_size=50, num_hidden_groups=2, hidden_act="gelu"),
    ),
]  # fmt: skip
SWEPT = ["albert-groups"]
