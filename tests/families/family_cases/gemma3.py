"""Gemma 3."""

from __future__ import annotations

from family_case import KINDS, ROTARY, Fields, rotary

CASES = [
    rotary(
        "gemma3", "Gemma3TextModel", 60, 3, 3, 96, num_key_value_heads=1, head_dim=32, layer_types=KINDS,
        use_bidirectional_attention=True, sliding_window=24, query_pre_attn_scalar=20,
    ),
    rotary(
        "gemma3-causal", "Gemma3TextModel", 64, 4, 7, 50, num_key_value_heads=2, head_dim=16, sliding_window=9,
        attention_bias=True, rms_norm_eps=1e-3, query_pre_attn_scalar=16,
    ),
]  # fmt: skip
SWEPT = ["gemma3"]
FIELDS: dict[str, Fields] = {
    "gemma3_text": ROTARY | {"sliding_window_pattern": (2,), "rope_local_base_freq": (50.0,)}
}
