"""The evaluators of sentence-transformers, on its models and on ours: equal results."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polysemy
import pytest
import sentence_transformers
from head_models import NLI, WORDS, build
from sentence_models import HIDDEN, save
from sentence_transformers.cross_encoder import evaluation as cross
from sentence_transformers.sentence_transformer import evaluation as dense
from sentence_transformers.sentence_transformer import modules
from sentence_transformers.sparse_encoder import evaluation as sparse

TEXTS = [" ".join(np.random.default_rng(i).choice(WORDS, 2 + i % 9)) for i in range(48)]
A, B, C = TEXTS[:16], TEXTS[16:32], TEXTS[32:]
LABELS = [int(len(a) < len(b)) for a, b in zip(A, B, strict=True)]
SCORES = [abs(len(a) - len(b)) / 40 for a, b in zip(A, B, strict=True)]
QUERIES, CORPUS = (
    {f"{kind}{i}": text for i, text in enumerate(some)} for kind, some in (("q", A), ("c", TEXTS[16:]))
)
RELEVANT = {f"q{i}": {f"c{i}", f"c{i + 3}"} for i in range(16)}
SAMPLES = [
    {"query": a, "positive": [b], "negative": [c, c + " loan"]} for a, b, c in zip(A, B, C, strict=True)
]
RERANKED = [
    {"query": a, "positive": [b], "documents": [c, b, c + " loan"]} for a, b, c in zip(A, B, C, strict=True)
]
PAIRS = [[a, b] for a, b in zip(A, B, strict=True)]
MAP = {str(i): text for i, text in enumerate(TEXTS)}
EVERY = ["cosine", "dot", "euclidean", "manhattan"]

# As tests/heads/test_heads_transformers.py has it: of sums of 64 terms in a handful of layers.
ROUNDING = 512 * 2.0**-24

Evaluator = Callable[[], Any]
EVALUATORS: dict[str, tuple[str, Evaluator]] = {
    "similarity": (
        "SentenceTransformer",
        lambda: dense.EmbeddingSimilarityEvaluator(A, B, SCORES, similarity_fn_names=EVERY),
    ),
    "similarity-bits": (
        "SentenceTransformer", lambda: dense.EmbeddingSimilarityEvaluator(A, B, SCORES, precision="binary")
    ),
    "similarity-cut": (
        "SentenceTransformer", lambda: dense.EmbeddingSimilarityEvaluator(A, B, SCORES, truncate_dim=16)
    ),
    "binary": (
        "SentenceTransformer",
        lambda: dense.BinaryClassificationEvaluator(A, B, LABELS, similarity_fn_names=EVERY),
    ),
    "retrieval": (
        "SentenceTransformer",
        lambda: dense.InformationRetrievalEvaluator(QUERIES, CORPUS, RELEVANT, query_prompt="we "),
    ),
    "triplet": (
        "SentenceTransformer", lambda: dense.TripletEvaluator(A, B, C, similarity_fn_names=EVERY, truncate_dim=20)
    ),
    "paraphrase": (
        "SentenceTransformer",
        lambda: dense.ParaphraseMiningEvaluator(MAP, [(str(i), str(i + 1)) for i in range(0, 48, 3)]),
    ),
    "reranking": ("SentenceTransformer", lambda: dense.RerankingEvaluator(SAMPLES)),
    "reranking-each": (
        "SentenceTransformer", lambda: dense.RerankingEvaluator(SAMPLES, use_batched_encoding=False)
    ),
    "translation": ("SentenceTransformer", lambda: dense.TranslationEvaluator(A, B)),
    "sequence": (
        "SentenceTransformer",
        lambda: dense.SequentialEvaluator([dense.TranslationEvaluator(A, B), dense.TripletEvaluator(A, B, C)]),
    ),
    "cross-classification": ("CrossEncoder", lambda: cross.CrossEncoderClassificationEvaluator(PAIRS, LABELS)),
    "cross-correlation": ("CrossEncoder", lambda: cross.CrossEncoderCorrelationEvaluator(PAIRS, SCORES)),
    "cross-reranking": ("CrossEncoder", lambda: cross.CrossEncoderRerankingEvaluator(RERANKED)),
    "cross-labels": (
        "CrossEncoder-3",
        lambda: cross.CrossEncoderClassificationEvaluator(PAIRS, [i % 3 for i in range(16)]),
    ),
    "sparse-retrieval": (
        "SparseEncoder", lambda: sparse.SparseInformationRetrievalEvaluator(QUERIES, CORPUS, RELEVANT)
    ),
    "sparse-similarity": (
        "SparseEncoder",
        lambda: sparse.SparseEmbeddingSimilarityEvaluator(A, B, SCORES, max_active_dims=9, similarity_fn_names=EVERY),
    ),
    "sparse-binary": ("SparseEncoder", lambda: sparse.SparseBinaryClassificationEvaluator(A, B, LABELS)),
    "sparse-triplet": ("SparseEncoder", lambda: sparse.SparseTripletEvaluator(A, B, C)),
    "sparse-reranking": ("SparseEncoder", lambda: sparse.SparseRerankingEvaluator(SAMPLES)),
    "sparse-translation": ("SparseEncoder", lambda: sparse.SparseTranslationEvaluator(A, B)),
}  # fmt: skip


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("evaluated")
    save(root, modules.Pooling(HIDDEN))
    build("bert", "SequenceClassification", root / "one", {0: "relevant"})
    build("bert", "SequenceClassification", root / "three", NLI)
    build("distilbert", "MaskedLM", root / "splade")
    return {
        "SentenceTransformer": root / "model", "CrossEncoder": root / "one", "CrossEncoder-3": root / "three",
        "SparseEncoder": root / "splade",
    }  # fmt: skip


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:Sparse")  # within theirs
@pytest.mark.parametrize("name", EVALUATORS)
def test_equal_results(name: str, folders: dict[str, Path], tmp_path: Path) -> None:
    kind, make = EVALUATORS[name]
    results = []
    for package in (sentence_transformers, polysemy):
        path = tmp_path / package.__name__
        path.mkdir()
        model = getattr(package, kind.partition("-")[0])(str(folders[kind]), device="cpu")
        results.append(
            (make()(model, str(path), epoch=1, steps=2), sorted(p.name for p in path.rglob("*.csv")))
        )
    (want, written), (got, ours) = results
    assert want and got.keys() == want.keys() and ours == written
    for metric, value in want.items():
        # Ranks and counts are the same; thresholds are scores, of float32.
        assert abs(got[metric] - value) <= ROUNDING * max(1.0, abs(value)), metric
