"""Jina BERT v2: BERT's graph with a penalty by distance in place of positions, and a gated feed-forward.

Günther et al., "Jina Embeddings 2: 8192-Token General-Purpose Text Embeddings for Long Documents", 2023. The
model_type is BERT's: only auto_map tells the two apart.
"""

from __future__ import annotations

import math

from ..model.spec import (
    Activation,
    AttentionSpec,
    EmbeddingSpec,
    EncoderSpec,
    FeedForwardSpec,
    LayerSpec,
    Norm,
    NormSpec,
    PositionBias,
    PositionBiasSpec,
)
from .config import Config
from .family import BERT_ATTENTION, Family, Names, fused_names, layer_names, with_parameters

__all__ = ["FAMILY", "alibi_slopes"]

_GATES = {"geglu": Activation.GELU_ERF, "reglu": Activation.RELU}


def alibi_slopes(heads: int) -> tuple[float, ...]:
    """A geometric series; for a number of heads between powers of two, every other one of the next series, too.

    Press et al., "Train Short, Test Long: Attention with Linear Biases Enables Input Length Extrapolation", 2022.
    """
    power = 1 << (heads.bit_length() - 1)
    start = 2.0 ** -(8.0 / power)
    slopes = tuple(start ** (i + 1) for i in range(power))
    return slopes if heads == power else slopes + alibi_slopes(2 * power)[::2][: heads - power]


def _spec(config: Config) -> EncoderSpec:
    config.require("position_embedding_type", "alibi")
    config.require("feed_forward_type", *_GATES)
    config.require("is_decoder", False)
    config.require("add_cross_attention", False)
    hidden, heads = config.integer("hidden_size"), config.size("num_attention_heads")
    head_dim = config.head_dim(hidden, heads)
    norm = NormSpec(Norm.LAYER, config.number("layer_norm_eps", 1e-12), bias=True)
    layer = LayerSpec(
        AttentionSpec(
            heads,
            kv_heads=heads,
            head_dim=head_dim,
            scale=1.0 / math.sqrt(head_dim),
            position_bias=PositionBiasSpec(PositionBias.ALIBI, slopes=alibi_slopes(heads)),
        ),
        FeedForwardSpec(
            config.integer("intermediate_size"),
            _GATES[config.text("feed_forward_type")],
            gated=True,
            up_bias=False,
        ),
        attn_out=norm,
        ffn_out=norm,
    )
    return EncoderSpec(
        hidden=hidden,
        max_positions=config.integer("max_position_embeddings"),
        embedding=EmbeddingSpec(
            config.integer("vocab_size"), hidden, token_types=config.integer("type_vocab_size", 2), norm=norm
        ),
        layers=layer.times(config.layers("num_hidden_layers")),
    )


def _names(spec: EncoderSpec) -> dict[str, Names]:
    layers = layer_names(
        spec,
        "encoder.layer.{}",
        {
            **BERT_ATTENTION,
            "ffn.down": "mlp.wo",
            "ffn_out": "mlp.layernorm",
        },
    )
    return {
        "embeddings.token": "embeddings.word_embeddings.weight",
        "embeddings.type": "embeddings.token_type_embeddings.weight",
        **with_parameters({"embeddings.norm": "embeddings.LayerNorm"} | layers),
        **fused_names(spec, "encoder.layer.{}.mlp.gated_layers", ("ffn.gate", "ffn.up")),
    }


FAMILY = Family(
    model_types=("bert",),
    spec=_spec,
    names=_names,
    prefixes=("bert.",),
    ignored=("pooler.", "cls.", "classifier."),
    remote=("jinaai/jina-bert-implementation--modeling_bert.JinaBertModel",),
    remote_only=True,
)
