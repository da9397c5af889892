"""A weight matrix packed ahead of its use."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polysemy import _core
from polysemy.ops.arrays import as_float32


class PackedWeight:
    """A weight matrix in the order in which the kernel reads it, packed once for any number of calls.

    It is a copy: the array it was made from may change or go. It never changes and may be shared by threads.

    Args:
        weight: array (out, in), float32 or float16.

    Raises:
        TypeError: ``weight`` is no array of float32 or float16.
        ValueError: ``weight`` is not 2-D.
    """

    __slots__ = ("_packed", "_shape")

    def __init__(self, weight: Any) -> None:
        matrix = as_float32("PackedWeight", "weight", weight)
        if matrix.ndim != 2:
            raise ValueError(f"PackedWeight: weight must have shape (out, in), got {matrix.shape}")
        self._shape = (int(matrix.shape[0]), int(matrix.shape[1]))
        self._packed = pack(matrix)

    @property
    def shape(self) -> tuple[int, int]:
        """(out, in)."""
        return self._shape

    @property
    def nbytes(self) -> int:
        """Bytes of memory that the packed matrix takes."""
        return int(self._packed.nbytes) if math.prod(self._shape) else 0

    @property
    def packed(self) -> _core.PackedWeight:
        """The core's object. A matrix without elements is one column of zeros there: an empty sum is zero."""
        return self._packed

    def __repr__(self) -> str:
        return f"PackedWeight(shape={self._shape})"


def pack(matrix: NDArray[np.float32]) -> _core.PackedWeight:
    """The core's object for a matrix (out, in); without elements, for one column of zeros in its place."""
    if not matrix.size:
        matrix = np.zeros((max(matrix.shape[0], 1), 1), dtype=np.float32)
    return _core.PackedWeight(np.ascontiguousarray(matrix))
