"""Qwen 3."""

from __future__ import annotations

from family_case import LINEAR, ROTARY, YARN, Fields, rotary

CASES = [
    rotary("qwen3", "Qwen3Model", 64, 4, 3, 96, num_key_value_heads=2, head_dim=32),
    rotary(
        "qwen3-sliding", "Qwen3Model", 51, 3, 3, 50, num_key_value_heads=1, head_dim=128, attention_bias=True,
        use_sliding_window=True, sliding_window=20, max_window_layers=1, hidden_act="gelu",
        rope_parameters=LINEAR,
    ),
    rotary("qwen3-yarn", "Qwen3Model", 64, 4, 2, 50, num_key_value_heads=2, head_dim=32, rope_parameters=YARN),
]  # fmt: skip
SWEPT = ["qwen3-sliding"]
FIELDS: dict[str, Fields] = {"qwen3": ROTARY | {"is_causal": (False,)}}
