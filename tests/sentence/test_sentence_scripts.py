"""Scripts like those of sentence-transformers' documentation, with its import and with ours: equal results."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polysemy
import pytest
import sentence_transformers
import torch
from head_models import WORDS, build
from sentence_models import HIDDEN, ROUNDING, save
from sentence_transformers.sentence_transformer import modules

CORPUS = [" ".join(np.random.default_rng(i).choice(WORDS, 3 + i % 9)) for i in range(60)]
QUERIES = ["the bank of the river", "money on loan"]


def imported(package: Any) -> SimpleNamespace:
    """What a script imports, from either package."""
    return SimpleNamespace(
        SentenceTransformer=package.SentenceTransformer,
        CrossEncoder=package.CrossEncoder,
        SparseEncoder=package.SparseEncoder,
        util=package.util,
    )


def encoding(st: Any, folder: Path) -> Any:
    model = st.SentenceTransformer(str(folder / "model"), device="cpu")
    embeddings = model.encode(CORPUS, batch_size=8, show_progress_bar=False)
    similarities = model.similarity(embeddings[:5], embeddings)
    return (
        embeddings,
        np.asarray(similarities),
        np.asarray(model.similarity_pairwise(embeddings[:9], embeddings[9:18])),
    )


def semantic_search(st: Any, folder: Path) -> Any:
    embedder = st.SentenceTransformer(str(folder / "model"))
    corpus = embedder.encode_document(CORPUS, convert_to_tensor=True)
    queries = embedder.encode_query(QUERIES, convert_to_tensor=True)
    found = []
    for query in queries:
        scores = embedder.similarity(query, corpus)[0]
        values, indices = torch.topk(scores, k=5)
        found.append([(CORPUS[i], float(value)) for value, i in zip(values, indices, strict=True)])
    hits = st.util.semantic_search(queries, corpus, top_k=5)
    return found, [[(CORPUS[hit["corpus_id"]], hit["score"]) for hit in row] for row in hits]


def retrieve_and_rerank(st: Any, folder: Path) -> Any:
    bi_encoder = st.SentenceTransformer(str(folder / "model"))
    cross_encoder = st.CrossEncoder(str(folder / "reranker"))
    corpus = bi_encoder.encode_document(CORPUS, convert_to_tensor=True, show_progress_bar=False)
    results = []
    for query in QUERIES:
        question = bi_encoder.encode_query(query, convert_to_tensor=True)
        hits = st.util.semantic_search(question, corpus, top_k=8)[0]
        scores = cross_encoder.predict([[query, CORPUS[hit["corpus_id"]]] for hit in hits])
        for hit, score in zip(hits, scores, strict=True):
            hit["cross-score"] = float(score)
        hits = sorted(hits, key=lambda hit: hit["cross-score"], reverse=True)
        results.append([(CORPUS[hit["corpus_id"]], hit["score"], hit["cross-score"]) for hit in hits])
    return results, cross_encoder.rank(QUERIES[0], CORPUS[:7], top_k=3, return_documents=True)


def clustering(st: Any, folder: Path) -> Any:
    model = st.SentenceTransformer(str(folder / "model"))
    embeddings = model.encode(CORPUS, normalize_embeddings=True)
    return st.util.community_detection(embeddings, min_community_size=3, threshold=0.9)


def paraphrase_mining(st: Any, folder: Path) -> Any:
    model = st.SentenceTransformer(str(folder / "model"))
    pairs = st.util.paraphrase_mining(model, CORPUS, top_k=5, show_progress_bar=False)
    return [(score, CORPUS[i], CORPUS[j]) for score, i, j in pairs if i != j][:30]


def quantized(st: Any, folder: Path) -> Any:
    model = st.SentenceTransformer(str(folder / "model"), truncate_dim=16)
    embeddings = model.encode(CORPUS)
    return st.util.quantize_embeddings(embeddings, precision="ubinary").tolist(), embeddings.shape


def sparse_search(st: Any, folder: Path) -> Any:
    model = st.SparseEncoder(str(folder / "splade"))
    documents, queries = model.encode_document(CORPUS[:9]), model.encode_query(QUERIES)
    scores = np.asarray(model.similarity(queries, documents))
    decoded = model.decode(queries, top_k=4)
    return scores, decoded


SCRIPTS: list[Callable[[Any, Path], Any]] = [
    encoding, semantic_search, retrieve_and_rerank, clustering, paraphrase_mining, quantized, sparse_search,
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("scripts")
    save(root, modules.Pooling(HIDDEN), modules.Normalize())
    build("bert", "SequenceClassification", root / "reranker", {0: "relevant"})
    build("distilbert", "MaskedLM", root / "splade")
    return root


def same(got: Any, want: Any) -> None:
    """Equal up to the rounding of float32 in numbers."""
    if isinstance(want, dict):
        assert got.keys() == want.keys()
        for name in want:
            same(got[name], want[name])
    elif isinstance(want, (list, tuple)):
        assert len(got) == len(want)
        for a, b in zip(got, want, strict=True):
            same(a, b)
    elif isinstance(want, (float, np.ndarray, np.floating)):
        np.testing.assert_allclose(got, want, rtol=ROUNDING, atol=ROUNDING)
    else:
        assert got == want


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support")  # of torch, within theirs
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.__name__)
def test_script(script: Callable[[Any, Path], Any], folder: Path) -> None:
    want = script(imported(sentence_transformers), folder)
    assert len(want)
    same(script(imported(polysemy), folder), want)
