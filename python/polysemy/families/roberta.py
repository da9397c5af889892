"""RoBERTa and its multilingual and French relatives: BERT's graph, positions that start after the padding id.

Liu et al., "RoBERTa: A Robustly Optimized BERT Pretraining Approach", 2019; Conneau et al., "Unsupervised
Cross-lingual Representation Learning at Scale", 2020; Martin et al., "CamemBERT", 2020.
"""

from __future__ import annotations

from ..model.heads import HeadKind, HeadSpec, LinearSpec, NormLayerSpec, VocabularySpec
from ..model.spec import Activation, EncoderSpec, Norm, NormSpec, Pooling
from .bert import bert_names, bert_spec, token_heads
from .config import Config
from .family import Family

__all__ = ["FAMILY", "roberta_heads"]


def _spec(config: Config) -> EncoderSpec:
    # Positions count from pad_token_id + 1, so the table has that many rows more than there are positions. A token
    # of that id has the row of its own number.
    padding = config.integer("pad_token_id", 1)
    return bert_spec(config, position_offset=padding + 1, padding_id=padding)


def roberta_heads(config: Config) -> dict[HeadKind, HeadSpec]:
    """The heads of RoBERTa, with their names."""
    norm = NormSpec(Norm.LAYER, config.number("layer_norm_eps", 1e-12), bias=True)
    return token_heads() | {
        HeadKind.SEQUENCE: HeadSpec(
            (LinearSpec("classifier.dense", Activation.TANH), LinearSpec("classifier.out_proj")), Pooling.CLS
        ),
        HeadKind.MASKED: HeadSpec(
            (
                LinearSpec("lm_head.dense", Activation.GELU_ERF),
                NormLayerSpec("lm_head.layer_norm", norm),
                VocabularySpec("lm_head.decoder.weight", ("lm_head.bias", "lm_head.decoder.bias")),
            )
        ),
    }


FAMILY = Family(
    model_types=("roberta", "xlm-roberta", "camembert"),
    spec=_spec,
    names=bert_names,
    prefixes=("roberta.",),
    ignored=("pooler.", "lm_head.", "classifier.", "qa_outputs."),
    heads=roberta_heads,
)
