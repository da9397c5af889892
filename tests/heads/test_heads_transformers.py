"""Every head of every family against `transformers`: scores, and results of its pipelines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from head_models import ANSWERING, FAMILIES, NLI, Built, build, logits
from numpy.typing import NDArray
from polysemy import (
    CrossEncoder,
    FillMask,
    QuestionAnswerer,
    SparseEncoder,
    TextClassifier,
    TokenClassifier,
    ZeroShotClassifier,
)
from transformers import pipeline

Checkpoint = Callable[[str, str], Built]

PAIRS = [
    ("we sat on the bank", "money in the bank"),
    ("a", "the river of new york , we deposited money on the loan"),
    ("water " * 30, "bank"),
]
TEXTS = ["We sat on the banking of the river", "New York", "money - in the loaners ' bank , i deposited !"]
MASKED = ["we sat on the [MASK] of the river", "[MASK] money", "the [MASK] of [MASK]"]
UNIT = 2.0**-24
# Of a small model with sums of 64 terms in a handful of layers.
ROUNDING = 512 * UNIT


def close(got: NDArray[np.floating], want: NDArray[np.floating]) -> bool:
    return got.shape == want.shape and float(np.abs(got - want).max()) <= ROUNDING * max(
        1.0, float(np.abs(want).max())
    )


def same(got: Any, want: Any) -> None:
    """The same results of a pipeline, up to rounding of scores."""
    if isinstance(want, dict):
        assert set(got) == set(want)
        for name in want:
            same(got[name], want[name])
    elif isinstance(want, (list, tuple)):
        assert len(got) == len(want)
        for a, b in zip(got, want, strict=True):
            same(a, b)
    elif isinstance(want, (float, np.floating)):
        assert abs(got - want) <= ROUNDING
    else:
        assert got == want


@pytest.mark.parametrize("family", FAMILIES)
def test_cross_encoder(family: str, checkpoint: Checkpoint) -> None:
    built = checkpoint(family, "SequenceClassification")
    got = CrossEncoder(built.folder).predict(PAIRS[:2])
    want = np.stack([logits(built.model, built.folder, pair) for pair in PAIRS[:2]])
    assert want.std() > 0.1 and close(got, want)


@pytest.mark.parametrize("family", FAMILIES)
def test_tokens(family: str, checkpoint: Checkpoint) -> None:
    built = checkpoint(family, "TokenClassification")
    kind = pipeline("token-classification", model=built.model, tokenizer=str(built.folder))
    classifier = TokenClassifier(built.folder, ignore_labels=[])
    same(classifier(TEXTS), [kind(text, ignore_labels=[]) for text in TEXTS])


@pytest.mark.parametrize("strategy", ["none", "simple", "first", "average", "max"])
@pytest.mark.parametrize("family", ["bert", "distilbert", "modernbert", "deberta-v2"])
def test_aggregation(family: str, strategy: str, checkpoint: Checkpoint) -> None:
    built = checkpoint(family, "TokenClassification")
    kind = pipeline(
        "token-classification",
        model=built.model,
        tokenizer=str(built.folder),
        aggregation_strategy=strategy,
    )
    same(TokenClassifier(built.folder, aggregation_strategy=strategy)(TEXTS), kind(TEXTS))


@pytest.mark.parametrize("family", FAMILIES)
def test_fill_mask(family: str, checkpoint: Checkpoint) -> None:
    built = checkpoint(family, "MaskedLM")
    kind = pipeline("fill-mask", model=built.model, tokenizer=str(built.folder))
    fill = FillMask(built.folder)
    same(fill(MASKED, top_k=3), kind(MASKED, top_k=3))
    same(fill(MASKED[0], targets=["bank", "river"]), kind(MASKED[0], targets=["bank", "river"]))
    same(fill(MASKED[:1]), kind(MASKED[:1]))


@pytest.mark.parametrize("family", FAMILIES)
def test_sparse(family: str, checkpoint: Checkpoint) -> None:
    built = checkpoint(family, "MaskedLM")
    rows = SparseEncoder(built.folder).encode(TEXTS)
    scores = [logits(built.model, built.folder, text) for text in TEXTS]
    want = np.stack([np.log1p(np.maximum(score, 0)).max(axis=0) for score in scores])
    assert close(rows.toarray(), want) and (want > 0).any() and (want == 0).any()
    assert rows.nnz == np.count_nonzero(rows.toarray())


@pytest.mark.parametrize("family", ANSWERING)
def test_answers(family: str, checkpoint: Checkpoint) -> None:
    """The best span of all, found by trying each."""
    built = checkpoint(family, "QuestionAnswering")
    question, context = "we sat on the bank", "the river of new york , we deposited money"
    result = QuestionAnswerer(built.folder)(question, context, max_answer_len=4)
    start, end = (
        logits(built.model, built.folder, (question, context), f"{name}_logits") for name in ("start", "end")
    )
    first = 7  # [CLS], five words, [SEP]
    places = [0, *range(first, len(start) - 1)]
    chances = [np.exp(x - x[places].max()) / np.exp(x[places] - x[places].max()).sum() for x in (start, end)]
    spans = [(a, b) for a in places[1:] for b in range(a, min(a + 4, len(start) - 1))]
    a, b = max(spans, key=lambda span: chances[0][span[0]] * chances[1][span[1]])
    words = context.split()
    assert result["answer"] == " ".join(words[a - first : b - first + 1])
    assert context[result["start"] : result["end"]] == result["answer"]
    assert abs(result["score"] - chances[0][a] * chances[1][b]) <= ROUNDING


@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize("family", ["bert", "xlm-roberta", "modernbert", "deberta-v2"])
def test_zero_shot(family: str, multi_label: bool, checkpoint: Checkpoint) -> None:
    built = checkpoint(family, "SequenceClassification")
    kind = pipeline("zero-shot-classification", model=built.model, tokenizer=str(built.folder))
    labels = ["money", "river", "new york"]
    want = kind(TEXTS, labels, multi_label=multi_label, hypothesis_template="we sat on {}")
    ours = ZeroShotClassifier(built.folder)
    same(ours(TEXTS, labels, multi_label=multi_label, hypothesis_template="we sat on {}"), want)
    same(ours(TEXTS[0], "money, river"), kind(TEXTS[0], "money, river"))


@pytest.mark.parametrize("labels", [{0: "yes"}, NLI])
@pytest.mark.parametrize("family", ["distilbert", "roberta", "electra"])
def test_texts(family: str, labels: dict[int, str], tmp_path: Any) -> None:
    built = build(family, "SequenceClassification", tmp_path, labels)
    kind = pipeline("text-classification", model=built.model, tokenizer=str(built.folder))
    ours = TextClassifier(built.folder)
    same(ours(TEXTS), kind(TEXTS))
    same(ours(TEXTS[0]), kind(TEXTS[0]))
    same(ours(TEXTS, top_k=None), kind(TEXTS, top_k=None))
    same(ours(TEXTS[0], top_k=2), kind(TEXTS[0], top_k=2))
