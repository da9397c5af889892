"""ELECTRA, for checkpoints whose embeddings are as wide as their hidden states.

Clark et al., "ELECTRA: Pre-training Text Encoders as Discriminators Rather Than Generators", 2020.
"""

from __future__ import annotations

from ..errors import UnsupportedModelError
from ..model.spec import EncoderSpec
from .bert import bert_names, bert_spec
from .config import Config
from .family import Family

__all__ = ["FAMILY"]


def _spec(config: Config) -> EncoderSpec:
    hidden = config.integer("hidden_size")
    width = config.integer("embedding_size", 128)  # the default of transformers' ElectraConfig
    if width != hidden:
        raise UnsupportedModelError(
            f"{config.source}: embedding_size must equal hidden_size={hidden}, got {width}; a projection of "
            "the embeddings is not supported"
        )
    return bert_spec(config)


FAMILY = Family(
    model_types=("electra",),
    spec=_spec,
    names=bert_names,
    prefixes=("electra.",),
    ignored=(
        "classifier.",
        "qa_outputs.",
        "discriminator_predictions.",
        "generator_predictions.",
        "generator_lm_head.",
    ),
)
