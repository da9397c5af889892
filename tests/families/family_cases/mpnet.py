"""MPNet."""

from __future__ import annotations

from family_case import bert, sizes

CASES = [
    bert("mpnet", "MPNetModel", **sizes(64, 4, 2, 96, max_position_embeddings=202)),
    bert("mpnet-odd", "MPNetModel", **sizes(51, 3, 2, 33, hidden_act="relu", layer_norm_eps=1e-5)),
]  # fmt: skip
SWEPT = ["mpnet"]
