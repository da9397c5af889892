"""EuroBERT: pre-norm with root mean squares, rotary positions, gated feed-forward, grouped heads.

Boizard et al., "EuroBERT: Scaling Multilingual Encoders for European Languages", 2025.
"""

from __future__ import annotations

import math

from ..model.spec import AttentionSpec, EmbeddingSpec, EncoderSpec, FeedForwardSpec, LayerSpec, Norm, NormSpec
from .config import Config
from .family import LLAMA_LINEAR, Family, layer_names, with_parameters
from .rope import with_rotary

__all__ = ["FAMILY", "llama_names"]


def _spec(config: Config) -> EncoderSpec:
    hidden, heads = config.integer("hidden_size"), config.integer("num_attention_heads")
    head_dim = config.size("head_dim") if config.has("head_dim") else config.head_dim(hidden, heads)
    norm = NormSpec(Norm.RMS, config.number("rms_norm_eps", 1e-5))
    bias = config.switch("attention_bias", False)
    attention = AttentionSpec(
        heads,
        kv_heads=config.integer("num_key_value_heads", heads),
        head_dim=head_dim,
        scale=1.0 / math.sqrt(head_dim),
        bias=bias,
        output_bias=bias,
    )
    layer = LayerSpec(
        with_rotary(config, attention, 10_000.0),
        FeedForwardSpec(
            config.integer("intermediate_size"),
            config.activation("hidden_act", "silu"),
            gated=True,
            up_bias=config.switch("mlp_bias", False),
            down_bias=config.switch("mlp_bias", False),
        ),
        attn_in=norm,
        ffn_in=norm,
    )
    return EncoderSpec(
        hidden=hidden,
        max_positions=config.integer("max_position_embeddings"),
        embedding=EmbeddingSpec(config.integer("vocab_size"), hidden),
        layers=layer.times(config.layers("num_hidden_layers")),
        final_norm=norm,
    )


def llama_names(spec: EncoderSpec) -> dict[str, str]:
    """The tensor names that models in the style of Llama share."""
    layers = layer_names(
        spec,
        "layers.{}",
        {
            "attn_in": "input_layernorm",
            **LLAMA_LINEAR,
            "ffn_in": "post_attention_layernorm",
        },
    )
    return {"embeddings.token": "embed_tokens.weight"} | with_parameters({"final_norm": "norm"} | layers)


FAMILY = Family(
    model_types=("eurobert",),
    spec=_spec,
    names=llama_names,
    prefixes=("model.",),
    ignored=("lm_head.", "classifier.", "dense."),
    remote=("EuroBertModel",),
)
