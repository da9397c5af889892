"""`StoredTensor`: a tensor as a checkpoint has it, before anything is widened."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..record import record

__all__ = ["StoredTensor"]

Floats = NDArray[np.float32]

# Bits of the exponent: all of them are set in an infinity and in a NaN, and in nothing else.
_EXPONENT = {"float16": np.uint16(0x7C00), "bfloat16": np.uint16(0x7F80)}
# Values of one step of a check: what it needs beside the tensor stays in the second-level cache.
_STEP = 1 << 17


@record
class StoredTensor:
    """C-contiguous values in the precision in which they were stored.

    ``data`` is a float32 or float16 array, or, as NumPy knows no bfloat16, a uint16 array of its bits, which
    are the upper half of a float32.
    """

    data: NDArray[Any]
    dtype: Literal["float32", "float16", "bfloat16"]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape."""
        return self.data.shape

    def float32(self) -> Floats:
        """The values as float32, which is exact: without a copy where they are stored so."""
        if self.dtype == "bfloat16":
            bits: NDArray[np.uint32] = np.left_shift(self.data, 16, dtype=np.uint32)
            return bits.view(np.float32)
        wide: Floats = self.data.astype(np.float32, copy=False)
        return wide

    def is_finite(self) -> bool:
        """Whether no value is infinite or a NaN."""
        flat = self.data.reshape(-1)
        if self.dtype == "float32":
            with np.errstate(all="ignore"):
                total = np.add.reduce(
                    flat
                )  # finite only if all are; the other way round, large ones can overflow
            return bool(np.isfinite(total) or np.isfinite(flat).all())
        mask = _EXPONENT[self.dtype]
        words = flat.view(np.uint16)
        steps = (words[i : i + _STEP] & mask for i in range(0, len(words), _STEP))
        return not any(step.max() == mask for step in steps)
