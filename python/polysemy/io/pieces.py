"""What a reading of weights is asked for, and the memory that it reads to."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue

from .tensor import StoredTensor

__all__ = ["ROWS", "Piece", "Ring", "Wanted", "memory"]

ROWS = 16
"""Pieces have a multiple of this many rows, but for the last one before a cut."""
_BUFFERS = 4


@dataclass(frozen=True, slots=True)
class Wanted:
    """Tensors by their names in the files: those to keep, and those to pass on while they are read."""

    keep: Collection[str]
    cuts: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """Of those to pass on: ascending numbers of rows, from 0 to all of them, which no piece crosses."""
    take: Callable[[str, int, StoredTensor], None] = lambda name, first, rows: None
    """Called with the name, the first row and the rows of each piece, in order. They are gone when it returns."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes that were read, and the buffer that they are in, if it is used again."""

    data: memoryview
    buffer: memoryview | None = None


class Ring:
    """A few buffers, which are read into, and used again once their bytes were looked at by everybody."""

    __slots__ = ("_free",)

    def __init__(self, size: int) -> None:
        self._free: SimpleQueue[memoryview] = SimpleQueue()
        for _ in range(_BUFFERS):
            self._free.put(memory(size))

    def take(self, count: int) -> Piece:
        """``count`` bytes to read to, as soon as there is a buffer for them."""
        buffer = self._free.get()
        return Piece(buffer[:count], buffer)

    def release(self, piece: Piece) -> None:
        """The next ones may be read to this buffer."""
        if piece.buffer is not None:
            self._free.put(piece.buffer)


def memory(size: int) -> memoryview:
    """New memory, which goes back to the system as soon as nothing refers to it.

    On ordinary pages: huge ones save 0.04 s of 90 MB where the system has some at hand, and cost 0.3 s where it has
    none, as in a virtual machine after a large process has ended.
    """
    if not size:
        return memoryview(b"")
    return memoryview(mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
