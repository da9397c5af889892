"""The encoder of T5: pre-norm without biases, biases by distance for all layers, scores without a scale.

Raffel et al., "Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer", 2020.
"""

from __future__ import annotations

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
from .family import Family, Names, layer_names, with_parameters

__all__ = ["FAMILY"]

# Distances have no end: n_positions of old files is the length in training, and nothing reads it.
_LONGEST = 1 << 16


def _feed_forward(config: Config) -> FeedForwardSpec:
    kind = config.text("feed_forward_proj", "gated-gelu" if config.text("model_type") == "mt5" else "relu")
    gated, name = kind.startswith("gated-"), kind.removeprefix("gated-")
    if kind == "gated-gelu":  # means another function than its name says
        activation = Activation.GELU_TANH
    else:
        activation = config.known_activation("feed_forward_proj", name)
    # Files of newer versions repeat both beside the name, and these are what counts.
    if config.has("dense_act_fn"):
        activation = config.activation("dense_act_fn")
    gated = config.switch("is_gated_act", gated)
    return FeedForwardSpec(config.integer("d_ff"), activation, gated=gated, up_bias=False, down_bias=False)


def _spec(config: Config) -> EncoderSpec:
    config.require("is_decoder", False)
    hidden = config.integer("d_model")
    heads = config.integer("num_heads")
    norm = NormSpec(Norm.RMS, config.number("layer_norm_epsilon", 1e-6))
    attention = AttentionSpec(
        heads,
        kv_heads=heads,
        head_dim=config.integer("d_kv"),
        scale=1.0,
        bias=False,
        output_bias=False,
        position_bias=PositionBiasSpec(
            PositionBias.BUCKETS,
            buckets=config.integer("relative_attention_num_buckets", 32),
            max_distance=config.integer("relative_attention_max_distance", 128),
        ),
    )
    layer = LayerSpec(attention, _feed_forward(config), attn_in=norm, ffn_in=norm)
    return EncoderSpec(
        hidden=hidden,
        max_positions=_LONGEST,
        embedding=EmbeddingSpec(config.integer("vocab_size"), hidden),
        layers=layer.times(config.layers("num_layers")),
        final_norm=norm,
    )


def _names(spec: EncoderSpec) -> dict[str, Names]:
    wide = "layer.1.DenseReluDense"
    layers = layer_names(
        spec,
        "encoder.block.{}",
        {
            "attn_in": "layer.0.layer_norm",
            "attention.query": "layer.0.SelfAttention.q",
            "attention.key": "layer.0.SelfAttention.k",
            "attention.value": "layer.0.SelfAttention.v",
            "attention.output": "layer.0.SelfAttention.o",
            "ffn_in": "layer.1.layer_norm",
            "ffn.gate": f"{wide}.wi_0",
            "ffn.up": f"{wide}.wi_1" if spec.layers[0].ffn.gated else f"{wide}.wi",
            "ffn.down": f"{wide}.wo",
        },
    )
    names: dict[str, Names] = {
        # Both are the same table; files have one of them or both.
        "embeddings.token": ("shared.weight", "encoder.embed_tokens.weight"),
        "position_bias.0": "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight",
    }
    return names | with_parameters({"final_norm": "encoder.final_layer_norm"} | layers)


FAMILY = Family(
    model_types=("t5", "mt5"),
    spec=_spec,
    names=_names,
    ignored=("encoder.embed_tokens.", "decoder.", "lm_head."),
)
