"""What heads do with few texts, with too much asked of them, and with arguments that are none."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sentence_transformers
import torch
from head_models import Built
from polysemy import (
    CrossEncoder,
    QuestionAnswerer,
    SparseEncoder,
    SparseRows,
    TextClassifier,
    TokenClassifier,
    TruncationWarning,
    ZeroShotClassifier,
)

Checkpoint = Callable[[str, str], Built]
LONG = "money " * 90
# As tests/heads/test_heads_transformers.py has it: of sums of 64 terms in a handful of layers.
ROUNDING = 512 * 2.0**-24


@pytest.mark.parametrize("empty", [False, True])
def test_more_answers_than_there_are(empty: bool, checkpoint: Checkpoint) -> None:
    """Every span of the context at most once, none beyond it, and no end before its start."""
    reader = QuestionAnswerer(checkpoint("bert", "QuestionAnswering").folder)
    context = "bank of the river"
    found = reader("money ?", context, top_k=50, max_answer_len=3, handle_impossible_answer=empty)
    assert len(found) == 4 + 3 + 2 + empty
    assert [answer["score"] for answer in found] == sorted((a["score"] for a in found), reverse=True)
    for answer in found:
        assert answer["answer"] == context[answer["start"] : answer["end"]]
    spans = {(answer["start"], answer["end"]) for answer in found}
    assert len(spans) == len(found) and all(start < end for start, end in spans - {(0, 0)})


def test_an_answer_in_nothing(checkpoint: Checkpoint) -> None:
    reader = QuestionAnswerer(checkpoint("bert", "QuestionAnswering").folder)
    assert reader("money ?", "") == {"score": 0.0, "start": 0, "end": 0, "answer": ""}


def test_zero_shot(checkpoint: Checkpoint) -> None:
    classifier = ZeroShotClassifier(checkpoint("bert", "SequenceClassification").folder)
    assert classifier([], ["money", "river"]) == []
    for template in ("no label", "{x}", "{", "{} {}", "{{}}"):
        with pytest.raises(ValueError, match=r"^ZeroShotClassifier: hypothesis_template must have \{\} for"):
            classifier("bank", ["money", "river"], hypothesis_template=template)


def test_a_token_classifier_takes_what_all_heads_take(checkpoint: Checkpoint) -> None:
    folder = checkpoint("bert", "TokenClassification").folder
    options: dict[str, Any] = {
        "revision": None,
        "cache_folder": None,
        "local_files_only": True,
        "token": None,
    }
    assert TokenClassifier(folder, **options)("bank") == TokenClassifier(folder)("bank")


def test_arguments(checkpoint: Checkpoint) -> None:
    sparse = SparseEncoder(checkpoint("bert", "MaskedLM").folder)
    with pytest.raises(TypeError, match=r"^encode: show_progress_bar must be True, False or None"):
        sparse.encode(["bank"], show_progress_bar="no")  # type: ignore[arg-type]
    cross = CrossEncoder(checkpoint("bert", "SequenceClassification").folder)
    with pytest.raises(TypeError, match=r"inputs\[0\] must be a pair, .*, got list of 3$"):
        cross.predict([["a", "b", "c"]])


@pytest.mark.parametrize("head", ["text", "cross", "tokens", "sparse"])
def test_a_warning_names_the_line_of_the_caller(head: str, checkpoint: Checkpoint) -> None:
    sequence = checkpoint("bert", "SequenceClassification").folder
    calls: dict[str, Callable[[], object]] = {
        "text": lambda: TextClassifier(sequence)(LONG),
        "cross": lambda: CrossEncoder(sequence).predict([(LONG, LONG)]),
        "tokens": lambda: TokenClassifier(checkpoint("bert", "TokenClassification").folder)(LONG),
        "sparse": lambda: SparseEncoder(checkpoint("bert", "MaskedLM").folder).encode([LONG]),
    }
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        calls[head]()
    assert [w.filename for w in seen if w.category is TruncationWarning] == [__file__]


@pytest.mark.parametrize(("saved", "chosen"), [("maxsim", "dot"), ("euclidean", "euclidean"), (None, "dot")])
def test_a_similarity_for_other_models(
    saved: str | None, chosen: str, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    """That of a folder, where it is none for sparse vectors, is left out."""
    theirs = sentence_transformers.SparseEncoder(
        str(checkpoint("distilbert", "MaskedLM").folder), device="cpu"
    )
    theirs.save_pretrained(str(tmp_path))
    path = tmp_path / "config_sentence_transformers.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"similarity_fn_name": saved}))
    assert SparseEncoder(tmp_path).similarity_fn_name == chosen


@pytest.mark.filterwarnings("ignore:Sparse")  # of torch, within theirs
def test_sparse_tensors(checkpoint: Checkpoint) -> None:
    """Which tensors come is what sentence-transformers says; without a word of them there are rows."""
    folder = checkpoint("distilbert", "MaskedLM").folder
    ours, theirs = SparseEncoder(folder), sentence_transformers.SparseEncoder(str(folder), device="cpu")
    texts, rows = ["bank of the river", "money"], SparseEncoder(folder).encode(["bank of the river", "money"])
    for tensor, sparse in (
        (None, True),
        (True, None),
        (True, False),
        (False, True),
        (False, False),
        (None, False),
    ):
        asked = {"convert_to_tensor": tensor, "convert_to_sparse_tensor": sparse}
        asked = {name: value for name, value in asked.items() if value is not None}
        for given in (texts, texts[0]):
            got, want = ours.encode(given, **asked), theirs.encode(given, **asked)
            assert isinstance(got, list) == isinstance(want, list)
            for a, b in zip(*(x if isinstance(x, list) else [x] for x in (got, want)), strict=True):
                assert a.layout == b.layout and a.shape == b.shape
                assert torch.allclose(a.to_dense(), b.to_dense(), rtol=0, atol=ROUNDING)
    stacked = ours.encode(texts, convert_to_tensor=True)
    again = SparseRows.of(stacked, "rows")
    assert again.data.tobytes() == rows.data.tobytes() and (again.toarray() == rows.toarray()).all()
    assert ours.sparsity(stacked) == ours.sparsity(rows) and ours.decode(stacked) == ours.decode(rows)
    for name in ("dot", "cosine", "euclidean", "manhattan"):
        ours.similarity_fn_name = theirs.similarity_fn_name = name
        scores, want = ours.similarity(stacked, rows), theirs.similarity(stacked, stacked)
        assert torch.allclose(scores, want, rtol=ROUNDING, atol=ROUNDING)
        assert (ours.similarity(rows, rows) == scores.numpy()).all()
        pairs = ours.similarity_pairwise(rows, rows[::1])
        assert np.allclose(pairs, theirs.similarity_pairwise(stacked, stacked), rtol=ROUNDING, atol=ROUNDING)
    for wrong in ("money", ["money"], [None]):
        with pytest.raises(TypeError, match=r"^decode: embeddings(\[0\])? must hold numbers, got dtype"):
            ours.decode(wrong)


def test_scores_as_tensors(checkpoint: Checkpoint) -> None:
    folder = checkpoint("bert", "SequenceClassification").folder
    ours, theirs = CrossEncoder(folder), sentence_transformers.CrossEncoder(str(folder), device="cpu")
    pairs = [("bank", "river"), ("money", "loan")]
    for asked in ({"convert_to_tensor": True}, {"convert_to_numpy": False}):
        for given in (pairs, pairs[0]):
            got, want = ours.predict(given, **asked), theirs.predict(given, **asked)
            assert type(got) is type(want) and len(got) == len(want)
            for a, b in zip(got, want, strict=True):
                assert isinstance(a, torch.Tensor) and torch.allclose(a, b, rtol=0, atol=ROUNDING)


def test_rows_compare_by_identity(checkpoint: Checkpoint) -> None:
    rows = SparseEncoder(checkpoint("bert", "MaskedLM").folder).encode(["bank", "river"])
    assert rows == rows and rows != rows[:2]
    assert np.array_equal(rows.toarray(), rows[:2].toarray())
