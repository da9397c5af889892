"""BERT: learned absolute positions, token types, post-norm, GELU.

Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding", 2019.
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
    Pooling,
)
from .config import Config
from .family import BERT_ATTENTION, Family, layer_names, with_parameters

__all__ = ["FAMILY", "bert_heads", "bert_names", "bert_spec", "post_norm_layer", "token_heads"]


def refuse_variants(config: Config) -> None:
    """Raise on fields by which a configuration of this shape asks for another graph."""
    config.require("position_embedding_type", "absolute")
    config.require("is_decoder", False)
    config.require("add_cross_attention", False)
    config.require("pruned_heads", {})
    config.require("feed_forward_type", "original")


def post_norm_layer(heads: int, head_dim: int, ffn: int, activation: Activation, norm: NormSpec) -> LayerSpec:
    """A layer with a norm after each residual, and biases everywhere."""
    return LayerSpec(
        AttentionSpec(heads, kv_heads=heads, head_dim=head_dim, scale=1.0 / math.sqrt(head_dim)),
        FeedForwardSpec(ffn, activation),
        attn_out=norm,
        ffn_out=norm,
    )


def bert_spec(
    config: Config,
    *,
    position_offset: int = 0,
    padding_id: int = -1,
    default_eps: float = 1e-12,
    default_activation: str = "gelu",
    default_types: int = 2,
    embedding_width: int | None = None,
) -> EncoderSpec:
    """The spec of a configuration with BERT's fields.

    ``position_offset`` rows of the position table are skipped. Where ``embedding_width`` is not the hidden size, a
    projection with a bias follows the embeddings.
    """
    refuse_variants(config)
    hidden = config.integer("hidden_size")
    heads = config.integer("num_attention_heads")
    norm = NormSpec(Norm.LAYER, config.number("layer_norm_eps", default_eps), bias=True)
    layer = post_norm_layer(
        heads,
        config.head_dim(hidden, heads),
        config.integer("intermediate_size"),
        config.activation("hidden_act", default_activation),
        norm,
    )
    return EncoderSpec(
        hidden=hidden,
        max_positions=config.integer("max_position_embeddings") - position_offset,
        embedding=EmbeddingSpec(
            vocab=config.integer("vocab_size"),
            width=embedding_width or hidden,
            token_types=config.integer("type_vocab_size", default_types),
            positions=True,
            position_offset=position_offset,
            padding_id=padding_id,
            norm=norm,
            projection_bias=embedding_width not in (None, hidden),
        ),
        layers=layer.times(config.layers("num_hidden_layers")),
    )


def bert_names(spec: EncoderSpec) -> dict[str, str]:
    """The tensor names that BERT and its direct relatives share."""
    names = {
        "embeddings.token": "embeddings.word_embeddings.weight",
        "embeddings.position": "embeddings.position_embeddings.weight",
    }
    if spec.embedding.token_types:
        names["embeddings.type"] = "embeddings.token_type_embeddings.weight"
    layers = layer_names(
        spec,
        "encoder.layer.{}",
        {
            **BERT_ATTENTION,
            "ffn.up": "intermediate.dense",
            "ffn.down": "output.dense",
            "ffn_out": "output.LayerNorm",
        },
    )
    return names | with_parameters({"embeddings.norm": "embeddings.LayerNorm"} | layers)


def token_heads(classifier: str = "classifier", answers: str = "qa_outputs") -> dict[HeadKind, HeadSpec]:
    """One linear layer on every token, for labels and for the ends of an answer."""
    return {
        HeadKind.TOKENS: HeadSpec((LinearSpec(classifier),)),
        HeadKind.ANSWERS: HeadSpec((LinearSpec(answers),)),
    }


def bert_heads(config: Config, *, default_activation: str = "gelu") -> dict[HeadKind, HeadSpec]:
    """The heads of BERT, with their names."""
    norm = NormSpec(Norm.LAYER, config.number("layer_norm_eps", 1e-12), bias=True)
    transform = "cls.predictions.transform"
    return token_heads() | {
        HeadKind.SEQUENCE: HeadSpec(
            (LinearSpec("pooler.dense", Activation.TANH), LinearSpec("classifier")), Pooling.CLS
        ),
        HeadKind.MASKED: HeadSpec(
            (
                LinearSpec(f"{transform}.dense", config.activation("hidden_act", default_activation)),
                NormLayerSpec(f"{transform}.LayerNorm", norm),
                VocabularySpec(
                    "cls.predictions.decoder.weight", ("cls.predictions.bias", "cls.predictions.decoder.bias")
                ),
            )
        ),
        HeadKind.VECTORS: HeadSpec((LinearSpec("linear", bias=False),)),
    }


FAMILY = Family(
    model_types=("bert",),
    spec=bert_spec,
    names=bert_names,
    prefixes=("bert.",),
    ignored=("pooler.", "cls.", "classifier.", "qa_outputs.", "linear."),
    heads=bert_heads,
)
