"""A result is the same bits alone and in any batch, for every head."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from head_models import ANSWERING, WORDS, Built
from polysemy import (
    CrossEncoder,
    FillMask,
    QuestionAnswerer,
    SparseEncoder,
    TextClassifier,
    TokenClassifier,
    ZeroShotClassifier,
)

Checkpoint = Callable[[str, str], Built]


def texts(rng: np.random.Generator, count: int) -> list[str]:
    return [" ".join(rng.choice(WORDS, rng.integers(1, 14))) for _ in range(count)]


@pytest.mark.parametrize("family", ANSWERING)
def test_alone_and_in_batches(family: str, checkpoint: Checkpoint) -> None:
    rng = np.random.default_rng(len(family))
    some = texts(rng, 40)
    pairs = list(zip(some, texts(rng, 40), strict=True))
    masked = [text + " [MASK]" for text in some]

    def folder(head: str) -> Any:
        return checkpoint(family, head).folder

    cross = CrossEncoder(folder("SequenceClassification"), num_threads=2)
    tokens = TokenClassifier(folder("TokenClassification"), ignore_labels=[])
    fill, sparse = FillMask(folder("MaskedLM")), SparseEncoder(folder("MaskedLM"))
    answers = QuestionAnswerer(folder("QuestionAnswering"))
    classes, zero = (
        TextClassifier(folder("SequenceClassification")),
        ZeroShotClassifier(folder("SequenceClassification")),
    )
    classified, judged = classes(some, top_k=None), zero(some, ["money", "river"], multi_label=True)
    scores, labels, filled = cross.predict(pairs), tokens(some), fill(masked)
    rows = sparse.encode(some)
    spans = answers([pair[0] for pair in pairs], [pair[1] for pair in pairs])
    for i in rng.permutation(len(some))[:12]:
        assert cross.predict(pairs[i]).tobytes() == scores[i].tobytes()
        assert tokens(some[i]) == labels[i]
        assert classes(some[i], top_k=None) == classified[i]
        assert zero(some[i], ["money", "river"], multi_label=True) == judged[i]
        assert fill(masked[i]) == filled[i]
        alone, row = sparse.encode(some[i]), rows[int(i)]
        assert alone.data.tobytes() == row.data.tobytes() and (alone.indices == row.indices).all()
        assert answers(*pairs[i]) == spans[i]
    order = rng.permutation(len(some))
    assert cross.predict([pairs[i] for i in order]).tobytes() == scores[order].tobytes()
