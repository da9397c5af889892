"""One vector per sequence from its rows; the rows of all sequences lie one after another."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from polysemy import _core
from polysemy.arguments import thread_count
from polysemy.ops.arrays import as_array, as_float32, as_given, as_offsets, contiguous, output


def mean_pool(
    x: Any, seqlens: Any, *, out: NDArray[np.float32] | None = None, num_threads: int | None = None
) -> NDArray[np.float32]:
    """The mean of the rows of every sequence.

    Args:
        x: array (tokens, width), float32 or float16: the rows of all sequences, one sequence after another.
        seqlens: number of rows of each sequence, integers whose sum is ``tokens``.
        out: C-contiguous float32 array (sequences, width) that takes the result; must not overlap ``x``.
        num_threads: threads for this call, None for the default.

    Returns:
        float32 array (sequences, width); zeros for a sequence without rows.

    Raises:
        TypeError: ``x`` is no array of float32 or float16, or ``seqlens`` are no integers.
        ValueError: ``x`` is not 2-D, the lengths do not add up, or ``out`` does not fit.
    """
    return _pool("mean_pool", "mean", x, seqlens, out, num_threads)


def max_pool(
    x: Any, seqlens: Any, *, out: NDArray[np.float32] | None = None, num_threads: int | None = None
) -> NDArray[np.float32]:
    """The largest value of every column over the rows of each sequence. All else as :func:`mean_pool`."""
    return _pool("max_pool", "max", x, seqlens, out, num_threads)


def cls_pool(
    x: Any, seqlens: Any, *, out: NDArray[np.float32] | None = None, num_threads: int | None = None
) -> NDArray[np.float32]:
    """The first row of every sequence. All else as :func:`mean_pool`."""
    return _pool("cls_pool", "cls", x, seqlens, out, num_threads)


def _pool(op: str, mode: str, x: Any, seqlens: Any, out: Any, num_threads: int | None) -> NDArray[np.float32]:
    source = as_array(op, "x", x)
    values = as_float32(op, "x", source)
    if values.ndim != 2:
        raise ValueError(f"{op}: x must have shape (tokens, width), got {values.shape}")
    tokens, width = values.shape
    seqlens = as_given(op, "seqlens", seqlens)
    offsets = as_offsets(op, "seqlens", seqlens, tokens, "x")
    count = thread_count(num_threads, 0, op)
    result = output(op, out, (offsets.size - 1, width), (source, seqlens))
    if result.size:
        _core.pool(contiguous(values), offsets, mode, result, count)
    return result
