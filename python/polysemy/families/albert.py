"""ALBERT: BERT's graph whose layers share their weights, behind narrow embeddings and a projection.

Lan et al., "ALBERT: A Lite BERT for Self-supervised Learning of Language Representations", 2020.
"""

from __future__ import annotations

from dataclasses import replace

from ..errors import CheckpointError, UnsupportedModelError
from ..model.heads import HeadKind, HeadSpec, LinearSpec, NormLayerSpec, VocabularySpec
from ..model.spec import Activation, EncoderSpec, Norm, NormSpec, Pooling
from ..shown import shown
from .bert import bert_spec, token_heads
from .config import Config
from .family import Family, layer_names, with_parameters

__all__ = ["FAMILY"]


def _spec(config: Config) -> EncoderSpec:
    config.require("inner_group_num", 1)
    width = config.integer("embedding_size", 128)
    spec = bert_spec(config, default_activation="gelu_new", embedding_width=width)
    if width == spec.hidden:
        raise UnsupportedModelError(
            f"{config.source}: embedding_size must differ from hidden_size, got {width}: a projection between equal "
            "sizes is not supported"
        )
    layers, groups = len(spec.layers), config.integer("num_hidden_groups", 1)
    if not 1 <= groups <= layers:
        raise CheckpointError(
            f"{config.source}: num_hidden_groups must be in 1..{layers}, got {shown(groups)}"
        )
    # In float64, as the model's code has it.
    owners = [int(i / (layers / groups)) for i in range(layers)]
    return replace(
        spec,
        layers=tuple(replace(layer, weights=owner) for layer, owner in zip(spec.layers, owners, strict=True)),
    )


def _names(spec: EncoderSpec) -> dict[str, str]:
    layers = layer_names(
        spec,
        "encoder.albert_layer_groups.{}.albert_layers.0",
        {
            "attention.query": "attention.query",
            "attention.key": "attention.key",
            "attention.value": "attention.value",
            "attention.output": "attention.dense",
            "attn_out": "attention.LayerNorm",
            "ffn.up": "ffn",
            "ffn.down": "ffn_output",
            "ffn_out": "full_layer_layer_norm",
        },
    )
    modules = {
        "embeddings.norm": "embeddings.LayerNorm",
        "embeddings.projection": "encoder.embedding_hidden_mapping_in",
    }
    return {
        "embeddings.token": "embeddings.word_embeddings.weight",
        "embeddings.position": "embeddings.position_embeddings.weight",
        "embeddings.type": "embeddings.token_type_embeddings.weight",
    } | with_parameters(modules | layers)


def _heads(config: Config) -> dict[HeadKind, HeadSpec]:
    norm = NormSpec(Norm.LAYER, config.number("layer_norm_eps", 1e-12), bias=True)
    return token_heads() | {
        HeadKind.SEQUENCE: HeadSpec(
            (LinearSpec("pooler", Activation.TANH), LinearSpec("classifier")), Pooling.CLS
        ),
        HeadKind.MASKED: HeadSpec(
            (
                LinearSpec("predictions.dense", config.activation("hidden_act", "gelu_new")),
                NormLayerSpec("predictions.LayerNorm", norm),
                VocabularySpec(
                    "predictions.decoder.weight", ("predictions.bias", "predictions.decoder.bias")
                ),
            )
        ),
    }


FAMILY = Family(
    model_types=("albert",),
    spec=_spec,
    names=_names,
    prefixes=("albert.",),
    ignored=("pooler.", "predictions.", "sop_classifier.", "classifier.", "qa_outputs."),
    heads=_heads,
)
