"""DeBERTa v2 and v3: BERT's graph whose scores get products of content with embeddings of distances.

He et al., "DeBERTaV3: Improving DeBERTa using ELECTRA-Style Pre-Training with Gradient-Disentangled Embedding Sharing",
2023.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ..errors import UnsupportedModelError
from ..model.heads import HeadKind, HeadSpec, LinearSpec
from ..model.spec import EncoderSpec, NormSpec, Pooling, PositionBias, PositionBiasSpec
from .bert import bert_heads, bert_spec
from .config import Config
from .family import Family, layer_names, with_parameters

__all__ = ["FAMILY"]

_KEYS, _QUERIES = "c2p", "p2c"


def _products(config: Config) -> list[str]:
    """Which products with positions there are: a list, or in older files a string with bars."""
    if config.is_text("pos_att_type"):
        names = [name.strip() for name in config.text("pos_att_type").lower().split("|")]
    else:
        names = config.texts("pos_att_type") or []
    if not names or not set(names) <= {_KEYS, _QUERIES}:
        raise UnsupportedModelError(
            f"{config.source}: pos_att_type must be one or both of {_KEYS!r} and {_QUERIES!r}, got {names!r}"
        )
    return names


def _bias(config: Config, longest: int, norm: NormSpec) -> PositionBiasSpec:
    products = _products(config)
    normed = config.text("norm_rel_ebd", "none").lower().split("|")
    if not {name.strip() for name in normed} <= {"none", "layer_norm"}:
        raise UnsupportedModelError(
            f"{config.source}: norm_rel_ebd must be 'layer_norm' or 'none', got {normed!r}"
        )
    farthest = config.integer("max_relative_positions", -1)
    return PositionBiasSpec(
        PositionBias.DISENTANGLED,
        buckets=2 * config.integer("position_buckets", -1),
        max_distance=longest if farthest < 1 else farthest,
        norm=norm if any(name.strip() == "layer_norm" for name in normed) else NormSpec(),
        position_keys=_KEYS in products,
        position_queries=_QUERIES in products,
        shared=config.switch("share_att_key", False),
    )


def _spec(config: Config) -> EncoderSpec:
    config.require("relative_attention", True)
    if not config.switch("relative_attention", False):
        raise UnsupportedModelError(f"{config.source}: relative_attention must be true")
    config.require("conv_kernel_size", 0)
    config.require("z_steps", 0, 1)
    hidden = config.integer("hidden_size")
    config.require("embedding_size", hidden)
    spec = bert_spec(config, default_eps=1e-7, default_types=0)
    bias = _bias(config, spec.max_positions, spec.embedding.norm)
    products = 1 + bias.position_keys + bias.position_queries
    head_dim = spec.layers[0].attention.head_dim
    config.require("attention_head_size", head_dim)
    scale = 1.0 / float(np.float32(math.sqrt(head_dim * products)))  # rounded by the model's code
    layers = (
        replace(layer, attention=replace(layer.attention, scale=scale, position_bias=bias))
        for layer in spec.layers
    )
    positions = config.switch("position_biased_input", True)
    return replace(spec, layers=tuple(layers), embedding=replace(spec.embedding, positions=positions))


def _names(spec: EncoderSpec) -> dict[str, str]:
    layers = layer_names(
        spec,
        "encoder.layer.{}",
        {
            "attention.query": "attention.self.query_proj",
            "attention.key": "attention.self.key_proj",
            "attention.value": "attention.self.value_proj",
            "attention.position_key": "attention.self.pos_key_proj",
            "attention.position_query": "attention.self.pos_query_proj",
            "attention.output": "attention.output.dense",
            "attn_out": "attention.output.LayerNorm",
            "ffn.up": "intermediate.dense",
            "ffn.down": "output.dense",
            "ffn_out": "output.LayerNorm",
        },
    )
    norms = {"embeddings.norm": "embeddings.LayerNorm", "position_bias.0.norm": "encoder.LayerNorm"}
    return {
        "embeddings.token": "embeddings.word_embeddings.weight",
        "embeddings.position": "embeddings.position_embeddings.weight",
        "embeddings.type": "embeddings.token_type_embeddings.weight",
        "position_bias.0": "encoder.rel_embeddings.weight",
    } | with_parameters(norms | layers)


def _heads(config: Config) -> dict[HeadKind, HeadSpec]:
    heads = bert_heads(config)
    if not config.switch("legacy", True):  # another head, with names of its own
        del heads[HeadKind.MASKED]
    pooler = LinearSpec("pooler.dense", config.activation("pooler_hidden_act", "gelu"))
    return heads | {HeadKind.SEQUENCE: HeadSpec((pooler, LinearSpec("classifier")), Pooling.CLS)}


FAMILY = Family(
    model_types=("deberta-v2",),
    spec=_spec,
    names=_names,
    prefixes=("deberta.",),
    ignored=("pooler.", "cls.", "lm_predictions.", "mask_predictions.", "classifier.", "qa_outputs."),
    heads=_heads,
)
