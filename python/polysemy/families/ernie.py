"""ERNIE: BERT's graph, for checkpoints without embeddings of a task.

Sun et al., "ERNIE 2.0: A Continual Pre-training Framework for Language Understanding", 2020.
"""

from __future__ import annotations

from ..model.spec import EncoderSpec
from .bert import bert_heads, bert_names, bert_spec
from .config import Config
from .family import Family

__all__ = ["FAMILY"]


def _spec(config: Config) -> EncoderSpec:
    config.require("use_task_id", False)
    return bert_spec(config)


FAMILY = Family(
    model_types=("ernie",),
    spec=_spec,
    names=bert_names,
    prefixes=("ernie.",),
    ignored=("pooler.", "cls.", "classifier.", "qa_outputs."),
    heads=bert_heads,
)
