"""Searches in lists of vectors: the nearest, pairs that mean the same, groups."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arguments import positive
from ..ops.search import topk
from .similarity import cos_sim, dot_score, pytorch_cos_sim, unit_rows
from .sparse_rows import SparseRows, is_sparse
from .vectors import as_tensor, holds_tensors, matrix

__all__ = [
    "community_detection",
    "paraphrase_mining",
    "paraphrase_mining_embeddings",
    "semantic_search",
]

Floats = NDArray[np.float32]
Score = Callable[[Any, Any], Any]

# Elements of sparse rows that are held with all their zeros at a time, on each side.
_DENSE = 1 << 22


def semantic_search(
    query_embeddings: Any,
    corpus_embeddings: Any,
    query_chunk_size: int = 100,
    corpus_chunk_size: int = 500_000,
    top_k: int = 10,
    score_function: Score = cos_sim,
) -> list[list[dict[str, int | float]]]:
    """For each query the ``top_k`` best of a corpus: ``{"corpus_id", "score"}``, best first.

    Vectors may be `SparseRows`, matrices of SciPy or sparse tensors. A ``score_function`` of one's own gets tensors
    where the queries are tensors, otherwise arrays and `SparseRows`. Of equal scores the earlier in the corpus comes
    first, NaN comes last. With `cos_sim` and `dot_score` of arrays a million products are held at a time, and the sizes
    of chunks have no effect.
    """
    queries = _vectors(query_embeddings, "semantic_search: query_embeddings")
    corpus = _vectors(corpus_embeddings, "semantic_search: corpus_embeddings")
    some = positive(query_chunk_size, "semantic_search: query_chunk_size")
    most = positive(corpus_chunk_size, "semantic_search: corpus_chunk_size")
    top_k = positive(top_k, "semantic_search: top_k")
    score = _of_arrays(score_function, query_embeddings)
    scores, found = _best(queries, corpus, top_k, score, some, most)
    return [
        [{"corpus_id": i, "score": score} for i, score in zip(places, values, strict=True)]
        for places, values in zip(found.tolist(), scores.tolist(), strict=True)
    ]


def _vectors(value: Any, name: str) -> Floats | SparseRows:
    return SparseRows.of(value, name) if is_sparse(value) else matrix(value, name)


def _of_arrays(score: Score, given: Any) -> Score:
    """The function of arrays and `SparseRows`, of one that takes tensors where the caller has them."""
    if score in (cos_sim, pytorch_cos_sim):
        return cos_sim
    if score is dot_score or not holds_tensors(given):
        return score

    def called(a: Floats | SparseRows, b: Floats | SparseRows) -> Any:
        return score(_tensor(a), _tensor(b))

    return called


def _tensor(value: Floats | SparseRows) -> Any:
    return value.totensor() if isinstance(value, SparseRows) else as_tensor(value, "a tensor")


def _best(
    queries: Floats | SparseRows, corpus: Floats | SparseRows, k: int, score: Score, some: int, rows: int
) -> tuple[Floats, NDArray[np.int64]]:
    if isinstance(queries, SparseRows) or isinstance(corpus, SparseRows):
        most = max(1, _DENSE // max(1, corpus.shape[1]))
        some, rows = min(some, most), min(rows, most)
    elif score is cos_sim:
        return topk(unit_rows(queries), unit_rows(corpus), k)
    elif score is dot_score:
        return topk(queries, corpus, k)
    values, places = [], []
    for start in range(0, len(queries), some):
        part = queries[start : start + some]
        best, found = np.empty((len(part), 0), np.float32), np.empty((len(part), 0), np.int64)
        for first in range(0, len(corpus), rows):
            scores = np.asarray(score(part, corpus[first : first + rows]), dtype=np.float32)
            here = np.broadcast_to(np.arange(first, first + scores.shape[1]), scores.shape)
            best, found = np.concatenate([best, scores], axis=1), np.concatenate([found, here], axis=1)
            order = np.argsort(-best, axis=1, kind="stable")[:, :k]
            best, found = np.take_along_axis(best, order, 1), np.take_along_axis(found, order, 1)
        values.append(best)
        places.append(found)
    if not values:
        return np.empty((0, 0), np.float32), np.empty((0, 0), np.int64)
    return np.concatenate(values), np.concatenate(places)


def paraphrase_mining(
    model: Any,
    sentences: Sequence[str],
    show_progress_bar: bool = False,
    batch_size: int = 32,
    query_chunk_size: int = 5000,
    corpus_chunk_size: int = 100_000,
    max_pairs: int = 500_000,
    top_k: int = 100,
    score_function: Score = cos_sim,
    truncate_dim: int | None = None,
    prompt_name: str | None = None,
    prompt: str | None = None,
) -> list[list[float | int]]:
    """The most similar pairs among texts, ``[score, i, j]`` with i < j, best first.

    For each text its ``top_k`` nearest others count, and ``max_pairs`` pairs in all.
    """
    for size, name in (
        (query_chunk_size, "query_chunk_size"), (corpus_chunk_size, "corpus_chunk_size"), (max_pairs, "max_pairs"),
        (top_k, "top_k"),
    ):  # fmt: skip
        positive(size, f"paraphrase_mining: {name}")  # before the work
    embeddings = model.encode(
        sentences,
        show_progress_bar=show_progress_bar,
        truncate_dim=truncate_dim,
        prompt_name=prompt_name,
        prompt=prompt,
    )
    return paraphrase_mining_embeddings(
        embeddings, query_chunk_size, corpus_chunk_size, max_pairs, top_k, score_function
    )


def paraphrase_mining_embeddings(
    embeddings: Any,
    query_chunk_size: int = 5000,
    corpus_chunk_size: int = 100_000,
    max_pairs: int = 500_000,
    top_k: int = 100,
    score_function: Score = cos_sim,
) -> list[list[float | int]]:
    """As `paraphrase_mining`, of vectors."""
    vectors = matrix(embeddings, "paraphrase_mining: embeddings")
    some = positive(query_chunk_size, "paraphrase_mining: query_chunk_size")
    rows = positive(corpus_chunk_size, "paraphrase_mining: corpus_chunk_size")
    most = positive(max_pairs, "paraphrase_mining: max_pairs")
    wanted = positive(top_k, "paraphrase_mining: top_k")
    function = _of_arrays(score_function, embeddings)
    pairs: list[tuple[float, int, int]] = []
    queued: set[tuple[int, int]] = set()
    for start in range(0, len(vectors), some):
        part = vectors[start : start + some]
        scores, places = _best(part, vectors, wanted + 1, function, some, rows)
        for row, (values, found) in enumerate(zip(scores.tolist(), places.tolist(), strict=True), start):
            others = [(j, score) for j, score in zip(found, values, strict=True) if j != row][:wanted]
            for j, score in others:
                pair = (min(row, j), max(row, j))
                if pair in queued or (len(pairs) == most and score <= pairs[0][0]):
                    continue
                queued.add(pair)
                if len(pairs) < most:
                    heapq.heappush(pairs, (score, *pair))
                else:
                    queued.discard(heapq.heappushpop(pairs, (score, *pair))[1:])
    return [[score, i, j] for score, i, j in sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2]))]


def community_detection(
    embeddings: Any,
    threshold: float = 0.75,
    min_community_size: int = 10,
    batch_size: int = 1024,
    show_progress_bar: bool = False,
) -> list[list[int]]:
    """Groups of vectors that are near to one of them: lists of numbers, the largest first.

    The first of a group is its centre, to which the cosine of all others is at least ``threshold``. A vector is in
    one group at most, a larger one takes it first.
    """
    step = positive(batch_size, "community_detection: batch_size")
    least = positive(min_community_size, "community_detection: min_community_size")
    if len(embeddings) == 0:
        return []
    vectors = unit_rows(matrix(embeddings, "community_detection: embeddings"))
    if len(vectors) < least:
        return []
    groups: list[tuple[int, NDArray[np.intp]]] = []
    for start in range(0, len(vectors), step):
        scores = dot_score(vectors[start : start + step], vectors)
        near = scores >= np.float32(threshold)
        for i in np.flatnonzero(near.sum(axis=1) >= least):
            members = np.flatnonzero(near[i])
            groups.append((start + int(i), members[np.argsort(-scores[i, members], kind="stable")]))
    groups.sort(key=lambda group: len(group[1]), reverse=True)
    taken = np.zeros(len(vectors), dtype=bool)
    found: list[list[int]] = []
    for centre, members in groups:
        if taken[centre]:
            continue
        left = members[~taken[members]]
        if len(left) >= least:
            group = [centre, *left[left != centre].tolist()]
            found.append(group)
            taken[group] = True
    return sorted(found, key=len, reverse=True)
