"""Where rows of a result go, whether or not their number is known beforehand."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["RowSink"]

Floats = NDArray[np.float32]


class RowSink:
    """Takes blocks of rows in order and gives them as one (rows, width) float32 array.

    ``out`` None allocates: at once when ``total`` is known, at the end otherwise. Raises ``TypeError`` or
    ``ValueError`` when ``out`` can't take the result.
    """

    __slots__ = ("_blocks", "_name", "_out", "_target", "_width", "count")

    def __init__(self, total: int | None, width: int, out: Floats | None, *, single: bool, name: str) -> None:
        self.count = 0
        self._name = name
        self._width = width
        self._out = out
        self._blocks: list[Floats] = []
        self._target: Floats | None = None
        if out is not None:
            self._target = _checked(out, total, width, single, name)
        elif total is not None:
            self._target = np.empty((total, width), dtype=np.float32)

    def add(self, block: Floats) -> None:
        """The next rows, (k, width)."""
        stop = self.count + len(block)
        if self._target is None:
            self._blocks.append(block)
        elif stop > len(self._target):
            raise ValueError(
                f"{self._name}: there are more texts than the {len(self._target)} rows of the result"
            )
        else:
            self._target[self.count : stop] = block
        self.count = stop

    def finish(self) -> Floats:
        """All rows; the array given as ``out``, if there was one."""
        if self._target is None:
            return np.concatenate([np.empty((0, self._width), dtype=np.float32), *self._blocks])
        if self.count != len(self._target):
            raise ValueError(f"{self._name}: expected {len(self._target)} texts, got only {self.count}")
        return self._target if self._out is None else self._out


def _checked(out: object, total: int | None, width: int, single: bool, name: str) -> Floats:
    """``out`` as a 2-D view of the same memory."""
    if not isinstance(out, np.ndarray):
        raise TypeError(f"{name}: out must be a numpy.ndarray, got {type(out).__name__}")
    if out.dtype != np.float32:  # other byte orders differ, too
        raise TypeError(f"{name}: out must have dtype float32, got {out.dtype}")
    rows = out.shape[0] if total is None and out.ndim == 2 else total
    shape = (width,) if single else (rows, width)
    if out.shape != shape:
        raise ValueError(f"{name}: out must have shape {shape}, got {out.shape}")
    flags = out.flags
    if not (flags.c_contiguous and flags.writeable and flags.aligned):
        raise ValueError(f"{name}: out must be C-contiguous, writeable and aligned")
    return out.reshape(-1, width)
