"""CLIP's text model."""

from __future__ import annotations

from family_case import Case, Fields, sizes

CASES = [
    Case("clip", sizes(64, 4, 3, 96, max_position_embeddings=77), "CLIPTextModel"),
    Case("clip-odd", sizes(51, 3, 2, 33, hidden_act="gelu", layer_norm_eps=1e-3), "CLIPTextModel"),
]  # fmt: skip
SWEPT = ["clip"]
FIELDS: dict[str, Fields] = {"clip_text_model": {}}
DECIDES_NOTHING = ["projection_dim"]
