"""What a reading of weights is asked for, and the memory that it reads to."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Collection, Mapping, Sequence
from threading import Event, Semaphore

from .tensor import StoredTensor

__all__ = ["ROWS", "Piece", "Ring", "Wanted", "memory"]

Take = Callable[[str, int, StoredTensor], None]

ROWS = 16
"""Pieces have a multiple of this many rows, but for the last one before a cut."""
# Buffers at a time. While a large table is hashed, 16 MB of what follows it are packed.
_MOST = 32
_SPARE = 2


class Wanted:
    """Tensors by their names in the files: those to keep, and those to pass on while they are read."""

    __slots__ = ("busy", "cuts", "keep", "take")

    def __init__(
        self, keep: Collection[str], cuts: Mapping[str, Sequence[int]] | None = None, take: Take | None = None
    ) -> None:
        self.keep = keep
        self.cuts = cuts or {}
        """Of those to pass on: ascending numbers of rows, from 0 to all of them, which no piece crosses."""
        self.take = take or (lambda name, first, rows: None)
        """Called with the name, the first row and the rows of each piece, in order. They are gone when it returns."""
        self.busy = Event()
        """Set when for a good while reading or hashing goes on without the interpreter, if not before the end."""


class Piece:
    """Bytes that were read, and the buffer that they are in, if it is used again."""

    __slots__ = ("buffer", "data")

    def __init__(self, data: memoryview, buffer: memoryview | None = None) -> None:
        self.data = data
        self.buffer = buffer


class Ring:
    """Buffers that are read into, and used again once their bytes were looked at by everybody.

    There are as many as it takes not to wait for whoever looks at them, up to a limit. Those that are left over when
    they have come back are given up.
    """

    __slots__ = ("_free", "_room", "_size")

    def __init__(self, size: int) -> None:
        self._size = size
        self._free: list[memoryview] = []
        self._room = Semaphore(_MOST)

    def take(self, count: int) -> Piece:
        """``count`` bytes to read to, as soon as there is a buffer for them."""
        self._room.acquire()
        try:
            buffer = self._free.pop()  # the last one that came back may still be in a cache
        except IndexError:
            buffer = memory(self._size)
        return Piece(buffer[:count], buffer)

    def release(self, piece: Piece) -> None:
        """The next ones may be read to this buffer."""
        if piece.buffer is not None:
            if len(self._free) < _SPARE:
                self._free.append(piece.buffer)
            self._room.release()


def memory(size: int) -> memoryview:
    """New memory, which goes back to the system as soon as nothing refers to it.

    On ordinary pages: huge ones save 0.04 s of 90 MB where the system has some at hand, and cost 0.3 s where it has
    none, as in a virtual machine after a large process has ended.
    """
    if not size:
        return memoryview(b"")
    return memoryview(mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
