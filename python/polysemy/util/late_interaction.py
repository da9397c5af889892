"""Scores of documents for queries that are several vectors each: for every vector of a query the nearest one counts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..arguments import check_device, flag, positive
from .vectors import like, matrix, rows

__all__ = ["MAXSIMS", "maxsim", "maxsim_pairwise", "mean_maxsim", "mean_maxsim_pairwise"]

Floats = NDArray[np.float32]

# Dot products that are held at a time, or those of one query with one document.
_BLOCK = 1 << 22
# Of a document without vectors: below those of all others. sentence-transformers gives it the same.
_NOTHING = -1e9


def maxsim(
    a: Any,
    b: Any,
    a_mask: Any = None,
    b_mask: Any = None,
    chunk_elements: int | None = None,
    length_normalize: bool = False,
    device: object = None,
) -> Any:
    """Scores of all documents ``b`` for all queries ``a``, (n, m) float32.

    The largest dot product of each vector of a query with those of a document, added up over the query;
    ``length_normalize`` divides by their number. A query or document is an array (vectors, dim). ``a`` and ``b`` are
    lists of these, one alone, or an array (n, vectors, dim), in which rows of zeros are padding, or those that are
    False in ``a_mask`` or ``b_mask``, (n, vectors). ``chunk_elements`` has no effect: memory is bounded in any case.
    ``device`` may be None or "cpu". Raises ``TypeError`` or ``ValueError`` for anything else.
    """
    _check(chunk_elements, device, "maxsim")
    queries, documents = _sides(a, b, a_mask, b_mask, "maxsim")
    mean = flag(length_normalize, "maxsim: length_normalize")
    out = np.empty((len(queries), len(documents)), dtype=np.float32)
    most = _BLOCK // max([1, *map(len, queries)])
    for first, stop in _blocks(documents, most):
        filled = [i for i in range(first, stop) if len(documents[i])]
        empty = [i for i in range(first, stop) if not len(documents[i])]
        vectors = np.concatenate([documents[i] for i in filled or [first]])
        starts = np.cumsum([0, *(len(documents[i]) for i in filled[:-1])])
        for row, query in zip(out, queries, strict=True):
            if filled:
                row[filled] = _scores(query, vectors, starts, mean)
            row[empty] = _scores(query, vectors[:0], starts[:1], mean)
    return like(a, out)


def maxsim_pairwise(
    a: Any,
    b: Any,
    a_mask: Any = None,
    b_mask: Any = None,
    chunk_elements: int | None = None,
    length_normalize: bool = False,
    device: object = None,
) -> Any:
    """The score of each document of ``b`` for the query of ``a`` in its place, (n,) float32; see `maxsim`."""
    _check(chunk_elements, device, "maxsim_pairwise")
    queries, documents = _sides(a, b, a_mask, b_mask, "maxsim_pairwise")
    if len(queries) != len(documents):
        raise ValueError(
            f"maxsim_pairwise: a and b must be equally many, got {len(queries)} and {len(documents)}"
        )
    mean = flag(length_normalize, "maxsim_pairwise: length_normalize")
    out = np.empty(len(queries), dtype=np.float32)
    start = np.zeros(1, dtype=np.int64)
    for i, (query, document) in enumerate(zip(queries, documents, strict=True)):
        out[i] = _scores(query, document, start, mean)[0]
    return like(a, out)


def mean_maxsim(
    a: Any,
    b: Any,
    a_mask: Any = None,
    b_mask: Any = None,
    chunk_elements: int | None = None,
    length_normalize: bool = True,
    device: object = None,
) -> Any:
    """`maxsim` divided by the number of a query's vectors."""
    return maxsim(a, b, a_mask, b_mask, chunk_elements, length_normalize, device)


