"""Vectors in fewer bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arguments import is_one_of
from ..shown import shown
from .vectors import rows

__all__ = ["PRECISIONS", "quantize_embeddings"]

PRECISIONS = ("float32", "int8", "uint8", "binary", "ubinary")


def quantize_embeddings(
    embeddings: Any, precision: str, ranges: Any = None, calibration_embeddings: Any = None
) -> NDArray[Any]:
    """Vectors as float32, as a byte per dimension (int8, uint8), or as a bit (binary, ubinary), (n, dim).

    A byte counts 255 steps between the smallest and the largest value of its dimension: those of ``ranges``, (2, dim),
    else of ``calibration_embeddings``, else of the vectors themselves. A bit says whether a value is above 0; eight
    fill a byte, first the highest bit. The signed forms have 128 subtracted.
    """
    name = "quantize_embeddings"
    if not is_one_of(precision, PRECISIONS):
        raise ValueError(f"{name}: precision must be one of {', '.join(PRECISIONS)}, got {shown(precision)}")
    array = rows(embeddings, f"{name}: embeddings")
    if array.dtype.kind != "f":
        raise TypeError(f"{name}: embeddings must be floats, got dtype {array.dtype}")
    if precision == "float32":
        return array.astype(np.float32)
    if precision.endswith("binary"):
        bits = np.packbits(array > 0, axis=-1)
        return bits if precision == "ubinary" else (bits ^ np.uint8(128)).view(np.int8)
    if not len(array):
        return np.zeros(array.shape, dtype=precision)
    limits = _limits(array, ranges, calibration_embeddings).astype(np.float32, copy=False)
    steps = (limits[1] - limits[0]) / 255
    steps = np.where(steps == 0, 1, steps)
    counts: NDArray[Any] = np.clip(np.floor((array - limits[0]) / steps), 0, 255)
    return counts.astype(np.uint8) if precision == "uint8" else (counts - 128).astype(np.int8)


def _limits(array: NDArray[Any], ranges: Any, calibration: Any) -> NDArray[Any]:
    if ranges is not None:
        limits = rows(ranges, "quantize_embeddings: ranges")
        if limits.shape != (2, array.shape[-1]):
            raise ValueError(
                f"quantize_embeddings: ranges must have shape (2, {array.shape[-1]}), got {limits.shape}"
            )
        return limits
    sample = (
        array if calibration is None else rows(calibration, "quantize_embeddings: calibration_embeddings")
    )
    if calibration is None and (array.ndim == 1 or len(array) == 1):
        raise ValueError(
            "quantize_embeddings: embeddings must be several vectors, got one: give ranges or calibration_embeddings"
        )
    if sample.ndim != 2 or not len(sample) or sample.shape[1] != array.shape[-1]:
        raise ValueError(
            f"quantize_embeddings: calibration_embeddings must have shape (n, {array.shape[-1]}), got {sample.shape}"
        )
    return np.stack([sample.min(axis=0), sample.max(axis=0)])
