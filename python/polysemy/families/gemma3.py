"""Gemma 3's text model, as EmbeddingGemma has it: four norms a layer, grouped heads, windows in most layers.

Vera et al., "EmbeddingGemma: Powerful and Lightweight Text Representations", 2025.
"""

from __future__ import annotations

import math
from dataclasses import replace

from ..errors import CheckpointError
from ..model.spec import AttentionSpec, EmbeddingSpec, EncoderSpec, FeedForwardSpec, LayerSpec, Norm, NormSpec
from .config import FULL, SLIDING, Config
from .family import LLAMA_LINEAR, Family, Names, Stored, layer_names, with_parameters
from .rope import with_rotary

__all__ = ["FAMILY"]


def _spec(config: Config) -> EncoderSpec:
    config.require("attn_logit_softcapping")
    hidden, heads = config.integer("hidden_size"), config.integer("num_attention_heads")
    head_dim = config.size("head_dim", 256)
    layers = config.layers("num_hidden_layers")
    norm = NormSpec(Norm.RMS, config.number("rms_norm_eps", 1e-6))
    bias = config.switch("attention_bias", False)
    both_ways = config.switch("use_bidirectional_attention", False)
    scalar = config.number("query_pre_attn_scalar", 256)
    if not scalar > 0:
        raise CheckpointError(f"{config.source}: query_pre_attn_scalar must be positive, got {scalar}")
    attention = AttentionSpec(
        heads,
        kv_heads=config.integer("num_key_value_heads", 4),
        head_dim=head_dim,
        scale=1.0 / math.sqrt(scalar),
        bias=bias,
        output_bias=bias,
        query_key_norm=norm,
        right=None if both_ways else 0,
    )
    # A window of n tokens: in both directions n / 2 of them on each side, and the token itself.
    window = config.integer("sliding_window", 4096)
    reach = window // 2 if both_ways else window - 1
    of_kind = {
        FULL: with_rotary(config, attention, 1_000_000.0, kind=FULL),
        SLIDING: with_rotary(
            config,
            replace(attention, left=reach, right=reach if both_ways else 0),
            10_000.0,
            kind=SLIDING,
            old_theta="rope_local_base_freq",
            old_scaling=None,  # that of the old form is not for this kind
        ),
    }
    every = config.size("sliding_window_pattern", 6)
    kinds = config.layer_types(layers, lambda i: SLIDING if (i + 1) % every else FULL)
    layer = LayerSpec(
        attention,
        FeedForwardSpec(
            config.integer("intermediate_size"),
            config.activation("hidden_activation", "gelu_pytorch_tanh"),
            gated=True,
            up_bias=False,
            down_bias=False,
        ),
        attn_in=norm,
        attn_post=norm,
        ffn_in=norm,
        ffn_post=norm,
    )
    return EncoderSpec(
        hidden=hidden,
        max_positions=config.integer("max_position_embeddings", 131_072),
        embedding=EmbeddingSpec(config.integer("vocab_size"), hidden, scale=math.sqrt(hidden)),
        layers=tuple(replace(layer, attention=of_kind[kind], weights=i) for i, kind in enumerate(kinds)),
        final_norm=norm,
    )


def _names(spec: EncoderSpec) -> dict[str, Names]:
    linear = layer_names(
        spec,
        "layers.{}",
        {
            **LLAMA_LINEAR,
        },
    )
    norms = layer_names(
        spec,
        "layers.{}",
        {
            "attn_in": "input_layernorm",
            "attention.query_norm": "self_attn.q_norm",
            "attention.key_norm": "self_attn.k_norm",
            "attn_post": "post_attention_layernorm",
            "ffn_in": "pre_feedforward_layernorm",
            "ffn_post": "post_feedforward_layernorm",
        },
    )
    return {
        "embeddings.token": "embed_tokens.weight",
        **with_parameters(linear),
        # Norms are stored as their distance from 1.
        **{
            f"{key}.weight": Stored(f"{name}.weight", plus=1.0)
            for key, name in ({"final_norm": "norm"} | norms).items()
        },
    }


FAMILY = Family(
    model_types=("gemma3_text",),
    spec=_spec,
    names=_names,
    prefixes=("model.",),
    ignored=("lm_head.", "score."),
)
