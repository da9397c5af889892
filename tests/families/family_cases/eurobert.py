"""EuroBERT."""

from __future__ import annotations

from family_case import LLAMA3, ROTARY, Fields, rotary

CASES = [
    rotary("eurobert", "EuroBertModel", 64, 4, 3, 96, num_key_value_heads=2, pad_token_id=0),
    rotary(
        "eurobert-with-biases", "EuroBertModel", 96, 2, 2, 35, head_dim=16, attention_bias=True, mlp_bias=True,
        pad_token_id=0, rms_norm_eps=1e-3, rope_parameters=LLAMA3,
    ),
    rotary(
        "eurobert-dynamic", "EuroBertModel", 64, 4, 2, 50, pad_token_id=0,
        rope_parameters={"rope_type": "dynamic", "factor": 2.0, "rope_theta": 700.0},
    ),
]  # fmt: skip
SWEPT = ["eurobert-with-biases"]
FIELDS: dict[str, Fields] = {"eurobert": ROTARY | {"is_causal": (True,)}}
