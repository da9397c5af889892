"""One vector per sequence from its rows; the rows of all sequences lie one after another."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from polysemy.reference.arrays import FloatArray, finish, floats, sequence_bounds


def mean_pool(
    x: ArrayLike, seqlens: ArrayLike, *, out: FloatArray | None = None, num_threads: int | None = None
) -> FloatArray:
    """The mean of the rows of every sequence; zeros for a sequence without rows."""
    return finish(_pool(x, seqlens, lambda rows: rows.mean(axis=0)), out)


def max_pool(
    x: ArrayLike, seqlens: ArrayLike, *, out: FloatArray | None = None, num_threads: int | None = None
) -> FloatArray:
    """The largest value of every column over the rows of a sequence; zeros for a sequence without rows."""
    return finish(_pool(x, seqlens, lambda rows: rows.max(axis=0)), out)


def cls_pool(
    x: ArrayLike, seqlens: ArrayLike, *, out: FloatArray | None = None, num_threads: int | None = None
) -> FloatArray:
    """The first row of every sequence; zeros for a sequence without rows."""
    return finish(_pool(x, seqlens, lambda rows: rows[0]), out)


def _pool(x: ArrayLike, seqlens: ArrayLike, reduce: Callable[[FloatArray], FloatArray]) -> FloatArray:
    values = floats(x)
    bounds = sequence_bounds(seqlens)
    result = np.zeros((len(bounds), values.shape[1]), dtype=values.dtype)
    for n, (start, end) in enumerate(bounds):
        if end > start:
            result[n] = reduce(values[start:end])
    return result
