"""ELECTRA: BERT's graph, whose small sizes widen their embeddings by a projection.

Clark et al., "ELECTRA: Pre-training Text Encoders as Discriminators Rather Than Generators", 2020.
"""

from __future__ import annotations

from ..model.heads import HeadKind, HeadSpec, LinearSpec, NormLayerSpec, VocabularySpec
from ..model.spec import Activation, EncoderSpec, Norm, NormSpec, Pooling
from .bert import bert_names, bert_spec, token_heads
from .config import Config
from .family import Family, with_parameters

__all__ = ["FAMILY"]


def _spec(config: Config) -> EncoderSpec:
    return bert_spec(config, embedding_width=config.integer("embedding_size", 128))


def _names(spec: EncoderSpec) -> dict[str, str]:
    return bert_names(spec) | with_parameters({"embeddings.projection": "embeddings_project"})


def _heads(config: Config) -> dict[HeadKind, HeadSpec]:
    norm = NormSpec(Norm.LAYER, config.number("layer_norm_eps", 1e-12), bias=True)
    return token_heads() | {
        HeadKind.SEQUENCE: HeadSpec(
            (LinearSpec("classifier.dense", Activation.GELU_ERF), LinearSpec("classifier.out_proj")),
            Pooling.CLS,
        ),
        HeadKind.MASKED: HeadSpec(
            (
                LinearSpec("generator_predictions.dense", Activation.GELU_ERF),
                NormLayerSpec("generator_predictions.LayerNorm", norm),
                VocabularySpec("generator_lm_head.weight", ("generator_lm_head.bias",)),
            )
        ),
    }


FAMILY = Family(
    model_types=("electra",),
    spec=_spec,
    names=_names,
    prefixes=("electra.",),
    ignored=(
        "classifier.",
        "qa_outputs.",
        "discriminator_predictions.",
        "generator_predictions.",
        "generator_lm_head.",
    ),
    heads=_heads,
)
