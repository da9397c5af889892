"""Operations of the core on rows, along any axis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polysemy.arguments import thread_count, whole
from polysemy.ops.arrays import as_array, as_float32, contiguous, output


def along_axis(
    op: str, core: Callable[..., None], x: Any, axis: Any, out: Any, num_threads: int | None
) -> NDArray[np.float32]:
    """``core(rows, result)`` for the rows of ``x`` that lie along the axis; the result has the shape of ``x``."""
    source = as_array(op, "x", x)
    values = as_float32(op, "x", source)
    where = _axis_of(op, axis, values.ndim)
    count = thread_count(num_threads, 0, op)
    result = output(op, out, values.shape, (source,))
    if not values.size:
        return result
    if where == values.ndim - 1:
        core(contiguous(values), result, count)
    else:
        rows = np.moveaxis(values, where, -1).copy(order="C")
        core(rows, rows, count)
        np.moveaxis(result, where, -1)[...] = rows
    return result


def _axis_of(op: str, axis: Any, ndim: int) -> int:
    """``axis`` counted from the front; ValueError where the array has no such axis."""
    index = whole(axis, f"{op}: axis")
    if not -ndim <= index < ndim:
        raise ValueError(f"{op}: axis must be an axis of an array with {ndim} dimensions, got {index}")
    return index % ndim
