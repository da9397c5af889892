"""`polysemy.util` against sentence-transformers' functions of the same names."""

from __future__ import annotations

from typing import Any

import numpy as np
import polysemy.util as ours
import pytest
import torch
from numpy.typing import NDArray
from sentence_transformers import util as theirs

UNIT = 2.0**-24
PAIRED = [name for name in ours.__all__ if name.startswith("pairwise_")]
ALL = ["cos_sim", "dot_score", "euclidean_sim", "manhattan_sim", "pytorch_cos_sim"]


def vectors(count: int, dim: int = 24, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32)


@pytest.mark.parametrize("name", ALL + PAIRED)
@pytest.mark.parametrize("dim", [7, 24])
def test_similarities(name: str, dim: int) -> None:
    a, b = vectors(6, dim), vectors(6, dim, 1)
    a[2] = 0
    got, want = getattr(ours, name)(a, b), getattr(theirs, name)(a, b).numpy()
    assert got.shape == want.shape and got.dtype == np.float32
    assert np.abs(got - want).max() <= 8 * dim * UNIT * max(1.0, float(np.abs(want).max()))
    assert isinstance(getattr(ours, name)(torch.from_numpy(a), torch.from_numpy(b)), torch.Tensor)


@pytest.mark.parametrize("precision", ["float32", "int8", "uint8", "binary", "ubinary"])
def test_quantization_bit_for_bit(precision: Any) -> None:
    x = vectors(150, 20)
    x[:, 3] = 0.5
    some = vectors(120, 20, 5)
    got, want = ours.quantize_embeddings(x, precision), theirs.quantize_embeddings(x, precision)
    assert got.dtype == want.dtype and (got == want).all()
    assert (
        ours.quantize_embeddings(x, precision, calibration_embeddings=some)
        == theirs.quantize_embeddings(x, precision, calibration_embeddings=some)
    ).all()


@pytest.mark.parametrize("score", ["cos_sim", "dot_score", "euclidean_sim"])
def test_semantic_search(score: str) -> None:
    queries, corpus = vectors(5), vectors(400, seed=2)
    sizes = {"query_chunk_size": 2, "corpus_chunk_size": 90, "top_k": 7}
    got = ours.semantic_search(queries, corpus, score_function=getattr(ours, score), **sizes)
    want = theirs.semantic_search(queries, corpus, score_function=getattr(theirs, score), **sizes)
    for mine, other in zip(got, want, strict=True):
        assert [hit["corpus_id"] for hit in mine] == [hit["corpus_id"] for hit in other]
        assert np.allclose(
            [h["score"] for h in mine], [h["score"] for h in other], rtol=0, atol=64 * UNIT * 8
        )


def test_equal_scores_come_in_the_order_of_the_corpus() -> None:
    corpus = np.repeat(vectors(3), 5, axis=0)
    hits = ours.semantic_search(corpus[:1], corpus, top_k=5)[0]
    assert [hit["corpus_id"] for hit in hits] == [0, 1, 2, 3, 4]


def test_paraphrase_mining() -> None:
    x = torch.from_numpy(vectors(60, 4))
    for arguments in ({}, {"top_k": 3}, {"max_pairs": 40}, {"query_chunk_size": 17, "top_k": 5}):
        got = ours.paraphrase_mining_embeddings(x, **arguments)
        want = theirs.paraphrase_mining_embeddings(x, **arguments)
        assert {(i, j) for _, i, j in got} == {(i, j) for _, i, j in want}
        assert np.allclose([p[0] for p in got], [p[0] for p in want], rtol=0, atol=64 * UNIT)


def test_community_detection() -> None:
    centres = vectors(6, 12)
    x = np.concatenate([c + 0.3 * vectors(4 + 3 * i, 12, i) for i, c in enumerate(centres)])
    for threshold in (0.6, 0.8):
        arguments: dict[str, Any] = {"threshold": threshold, "min_community_size": 3}
        got = ours.community_detection(x, **arguments)
        assert got and got == theirs.community_detection(torch.from_numpy(x), **arguments)
    assert ours.community_detection(x[:0]) == []
