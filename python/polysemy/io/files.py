"""Reading files that somebody sent. Nothing else in this package opens a file of a checkpoint.

A name may lead anywhere: to a pipe that never ends, a device, a folder, a loop of links, a file that another
process is writing. Each is refused with one `CheckpointError`, and a file that is accepted is read through
the descriptor that was checked.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from ..errors import CheckpointError

__all__ = ["ForeignFile", "is_there", "read_bytes"]

# O_NONBLOCK: opening a pipe that nobody writes to must not wait for a writer.
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
# One read system call takes at most 2 GiB - 4 KiB on Linux.
_LARGEST_READ = 1 << 30
_MISSING = (errno.ENOENT, errno.ENOTDIR)


def is_there(path: Path) -> bool:
    """Whether the folder has an entry of this name.

    A link that leads nowhere is one: it is there to be read, and reading it fails by name.
    """
    return os.path.lexists(path)


class ForeignFile:
    """An open regular file: one descriptor for its size and all of its bytes.

    Raises ``CheckpointError`` for all else, and when reading fails. ``size`` is the size when it was opened.
    """

    __slots__ = ("_descriptor", "path", "size")

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1
        try:
            self._descriptor = os.open(path, _FLAGS)
            status = os.fstat(self._descriptor)
        except OSError as error:
            raise self._failed(error) from None
        except ValueError as error:  # a NUL in the name, or a name that the file system can't spell
            raise CheckpointError(f"{path!s:.300} can't be the name of a file: {error}") from None
        if not stat.S_ISREG(status.st_mode):
            self.close()
            raise CheckpointError(f"{path} is not a regular file")
        self.size = status.st_size

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
                count = os.preadv(self._descriptor, [target[done : done + _LARGEST_READ]], offset + done)
            except OSError as error:
                raise self._failed(error) from None
            if not count:
                raise CheckpointError(f"{self.path} became shorter while it was read")
            done += count

    def read(self, offset: int, count: int) -> bytes:
        """``count`` bytes from ``offset`` on."""
        try:
            data = os.pread(self._descriptor, count, offset)
        except OSError as error:
            raise self._failed(error) from None
        if len(data) < count:
            raise CheckpointError(f"{self.path} became shorter while it was read")
        return data

    def close(self) -> None:
        """Close the descriptor. What was read stays."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __del__(self) -> None:
        self.close()


def read_bytes(path: Path, limit: int) -> bytes:
    """The content of a file of at most ``limit`` bytes."""
    file = ForeignFile(path)
    try:
        if file.size > limit:
            raise CheckpointError(
                f"{path} has {file.size:,} bytes; no model has more than {limit:,} bytes in such a file"
            )
        return file.read(0, file.size)
    finally:
        file.close()
