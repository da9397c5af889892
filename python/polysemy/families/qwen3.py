"""Qwen 3 as an encoder: causal attention with grouped heads, whose last token stands for the text.

Zhang et al., "Qwen3 Embedding: Advancing Text Embedding and Reranking Through Foundation Models", 2025.
"""

from __future__ import annotations

import math
from dataclasses import replace

from ..model.spec import AttentionSpec, EmbeddingSpec, EncoderSpec, FeedForwardSpec, LayerSpec, Norm, NormSpec
from .config import FULL, SLIDING, Config
from .eurobert import llama_names
from .family import Family, layer_names, with_parameters
from .rope import with_rotary

__all__ = ["FAMILY"]


def _spec(config: Config) -> EncoderSpec:
    config.require("is_causal", True)
    hidden, heads = config.integer("hidden_size"), config.integer("num_attention_heads")
    head_dim = config.size("head_dim", 128)
    layers = config.layers("num_hidden_layers")
    norm = NormSpec(Norm.RMS, config.number("rms_norm_eps", 1e-6))
    bias = config.switch("attention_bias", False)
    attention = AttentionSpec(
        heads,
        kv_heads=config.integer("num_key_value_heads", heads),
        head_dim=head_dim,
        scale=1.0 / math.sqrt(head_dim),
        bias=bias,
        output_bias=bias,
        query_key_norm=norm,
        right=0,
    )
    attention = with_rotary(config, attention, 10_000.0)
    of_kind = {FULL: attention}
    first_sliding = layers
    if config.switch("use_sliding_window", False):
        of_kind[SLIDING] = replace(attention, left=config.integer("sliding_window", 4096) - 1)
        first_sliding = config.integer("max_window_layers", 28)
    kinds = config.layer_types(layers, lambda i: SLIDING if i >= first_sliding else FULL, of_kind)
    layer = LayerSpec(
        attention,
        FeedForwardSpec(
            config.integer("intermediate_size"),
            config.activation("hidden_act", "silu"),
            gated=True,
            up_bias=False,
            down_bias=False,
        ),
        attn_in=norm,
        ffn_in=norm,
    )
    return EncoderSpec(
        hidden=hidden,
        max_positions=config.integer("max_position_embeddings"),
        embedding=EmbeddingSpec(config.integer("vocab_size"), hidden),
        layers=tuple(replace(layer, attention=of_kind[kind], weights=i) for i, kind in enumerate(kinds)),
        final_norm=norm,
    )


def _names(spec: EncoderSpec) -> dict[str, str]:
    norms = {"attention.query_norm": "self_attn.q_norm", "attention.key_norm": "self_attn.k_norm"}
    return llama_names(spec) | with_parameters(layer_names(spec, "layers.{}", norms))


FAMILY = Family(
    model_types=("qwen3",),
    spec=_spec,
    names=_names,
    prefixes=("model.",),
    ignored=("lm_head.", "score."),
)
