"""How the reference takes arrays in and hands them out."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray: TypeAlias = NDArray[Any]
"""An array of float32 or float64."""

_SUPPORTED = (np.dtype(np.float32), np.dtype(np.float64))


def floats(x: ArrayLike) -> FloatArray:
    """``x`` as a float32 or float64 array; float16 storage is widened to float32, all else is a TypeError."""
    array = np.asarray(x)
    if array.dtype == np.float16:
        return array.astype(np.float32)
    native = array.dtype.newbyteorder("=")
    if native not in _SUPPORTED:
        raise TypeError(f"array must have dtype float16, float32 or float64, got {array.dtype}")
    return array.astype(native, copy=False)


def finish(result: FloatArray, out: FloatArray | None) -> FloatArray:
    """The result itself, or ``out`` holding it."""
    if out is None:
        return result
    if out.dtype != result.dtype:
        raise TypeError(f"out must have dtype {result.dtype}, got {out.dtype}")
    if out.shape != result.shape:
        raise ValueError(f"out must have shape {result.shape}, got {out.shape}")
    out[...] = result
    return out


def sequence_bounds(seqlens: ArrayLike) -> list[tuple[int, int]]:
    """First and past-the-end row of every sequence in a batch that is packed row after row."""
    ends = np.cumsum(np.asarray(seqlens, dtype=np.int64))
    starts = np.concatenate([[0], ends])[:-1]
    return [(int(start), int(end)) for start, end in zip(starts, ends, strict=True)]
