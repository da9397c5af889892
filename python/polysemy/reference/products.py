"""Products of matrices."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from polysemy.reference.activations import activate
from polysemy.reference.arrays import FloatArray, finish, floats
from polysemy.reference.precision import product


class PackedWeight:
    """A weight that ``linear`` takes; here it is only the array, (out, in), and the precision of its products."""

    def __init__(self, weight: ArrayLike, precision: str = "float32") -> None:
        self.array = floats(weight)
        self.precision = precision

    @property
    def shape(self) -> tuple[int, int]:
        """(out, in)."""
        rows, columns = self.array.shape
        return rows, columns

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return int(self.array.nbytes)


def linear(
    x: ArrayLike,
    weight: ArrayLike | PackedWeight,
    bias: ArrayLike | None = None,
    *,
    activation: str | None = None,
    residual: ArrayLike | None = None,
    out: FloatArray | None = None,
    precision: str | None = None,
    num_threads: int | None = None,
) -> FloatArray:
    """activation(x W^T + bias) + residual; x is (..., in), weight is (out, in)."""
    packed = weight if isinstance(weight, PackedWeight) else PackedWeight(weight, precision or "float32")
    result = product(floats(x), packed.array, packed.precision)
    if bias is not None:
        result = result + floats(bias)
    result = activate(result, activation)
    if residual is not None:
        result = result + floats(residual)
    return finish(result, out)


def matmul(
    a: ArrayLike,
    b: ArrayLike,
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
    out: FloatArray | None = None,
    num_threads: int | None = None,
) -> FloatArray:
    """``numpy.matmul``, after exchanging the last two axes of a or b where asked."""
    left, right = floats(a), floats(b)
    left = np.swapaxes(left, -1, -2) if transpose_a else left
    right = np.swapaxes(right, -1, -2) if transpose_b else right
    return finish(np.asarray(np.matmul(left, right)), out)
