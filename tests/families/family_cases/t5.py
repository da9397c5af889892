"""The encoders of T5 and mT5."""

from __future__ import annotations

from typing import Any

from family_case import Case, Fields


def _t5(name: str, **more: Any) -> Case:
    settings = {
        "vocab_size": 60, "d_model": 40, "d_kv": 16, "d_ff": 70, "num_layers": 3, "num_heads": 3,
    } | more  # fmt: skip
    return Case(name, settings, "T5EncoderModel", "T5Config")


CASES = [
    _t5("t5"),
    _t5("t5-gated", feed_forward_proj="gated-gelu", d_kv=18, num_heads=2, layer_norm_epsilon=1e-4),
    _t5("t5-gated-silu", feed_forward_proj="gated-silu", d_kv=128, num_heads=1, num_layers=1),
    _t5("t5-few-buckets", relative_attention_num_buckets=8, relative_attention_max_distance=20, d_ff=33),
    Case(
        "mt5",
        {"vocab_size": 60, "d_model": 40, "d_kv": 8, "d_ff": 33, "num_layers": 2, "num_heads": 5},
        "MT5EncoderModel", "MT5Config",
    ),
]  # fmt: skip
SWEPT = ["t5-gated", "mt5"]
FIELDS: dict[str, Fields] = {"t5": {}}