def mean_maxsim_pairwise(
    a: Any,
    b: Any,
    a_mask: Any = None,
    b_mask: Any = None,
    chunk_elements: int | None = None,
    length_normalize: bool = True,
    device: object = None,
) -> Any:
    """`maxsim_pairwise` divided by the number of a query's vectors."""
    return maxsim_pairwise(a, b, a_mask, b_mask, chunk_elements, length_normalize, device)


# Name -> all with all, and one by one.
MAXSIMS = {"maxsim": (maxsim, maxsim_pairwise), "meanmaxsim": (mean_maxsim, mean_maxsim_pairwise)}


def _scores(query: Floats, vectors: Floats, starts: NDArray[np.int64], mean: bool) -> Floats:
    """Of documents whose vectors follow each other, the first ones at ``starts``; of one without any."""
    if not len(vectors):
        return np.full(1, _NOTHING / max(len(query), 1) if mean else _NOTHING, dtype=np.float32)
    if not len(query):
        return np.zeros(len(starts), dtype=np.float32)
    products = np.empty((len(query), len(vectors)), dtype=np.float32)
    _core.matmul(query, vectors.T, products)
    best = np.maximum.reduceat(products, starts, axis=1)
    # One order of the sum, however many documents there are.
    total = np.cumsum(best, axis=0, dtype=np.float64)[-1]
    scores: Floats = (total / len(query) if mean else total).astype(np.float32)
    return scores


def _blocks(documents: list[Floats], most: int) -> Iterator[tuple[int, int]]:
    """Consecutive ranges of documents with at most so many vectors, or of one with more."""
    first = count = 0
    for i, document in enumerate(documents):
        if i > first and count + len(document) > most:
            yield first, i
            first, count = i, 0
        count += len(document)
    if first < len(documents):
        yield first, len(documents)


def _check(chunk_elements: int | None, device: object, op: str) -> None:
    if chunk_elements is not None:
        positive(chunk_elements, f"{op}: chunk_elements")
    check_device(device, op)


def _sides(a: Any, b: Any, a_mask: Any, b_mask: Any, op: str) -> tuple[list[Floats], list[Floats]]:
    queries, documents = _members(a, a_mask, f"{op}: a"), _members(b, b_mask, f"{op}: b")
    dims = {x.shape[1] for x in (*queries, *documents) if len(x)}
    if len(dims) > 1:
        raise ValueError(f"{op}: a and b must have one number of dimensions, got {sorted(dims)}")
    return queries, documents


def _members(value: Any, mask: Any, name: str) -> list[Floats]:
    if mask is not None:
        return _unmasked(value, mask, name)
    if isinstance(value, (list, tuple)):
        return [_matrix(item, f"{name}[{i}]") for i, item in enumerate(value)]
    dimensions = getattr(value, "ndim", 0)
    if dimensions == 2:
        return [_matrix(value, name)]
    if dimensions != 3:
        raise TypeError(f"{name} must be a list of arrays (vectors, dim), got {type(value).__name__}")
    items = [_matrix(item, f"{name}[{i}]") for i, item in enumerate(value)]
    return [np.ascontiguousarray(item[item.any(axis=1)]) for item in items]


def _unmasked(value: Any, mask: Any, name: str) -> list[Floats]:
    """Of a padded array, the vectors that a mask counts."""
    items = rows(value, name)
    counts = rows(mask, f"{name}_mask")
    if items.ndim == 2 and counts.ndim == 1:
        items, counts = items[None], counts[None]
    if items.ndim != 3 or counts.shape != items.shape[:2]:
        raise ValueError(
            f"{name} must have shape (n, vectors, dim) and its mask (n, vectors), got {items.shape} and {counts.shape}"
        )
    return [matrix(item[count != 0], name) for item, count in zip(items, counts, strict=True)]


def _matrix(value: Any, name: str) -> Floats:
    if getattr(value, "ndim", 2) != 2:
        raise ValueError(f"{name} must have shape (vectors, dim), got {tuple(value.shape)}")
    return matrix(value, name)
