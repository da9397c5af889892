"""MPNet: BERT's graph with positions as in RoBERTa, and biases by distance that all layers share.

Song et al., "MPNet: Masked and Permuted Pre-training for Language Understanding", 2020.
"""

from __future__ import annotations

from dataclasses import replace

from ..model.spec import EncoderSpec, PositionBias, PositionBiasSpec
from .bert import bert_spec
from .config import Config
from .family import Family, layer_names, with_parameters
from .roberta import roberta_heads

__all__ = ["FAMILY"]

# Fixed by the architecture, whatever the configuration says.
_PADDING_ID = 1
_BIAS = PositionBiasSpec(PositionBias.BUCKETS, buckets=32, max_distance=128)


def _spec(config: Config) -> EncoderSpec:
    config.require("relative_attention_num_buckets", _BIAS.buckets)
    spec = bert_spec(config, position_offset=_PADDING_ID + 1, padding_id=_PADDING_ID)
    layers = (
        replace(layer, attention=replace(layer.attention, position_bias=_BIAS)) for layer in spec.layers
    )
    return replace(spec, layers=tuple(layers), embedding=replace(spec.embedding, token_types=0))


def _names(spec: EncoderSpec) -> dict[str, str]:
    layers = layer_names(
        spec,
        "encoder.layer.{}",
        {
            "attention.query": "attention.attn.q",
            "attention.key": "attention.attn.k",
            "attention.value": "attention.attn.v",
            "attention.output": "attention.attn.o",
            "attn_out": "attention.LayerNorm",
            "ffn.up": "intermediate.dense",
            "ffn.down": "output.dense",
            "ffn_out": "output.LayerNorm",
        },
    )
    return {
        "embeddings.token": "embeddings.word_embeddings.weight",
        "embeddings.position": "embeddings.position_embeddings.weight",
        "position_bias.0": "encoder.relative_attention_bias.weight",
    } | with_parameters({"embeddings.norm": "embeddings.LayerNorm"} | layers)


FAMILY = Family(
    model_types=("mpnet",),
    spec=_spec,
    names=_names,
    prefixes=("mpnet.",),
    ignored=("pooler.", "lm_head.", "classifier.", "qa_outputs."),
    heads=roberta_heads,
)
