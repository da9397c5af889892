"""Arguments of models that are names: what can't be compared with one, or has no hash, is as wrong as any other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from head_models import Built
from polysemy import SentenceTransformer, SparseEncoder, TextClassifier, TokenClassifier
from tiny_models import write_sentence_model

Checkpoint = Callable[[str, str], Built]


@pytest.mark.parametrize(
    "value", [np.ones(2), ["cpu"], {"a": 1}, 7, object()], ids=lambda v: type(v).__name__
)
def test_names_are_refused_by_name(value: Any, checkpoint: Checkpoint, tmp_path: Path) -> None:
    model = SentenceTransformer(write_sentence_model(tmp_path))
    folder = checkpoint("bert", "SequenceClassification").folder
    classifier, sparse = TextClassifier(folder), SparseEncoder(checkpoint("bert", "MaskedLM").folder)
    tokens = checkpoint("bert", "TokenClassification").folder
    calls: dict[str, Callable[[], object]] = {
        "output_value": lambda: model.encode("the bank", output_value=value),
        "precision": lambda: model.encode("the bank", precision=value),
        "prompt_name": lambda: model.encode("the bank", prompt_name=value),
        "model_kwargs": lambda: model.encode("the bank", model_kwargs=value),
        "pool": lambda: model.encode("the bank", pool=value),
        "function_to_apply": lambda: classifier("the bank", function_to_apply=value),
        "truncation": lambda: classifier("the bank", truncation=value),
        "aggregation_strategy": lambda: TokenClassifier(tokens)("the bank", aggregation_strategy=value),
        "task": lambda: sparse.encode("the bank", task=value),
        "similarity_fn_name": lambda: setattr(model, "similarity_fn_name", value),
    }
    for argument, call in calls.items():
        with pytest.raises((TypeError, ValueError), match=f"{argument} ") as caught:
            call()
        assert "ambiguous" not in str(caught.value) and "unhashable" not in str(caught.value)
