"""ModernBERT: pre-norm without biases, rotary positions, gated feed-forward, windows in most layers.

Warner et al., "Smarter, Better, Faster, Longer: A Modern Bidirectional Encoder", 2024.
"""

from __future__ import annotations

import math
from dataclasses import replace

from ..model.heads import HeadKind, HeadSpec, LinearSpec, NormLayerSpec, VocabularySpec
from ..model.spec import (
    AttentionSpec,
    EmbeddingSpec,
    EncoderSpec,
    FeedForwardSpec,
    LayerSpec,
    Norm,
    NormSpec,
    Pooling,
)
from .config import FULL, SLIDING, Config
from .family import Family, Names, fused_names, layer_names, with_parameters
from .rope import with_rotary

__all__ = ["FAMILY"]


def _spec(config: Config) -> EncoderSpec:
    hidden = config.integer("hidden_size")
    heads = config.integer("num_attention_heads")
    head_dim = config.head_dim(hidden, heads)
    config.require("head_dim", head_dim)
    layers = config.layers("num_hidden_layers")
    bias = config.switch("mlp_bias", False)
    norm = NormSpec(Norm.LAYER, config.number("norm_eps", 1e-5), bias=config.switch("norm_bias", False))
    attention = AttentionSpec(
        heads,
        kv_heads=heads,
        head_dim=head_dim,
        scale=1.0 / math.sqrt(head_dim),
        bias=config.switch("attention_bias", False),
        output_bias=config.switch("attention_bias", False),
    )
    reach = config.integer("local_attention", 128) // 2
    of_kind = {
        FULL: with_rotary(config, attention, 160_000.0, kind=FULL, old_theta="global_rope_theta"),
        SLIDING: with_rotary(
            config,
            replace(attention, left=reach, right=reach),
            10_000.0,
            kind=SLIDING,
            old_theta="local_rope_theta",
        ),
    }
    layer = LayerSpec(
        attention,
        FeedForwardSpec(
            config.integer("intermediate_size"),
            config.activation("hidden_activation"),
            gated=True,
            up_bias=bias,
            down_bias=bias,
        ),
        ffn_in=norm,
    )
    every = config.size("global_attn_every_n_layers", 3)
    kinds = config.layer_types(layers, lambda i: SLIDING if i % every else FULL)
    return EncoderSpec(
        hidden=hidden,
        max_positions=config.integer("max_position_embeddings", 8192),
        embedding=EmbeddingSpec(config.integer("vocab_size"), hidden, norm=norm),
        layers=tuple(
            replace(
                layer,
                attention=of_kind[kind],
                weights=i,
                attn_in=norm if i else NormSpec(),  # the first layer reads what the embeddings' norm gave
            )
            for i, kind in enumerate(kinds)
        ),
        final_norm=norm,
    )


def _names(spec: EncoderSpec) -> dict[str, Names]:
    plain = layer_names(
        spec,
        "layers.{}",
        {
            "attn_in": "attn_norm",
            "attention.output": "attn.Wo",
            "ffn_in": "mlp_norm",
            "ffn.down": "mlp.Wo",
        },
    )
    names: dict[str, Names] = {"embeddings.token": "embeddings.tok_embeddings.weight"}
    names |= with_parameters({"embeddings.norm": "embeddings.norm", "final_norm": "final_norm"} | plain)
    for fused, parts in (
        ("attn.Wqkv", ("attention.query", "attention.key", "attention.value")),
        ("mlp.Wi", ("ffn.gate", "ffn.up")),
    ):
        names |= fused_names(spec, f"layers.{{}}.{fused}", parts)
    return names


def _heads(config: Config) -> dict[HeadKind, HeadSpec]:
    norm = NormSpec(Norm.LAYER, config.number("norm_eps", 1e-5), bias=config.switch("norm_bias", False))
    transform = (
        LinearSpec(
            "head.dense",
            config.activation("classifier_activation"),
            bias=config.switch("classifier_bias", False),
        ),
        NormLayerSpec("head.norm", norm),
    )
    labelled = (*transform, LinearSpec("classifier"))
    decoder = VocabularySpec(
        "decoder.weight", ("decoder.bias",) if config.switch("decoder_bias", True) else ()
    )
    config.require("classifier_pooling", "cls", "mean")
    return {
        HeadKind.SEQUENCE: HeadSpec(labelled, Pooling(config.text("classifier_pooling", "cls"))),
        HeadKind.TOKENS: HeadSpec(labelled),
        HeadKind.ANSWERS: HeadSpec(labelled),
        HeadKind.MASKED: HeadSpec((*transform, decoder)),
    }


FAMILY = Family(
    model_types=("modernbert",),
    spec=_spec,
    names=_names,
    prefixes=("model.",),
    ignored=("head.", "decoder.", "classifier."),
    heads=_heads,
)
