"""The nearest of many vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from polysemy import _core
from polysemy.arguments import positive, thread_count
from polysemy.ops.arrays import as_array, as_float32, contiguous

# Queries are packed, so many at a time, and rows of the corpus read where they lie: their products stay in a cache that
# all cores share.
_QUERIES, _ROWS = 1024, 1024


def topk(
    queries: Any, corpus: Any, k: int, *, num_threads: int | None = None
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The k largest products of each query with the rows of a corpus.

    A million products are held at a time, whatever the sizes are.

    Args:
        queries: array (n, dim), float32 or float16.
        corpus: array (m, dim), float32 or float16.
        k: how many, at least 1; all where the corpus has fewer rows.
        num_threads: threads for this call, None for the default.

    Returns:
        The products, float32 (n, k), largest first, and their rows of the corpus, int64 (n, k). Of equal products
        the earlier row comes first. A query's result is the same whatever the other queries are.

    Raises:
        TypeError: an argument is no array, or its dtype is neither float32 nor float16.
        ValueError: the shapes do not fit, or ``k`` is less than 1.
    """
    op = "topk"
    left, right = as_array(op, "queries", queries), as_array(op, "corpus", corpus)
    if left.ndim != 2 or right.ndim != 2 or left.shape[1] != right.shape[1]:
        raise ValueError(
            f"{op}: queries and corpus must have shapes (n, dim) and (m, dim), got {left.shape} and {right.shape}"
        )
    count = min(positive(k, f"{op}: k"), len(right))
    threads = thread_count(num_threads, 0, op)
    best = np.full((len(left), count), -np.inf, dtype=np.float32)
    rows = np.full((len(left), count), -1, dtype=np.int64)
    if not count or not left.shape[1]:
        return np.zeros_like(best), np.broadcast_to(np.arange(count), rows.shape).copy()
    for first in range(0, len(left), _QUERIES):
        some = slice(first, first + _QUERIES)
        packed = _core.PackedWeight(contiguous(as_float32(op, "queries", left[some])))
        for start in range(0, len(right), _ROWS):
            part = contiguous(as_float32(op, "corpus", right[start : start + _ROWS]))
            products = np.empty((len(part), len(best[some])), dtype=np.float32)
            _core.linear(part, packed, None, None, None, products, threads)
            _core.keep_largest(products, start, best[some], rows[some], threads)
    return best, rows
