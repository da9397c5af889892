"""A weight matrix packed ahead of its use."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polysemy import _core
from polysemy.arguments import is_one_of
from polysemy.ops.arrays import as_float32, contiguous
from polysemy.shown import shown


class PackedWeight:
    """A weight matrix in the order in which the kernel reads it, packed once for any number of calls.

    It is a copy: the array it was made from may change or go. It never changes and may be shared by threads.

    Args:
        weight: array (out, in), float32 or float16.
        precision: of the products: "float32"; "bfloat16", which rounds the inputs of a product, too; "float16",
            which only stores the weight in it; "int8" or "int16", integers with scales on both sides.

    Raises:
        TypeError: ``weight`` is no array of float32 or float16.
        ValueError: ``weight`` is not 2-D, or ``precision`` is none of these.
    """

    __slots__ = ("__weakref__", "_packed", "_precision", "_shape")

    def __init__(self, weight: Any, precision: str = "float32") -> None:
        matrix = as_float32("PackedWeight", "weight", weight)
        if matrix.ndim != 2:
            raise ValueError(f"PackedWeight: weight must have shape (out, in), got {matrix.shape}")
        self._shape = matrix.shape
        self._precision = known_precision("PackedWeight", precision)
        self._packed = pack(matrix, precision)

    @property
    def precision(self) -> str:
        """Precision of the products."""
        return self._precision

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

    def __copy__(self) -> PackedWeight:
        return self

    def __deepcopy__(self, memo: object) -> PackedWeight:
        return self

    def __repr__(self) -> str:
        precision = "" if self._precision == "float32" else f", precision={self._precision!r}"
        return f"PackedWeight(shape={self._shape}{precision})"


def known_precision(op: str, precision: object) -> str:
    """That precision. Raises ``ValueError`` for what is none."""
    if not is_one_of(precision, _core.PRECISIONS):
        raise ValueError(
            f"{op}: precision must be one of {', '.join(_core.PRECISIONS)}, got {shown(precision)}"
        )
    return precision


def pack(matrix: NDArray[np.float32], precision: str = "float32") -> _core.PackedWeight:
    """The core's object for a matrix (out, in); without elements, for one column of zeros in its place."""
    if not matrix.size:
        matrix = np.zeros((max(matrix.shape[0], 1), 1), dtype=np.float32)
    return _core.PackedWeight(contiguous(matrix), precision)
