"""What a reading of weights is asked for, and the memory that it reads to."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event, Semaphore

from .tensor import StoredTensor

__all__ = ["ROWS", "Piece", "Ring", "Wanted", "free_in_huge_pages", "memory"]

Take = Callable[[str, int, StoredTensor], None]

ROWS = 16
"""Pieces have a multiple of this many rows, but for the last one before a cut."""
# Buffers at a time. While a large table is hashed, 16 MB of what follows it are packed.
_MOST = 32
_SPARE = 2
# Memory that is worth a look at the system's.
_MUCH = 8 << 20
# A huge page has as many ordinary ones as entries of 8 bytes fit on one of them: 512 of 4 kB.
_HUGE_ORDER = (mmap.PAGESIZE // 8).bit_length() - 1


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

    Much of it on huge pages, where the system has them at hand: to read 47 MB into those takes 18 ms instead of 45.
    Where it must first move other memory to make them, as in a virtual machine after a large process has ended, they
    cost 0.3 s.
    """
    if not size:
        return memoryview(b"")
    area = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if size >= _MUCH and size <= free_in_huge_pages() // 2:
        with suppress(OSError):  # advice: a kernel may be without them
            area.madvise(mmap.MADV_HUGEPAGE)
    return memoryview(area)


def free_in_huge_pages(table: Path = Path("/proc/buddyinfo")) -> int:
    """Bytes of free memory in blocks of a huge page or more, on the NUMA node that has fewest; 0 where nothing says so.

    The table has a line for each zone of a node: "Node 0, zone Normal", and the number of free blocks of 1, 2, 4 and so
    on pages.
    """
    free: dict[str, int] = {}
    try:
        for line in table.read_text().splitlines():
            _, node, _, _, *counts = line.split()
            blocks = enumerate(map(int, counts))
            size = sum(count * mmap.PAGESIZE << order for order, count in blocks if order >= _HUGE_ORDER)
            free[node] = free.get(node, 0) + size
    except (OSError, ValueError):  # not Linux, a sandbox, a table of another form
        return 0
    return min(free.values(), default=0)
