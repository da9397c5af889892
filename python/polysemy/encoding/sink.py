"""Sinks: where blocks of rows go, one after the other."""

from __future__ import annotations

import os
import struct
from typing import BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["ArraySink", "LineSink", "NpySink", "Sink"]

Floats = NDArray[np.float32]

# Of a .npy file: with room for every shape, and a multiple of 64, as the format asks for.
_NPY_HEADER = 128


class Sink(Protocol):
    """Takes blocks of rows in order."""

    def add(self, block: Floats, /) -> None:
        """The next rows, (k, width)."""


class ArraySink:
    """Gives the rows as one (rows, width) float32 array.

    ``out`` None allocates: at once when ``total`` is known, at the end otherwise. Raises ``TypeError`` or
    ``ValueError`` when ``out`` can't take the result. ``single``: it is one row, (width,).
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

    def add(self, block: Floats, /) -> None:
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
            raise ValueError(
                f"{self._name}: texts must be {len(self._target)}, as announced, got {self.count}"
            )
        return self._target if self._out is None else self._out


class NpySink:
    """Writes rows as one array into a .npy file that is open, empty, and can be seeked.

    Their number need not be known: the header is written last. Where ``total`` is known, the disk's space is
    taken at once, so that a disk too small for the result is found out before the work.
    """

    __slots__ = ("_file", "_rows", "_width")

    def __init__(self, file: BinaryIO, width: int, total: int | None = None) -> None:
        self._file = file
        self._width = width
        self._rows = 0
        if total is not None and hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, _NPY_HEADER + 4 * width * total)
        file.seek(_NPY_HEADER)

    def add(self, block: Floats, /) -> None:
        """The next rows, (k, width)."""
        self._file.write(np.ascontiguousarray(block, dtype="<f4").data)
        self._rows += len(block)

    def finish(self) -> None:
        """Write the header. Only now the file is an array."""
        self._file.truncate(_NPY_HEADER + 4 * self._width * self._rows)
        shape = (self._rows, self._width)
        fields = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".encode("ascii")
        before = b"\x93NUMPY\x01\x00" + struct.pack("<H", _NPY_HEADER - 10)
        self._file.seek(0)
        self._file.write(before + fields.ljust(_NPY_HEADER - 11) + b"\n")


class LineSink:
    """Writes a line of numbers per row: a JSON array, or numbers with spaces between."""

    __slots__ = ("_around", "_file")

    def __init__(self, file: BinaryIO, *, json: bool) -> None:
        self._file = file
        self._around = ("[", ", ", "]\n") if json else ("", " ", "\n")

    def add(self, block: Floats, /) -> None:
        """The next rows, (k, width)."""
        start, between, end = self._around
        for row in block:
            # 9 significant digits name a float32 exactly.
            numbers = between.join([f"{value:.9g}" for value in row.tolist()])
            self._file.write(f"{start}{numbers}{end}".encode("ascii"))

    def finish(self) -> None:
        """Nothing is left to do."""


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
