"""ModernBERT."""

from __future__ import annotations

from family_case import KINDS, LINEAR, ROTARY, YARN, Fields, rotary

_BY_KIND = {"full_attention": LINEAR, "sliding_attention": {"rope_type": "default", "rope_theta": 77.0}}
CASES = [
    rotary(
        "modernbert", "ModernBertModel", 64, 4, 4, 96, local_attention=16, pad_token_id=0,
    ),
    rotary(
        "modernbert-with-biases", "ModernBertModel", 52, 2, 3, 50, local_attention=9, pad_token_id=0,
        norm_bias=True, attention_bias=True, mlp_bias=True, norm_eps=1e-3, hidden_activation="silu",
        layer_types=KINDS, rope_parameters=_BY_KIND,
    ),
    rotary("modernbert-one-wide-head", "ModernBertModel", 128, 1, 2, 33, pad_token_id=0),
    rotary(
        "modernbert-yarn", "ModernBertModel", 64, 2, 3, 50, local_attention=16, pad_token_id=0, layer_types=KINDS,
        rope_parameters={
            "full_attention": YARN | {"beta_slow": 0.5, "mscale": 2.0, "mscale_all_dim": 0.7},
            "sliding_attention": YARN | {"attention_factor": 0.8},
        },
    ),
]  # fmt: skip
SWEPT = ["modernbert-with-biases"]
FIELDS: dict[str, Fields] = {
    "modernbert": ROTARY
    | {"global_attn_every_n_layers": (2,), "global_rope_theta": (50.0,), "local_rope_theta": (50.0,)}
}
