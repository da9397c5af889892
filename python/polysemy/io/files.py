"""Reading files that somebody sent. Nothing else in this package opens a file of a checkpoint.

A name may lead anywhere: to a pipe that never ends, a device, a folder, a loop of links, a file that another
process is writing. Each is refused with one `CheckpointError`, and a file that is accepted is read through
the descriptor that was checked.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import threading
from contextvars import ContextVar
from io import FileIO
from pathlib import Path

from ..errors import CheckpointError

__all__ = ["ForeignFile", "Read", "is_there", "note", "read_bytes", "reads"]

# O_NONBLOCK: opening a pipe that nobody writes to must not wait for a writer. Windows has the last of these alone.
_FLAGS = os.O_RDONLY | sum(
    getattr(os, name, 0) for name in ("O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY", "O_BINARY")
)
# Whether a read can say where it begins. On Windows it begins where the last one of any thread ended.
_PLACED_READS = hasattr(os, "preadv")
_turn = threading.Lock()
# One read system call takes at most 2 GiB - 4 KiB on Linux.
_LARGEST_READ = 1 << 30
_MISSING = (errno.ENOENT, errno.ENOTDIR)
_HASHED = 1 << 20  # bytes at a time; smaller files are hashed as they are read

reads: ContextVar[list[Read] | None] = ContextVar("reads", default=None)
"""Where files that are read are noted, if anywhere."""


def is_there(path: Path) -> bool:
    """Whether the folder has an entry of this name.

    A link that leads nowhere is one: it is there to be read, and reading it fails by name.
    """
    return os.path.lexists(path)


class ForeignFile:
    """An open regular file: one descriptor for its size and all of its bytes.

    Raises ``CheckpointError`` for all else, and when reading fails. ``size`` is the size when it was opened.
    Whoever opens one closes it; it has no ``__del__``, in which a signal would be lost.
    """

    __slots__ = ("_descriptor", "_file", "path", "size", "state")

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._descriptor = os.open(path, _FLAGS)
        except OSError as error:
            raise self._failed(error) from None
        except ValueError as error:  # a NUL in the name, or a name that the file system can't spell
            raise CheckpointError(f"{path!s:.300} can't be the name of a file: {error}") from None
        try:
            status = os.fstat(self._descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise CheckpointError(f"{path} is not a regular file")
            self._file = FileIO(self._descriptor)  # closes it when it is forgotten, with a ResourceWarning
        except BaseException:
            os.close(self._descriptor)
            raise
        self.size = status.st_size
        self.state = (status.st_ino, status.st_size, status.st_mtime_ns)

    def _failed(self, error: OSError) -> CheckpointError:
        if error.errno in _MISSING:
            return CheckpointError(f"{self.path} is missing")
        return CheckpointError(f"{self.path} can't be read: {error.strerror}")

    @property
    def descriptor(self) -> int:
        """The number of the open descriptor."""
        return self._descriptor

    def read_into(self, target: memoryview, offset: int) -> None:
        """Fill ``target`` with the bytes from ``offset`` on. A file that became shorter is an error."""
        done = 0
        while done < len(target):
            try:
                count = self._read_into(target[done : done + _LARGEST_READ], offset + done)
            except OSError as error:
                raise self._failed(error) from None
            if not count:
                raise CheckpointError(f"{self.path} became shorter while it was read")
            done += count

    def read(self, offset: int, count: int) -> bytes:
        """``count`` bytes from ``offset`` on."""
        try:
            data = self._read(count, offset)
        except OSError as error:
            raise self._failed(error) from None
        if len(data) < count:
            raise CheckpointError(f"{self.path} became shorter while it was read")
        return data

    def _read_into(self, target: memoryview, offset: int) -> int:
        if _PLACED_READS:
            return os.preadv(self._descriptor, [target], offset)
        with _turn:
            self._file.seek(offset)
            return self._file.readinto(target)

    def _read(self, count: int, offset: int) -> bytes:
        if _PLACED_READS:
            return os.pread(self._descriptor, count, offset)
        with _turn:
            self._file.seek(offset)
            return self._file.read(count)

    def close(self) -> None:
        """Close the descriptor. What was read stays."""
        self._file.close()


class Read:
    """A file that was read, and its hash: of the bytes that were used, or of the file where it is still the same."""

    __slots__ = ("_sha256", "_state", "path")

    def __init__(self, path: Path, state: tuple[int, int, int]) -> None:
        self.path = path
        self._state = state
        self._sha256: str | None = None

    def found(self, sha256: str) -> None:
        """Keep a hash that was computed."""
        self._sha256 = sha256

    def sha256(self) -> str:
        """The hash. Raises ``CheckpointError`` when it is not known, and the file has been changed."""
        if self._sha256 is None:
            self._sha256 = self._of_file()
        return self._sha256

    def _of_file(self) -> str:
        file = ForeignFile(self.path)
        try:
            digest = hashlib.sha256()
            for place in range(0, file.size, _HASHED):
                digest.update(file.read(place, min(_HASHED, file.size - place)))
            after = os.fstat(file.descriptor)
            if not file.state == self._state == (after.st_ino, after.st_size, after.st_mtime_ns):
                raise CheckpointError(
                    f"{self.path} was changed after it was read, so its hash can't be known"
                )
            return digest.hexdigest()
        finally:
            file.close()


def note(file: ForeignFile, data: bytes | None = None) -> Read:
    """Note that a file was read, with its content where that is at hand."""
    read, noted = Read(file.path, file.state), reads.get()
    if noted is not None:
        noted.append(read)
        if data is not None and len(data) <= _HASHED:
            read.found(hashlib.sha256(data).hexdigest())
    return read


def read_bytes(path: Path, limit: int) -> bytes:
    """The content of a file of at most ``limit`` bytes."""
    file = ForeignFile(path)
    try:
        if file.size > limit:
            raise CheckpointError(
                f"{path} has {file.size:,} bytes; no model has more than {limit:,} bytes in such a file"
            )
        data = file.read(0, file.size)
        note(file, data)
        return data
    finally:
        file.close()
