"""`polysemy.util` against sentence-transformers' functions of the same names."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import polysemy.util as ours
import pytest
import torch
from numpy.typing import NDArray
from polysemy.util import similarity
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
        scores, expected = (np.array([hit["score"] for hit in hits]) for hits in (mine, other))
        assert np.abs(scores - expected).max() <= score_error(score, queries, corpus, expected)


def score_error(
    score: str, queries: NDArray[np.float32], corpus: NDArray[np.float32], scores: NDArray[np.float64]
) -> float:
    """Of two engines that each add up ``dim`` products; the root of |q|^2 - 2 qc + |c|^2 divides by the distance."""
    dim = queries.shape[1]
    longest = [float(np.linalg.norm(x, axis=1).max()) for x in (queries, corpus)]
    magnitude = {
        "cos_sim": 1.0,
        "dot_score": longest[0] * longest[1],
        "euclidean_sim": sum(longest) ** 2 / (2 * float(np.abs(scores).min())),
    }[score]
    return 2 * dim * UNIT * magnitude


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
        # Two engines that each make two unit vectors, of sums of 4 squares, and add up 4 products of them.
        scores, expected = (np.array([pair[0] for pair in pairs]) for pairs in (got, want))
        assert np.abs(scores - expected).max() <= 2 * (2 * 4 + 4) * UNIT


def test_community_detection() -> None:
    centres = vectors(6, 12)
    x = np.concatenate([c + 0.3 * vectors(4 + 3 * i, 12, i) for i, c in enumerate(centres)])
    for threshold in (0.6, 0.8):
        arguments: dict[str, Any] = {"threshold": threshold, "min_community_size": 3}
        got = ours.community_detection(x, **arguments)
        assert got and got == theirs.community_detection(torch.from_numpy(x), **arguments)
    assert ours.community_detection(x[:0]) == []


@pytest.mark.parametrize("name", ["euclidean_sim", "manhattan_sim"])
def test_distances_in_blocks(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The same values in memory that the lists don't decide, on either side."""
    a, b = vectors(3, 16), vectors(20_000, 16, 1)
    for x, y in ((a, b), (b, a)):
        monkeypatch.undo()
        whole = getattr(ours, name)(x, y)
        for block in (1, 100, 1 << 12):
            monkeypatch.setattr(similarity, "_BLOCK", block)
            some = slice(None if block > 100 else 50)
            np.testing.assert_array_equal(getattr(ours, name)(x[some], y[some]), whole[some, some])
        tracemalloc.start()
        getattr(ours, name)(x, y)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < whole.nbytes + 8 * 8 * block


def test_truncation() -> None:
    x = vectors(3, 8)
    np.testing.assert_array_equal(ours.truncate_embeddings(x, 5), x[:, :5])
    for listed in (list(x), tuple(x), x.tolist()):
        np.testing.assert_array_equal(ours.truncate_embeddings(listed, 5), x[:, :5])
        np.testing.assert_array_equal(ours.truncate_embeddings(listed, None), x)
    tensors = [torch.from_numpy(row) for row in x]
    assert torch.equal(ours.truncate_embeddings(tensors, 5), torch.from_numpy(x[:, :5]))


SHORT = np.ones((3, 4), np.float32)
WRONG: list[tuple[Callable[[], object], str]] = [
    (
        lambda: ours.truncate_embeddings(SHORT, -1),
        "truncate_embeddings: truncate_dim must be at least 1, got -1",
    ),
    (
        lambda: ours.quantize_embeddings(SHORT, "int8", SHORT),
        r"ranges must have shape \(2, 4\), got \(3, 4\)",
    ),
    (lambda: ours.quantize_embeddings(SHORT, "int8", SHORT[:2, :1]), r"ranges must .*, got \(2, 1\)"),
    *(
        (
            lambda name=name: getattr(ours, name)(SHORT, SHORT[:, :3]),
            f"{name}: a and b must have one .*4 and 3",
        )
        for name in ("cos_sim", "dot_score", "euclidean_sim", "manhattan_sim")
    ),
    *(
        (
            lambda search=search, size=size, value=value: search(SHORT, **{size: value}),
            f"{size} must be at least 1, got {value}",
        )
        for search, size in [
            (lambda x, **sizes: ours.semantic_search(x, x, **sizes), "query_chunk_size"),
            (lambda x, **sizes: ours.semantic_search(x, x, **sizes), "corpus_chunk_size"),
            (ours.paraphrase_mining_embeddings, "query_chunk_size"),
            (ours.paraphrase_mining_embeddings, "corpus_chunk_size"),
            (ours.community_detection, "batch_size"),
            (ours.community_detection, "min_community_size"),
            (lambda x, **sizes: ours.paraphrase_mining(None, x, **sizes), "top_k"),
            (lambda x, **sizes: ours.paraphrase_mining(None, x, **sizes), "max_pairs"),
        ]
        for value in (0, -1)
    ),
]


@pytest.mark.parametrize(("call", "message"), WRONG)
def test_wrong_arguments(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_a_ragged_list_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match="dot_score: b can't be read as an array"):
        ours.dot_score([[1.0, 2.0]], [[1.0, 2.0], [3.0]])
