"""ELECTRA: BERT's graph, whose small sizes widen their embeddings by a projection.

Clark et al., "ELECTRA: Pre-training Text Encoders as Discriminators Rather Than Generators", 2020.
"""

from __future__ import annotations

from ..model.spec import EncoderSpec
from .bert import bert_names, bert_spec
from .config import Config
from .family import Family, with_parameters

__all__ = ["FAMILY"]


def _spec(config: Config) -> EncoderSpec:
    return bert_spec(config, embedding_width=config.integer("embedding_size", 128))


def _names(spec: EncoderSpec) -> dict[str, str]:
    return bert_names(spec) | with_parameters({"embeddings.projection": "embeddings_project"})


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
)
