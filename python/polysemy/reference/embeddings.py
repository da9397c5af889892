"""Rows of a table, and positions as rotations."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polysemy.reference.arrays import FloatArray, finish, floats


def embedding(
    ids: ArrayLike, table: ArrayLike, *, out: FloatArray | None = None, num_threads: int | None = None
) -> FloatArray:
    """Row ``ids[...]`` of ``table`` for every id: shape (*ids.shape, width)."""
    rows, index = floats(table), np.asarray(ids)
    if not index.size:
        # An empty list becomes an array of floats, though it holds no float.
        index = index.astype(np.int64)
    if index.size and (index.min() < 0 or index.max() >= rows.shape[0]):
        raise ValueError(
            f"embedding: ids must be 0 to {rows.shape[0] - 1}, got {index.min()} to {index.max()}"
        )
    return finish(rows[index], out)


def inverse_frequencies(dim: int, theta: float) -> NDArray[np.float32]:
    """theta^(-2i/dim) for i = 0 .. dim/2 - 1, rounded to float32: that rounding is part of the definition."""
    return (float(theta) ** (-np.arange(0, dim, 2, dtype=np.float64) / dim)).astype(np.float32)


def rotary(
    x: ArrayLike,
    positions: ArrayLike,
    theta: float = 10000.0,
    *,
    out: FloatArray | None = None,
    num_threads: int | None = None,
) -> FloatArray:
    """Rotate the pairs (x[i], x[i + dim/2]) of every row by position * theta^(-2i/dim) (arXiv:2104.09864).

    ``positions`` is broadcast against ``x.shape[:-1]``.
    """
    values = floats(x)
    half = values.shape[-1] // 2
    angle = np.asarray(positions)[..., None] * inverse_frequencies(values.shape[-1], theta).astype(np.float64)
    cos, sin = np.cos(angle).astype(values.dtype), np.sin(angle).astype(values.dtype)
    first, second = values[..., :half], values[..., half:]
    return finish(np.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1), out)
