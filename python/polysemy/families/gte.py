"""GTE v1.5: BERT's graph with rotary positions and a gated feed-forward, in two spellings.

Zhang et al., "mGTE: Generalized Long-Context Text Representation and Reranking Models for Multilingual Text Retrieval",
2024. The published checkpoints have the model_type "new".
"""

from __future__ import annotations

import math

from ..model.heads import HeadKind, HeadSpec, LinearSpec, NormLayerSpec, VocabularySpec
from ..model.spec import (
    Activation,
    AttentionSpec,
    EmbeddingSpec,
    EncoderSpec,
    FeedForwardSpec,
    LayerSpec,
    Norm,
    NormSpec,
)
from .bert import bert_heads
from .config import Config
from .family import Family, Names, either, fused_names, layer_names, with_parameters
from .nomic_bert import native_names
from .rope import with_rotary

__all__ = ["FAMILY"]


def _spec(config: Config) -> EncoderSpec:
    config.require("position_embedding_type", "rope")
    config.require("layer_norm_type", "layer_norm")
    config.require("logn_attention_scale", False)
    config.require("pack_qkv", True)
    hidden, heads = config.integer("hidden_size"), config.integer("num_attention_heads")
    head_dim = config.size("head_dim") if config.has("head_dim") else config.head_dim(hidden, heads)
    norm = NormSpec(Norm.LAYER, config.number("layer_norm_eps", 1e-12), bias=True)
    theta = 10_000.0 if config.text("model_type") == "new" else 160_000.0
    attention = AttentionSpec(heads, kv_heads=heads, head_dim=head_dim, scale=1.0 / math.sqrt(head_dim))
    layer = LayerSpec(
        with_rotary(config, attention, theta),
        FeedForwardSpec(
            config.integer("intermediate_size"), config.activation("hidden_act"), gated=True, up_bias=False
        ),
        attn_out=norm,
        ffn_out=norm,
    )
    return EncoderSpec(
        hidden=hidden,
        max_positions=config.integer("max_position_embeddings"),
        embedding=EmbeddingSpec(
            config.integer("vocab_size"), hidden, token_types=config.integer("type_vocab_size", 1), norm=norm
        ),
        layers=layer.times(config.layers("num_hidden_layers")),
    )


def _published_names(spec: EncoderSpec) -> dict[str, Names]:
    layers = layer_names(
        spec,
        "encoder.layer.{}",
        {
            "attention.output": "attention.o_proj",
            "attn_out": "attn_ln",
            "ffn.down": "mlp.down_proj",
            "ffn_out": "mlp_ln",
        },
    )
    qkv = ("attention.query", "attention.key", "attention.value")
    return {
        **with_parameters(layers),
        **fused_names(spec, "encoder.layer.{}.attention.qkv_proj", qkv),
        **fused_names(spec, "encoder.layer.{}.mlp.up_gate_proj", ("ffn.up", "ffn.gate")),
    }


def _heads(config: Config) -> dict[HeadKind, HeadSpec]:
    norm = NormSpec(Norm.LAYER, config.number("layer_norm_eps", 1e-12), bias=True)
    heads = bert_heads(config)
    return {
        HeadKind.SEQUENCE: heads[HeadKind.SEQUENCE],
        HeadKind.TOKENS: heads[HeadKind.TOKENS],
        HeadKind.MASKED: HeadSpec(
            (
                LinearSpec("lm_head.dense", Activation.GELU_ERF),
                NormLayerSpec("lm_head.norm", norm),
                VocabularySpec("lm_head.decoder.weight", ("lm_head.decoder.bias", "lm_head.bias")),
            )
        ),
    }


FAMILY = Family(
    model_types=("gte", "new"),
    spec=_spec,
    names=lambda spec: either(native_names(spec), _published_names(spec)),
    prefixes=("new.", "gte."),
    ignored=("pooler.", "lm_head.", "classifier."),
    heads=_heads,
    remote=("NewModel", "GteModel"),
)
