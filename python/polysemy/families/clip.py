"""The text model of CLIP: a causal transformer with norms before each block.

Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", 2021.
"""

from __future__ import annotations

import math

from ..model.spec import AttentionSpec, EmbeddingSpec, EncoderSpec, FeedForwardSpec, LayerSpec, Norm, NormSpec
from .config import Config
from .family import Family, layer_names, with_parameters

__all__ = ["FAMILY"]


def _spec(config: Config) -> EncoderSpec:
    hidden, heads = config.integer("hidden_size", 512), config.integer("num_attention_heads", 8)
    head_dim = config.head_dim(hidden, heads)
    norm = NormSpec(Norm.LAYER, config.number("layer_norm_eps", 1e-5), bias=True)
    layer = LayerSpec(
        AttentionSpec(heads, kv_heads=heads, head_dim=head_dim, scale=1.0 / math.sqrt(head_dim), right=0),
        FeedForwardSpec(
            config.integer("intermediate_size", 2048), config.activation("hidden_act", "quick_gelu")
        ),
        attn_in=norm,
        ffn_in=norm,
    )
    return EncoderSpec(
        hidden=hidden,
        max_positions=config.integer("max_position_embeddings", 77),
        embedding=EmbeddingSpec(config.integer("vocab_size", 49408), hidden, positions=True),
        layers=layer.times(config.layers("num_hidden_layers", 12)),
        final_norm=norm,
    )


def _names(spec: EncoderSpec) -> dict[str, str]:
    layers = layer_names(
        spec,
        "encoder.layers.{}",
        {
            "attn_in": "layer_norm1",
            "attention.query": "self_attn.q_proj",
            "attention.key": "self_attn.k_proj",
            "attention.value": "self_attn.v_proj",
            "attention.output": "self_attn.out_proj",
            "ffn_in": "layer_norm2",
            "ffn.up": "mlp.fc1",
            "ffn.down": "mlp.fc2",
        },
    )
    return {
        "embeddings.token": "embeddings.token_embedding.weight",
        "embeddings.position": "embeddings.position_embedding.weight",
    } | with_parameters({"final_norm": "final_layer_norm"} | layers)


FAMILY = Family(
    model_types=("clip_text_model",),
    spec=_spec,
    names=_names,
    prefixes=("text_model.",),
    ignored=("text_projection.",),
)
