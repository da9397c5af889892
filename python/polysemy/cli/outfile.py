"""Output files that appear only when they are complete."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

__all__ = ["check_writable", "replacing", "scratch"]

_PART = re.compile(r"\.polysemy\.([0-9]{1,10})\.[0-9a-f]{16}\.part")
_RESTED = 60.0  # seconds


def check_writable(path: Path) -> None:
    """Find out before the work whether a file could be put there. Raises ``OSError``."""
    target = _target(path)
    if target.is_dir():
        raise IsADirectoryError(21, "is a folder; the output must be a file", str(path))
    if not target.parent.is_dir():
        raise FileNotFoundError(2, "the output's folder does not exist", str(path))
    if target.exists() and not os.access(target, os.W_OK):
        raise PermissionError(13, "no permission to write there", str(path))
    if _is_special(target):
        return
    try:
        if target.exists():  # what cannot be replaced is written to; an append-only file is neither
            os.close(os.open(target, os.O_WRONLY))
    except PermissionError as error:
        raise PermissionError(
            error.errno, f"it may not be overwritten: {error.strerror}", str(path)
        ) from None
    try:
        with _part(target.parent):
            pass
    except OSError as error:
        raise OSError(error.errno, f"no file can be put there: {error.strerror}", str(path)) from None


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A new file to be written, which takes the place of ``path`` when the block ends without an exception.

    It lies in the same folder, so that taking the place is one step. Otherwise it is removed. What is no
    regular file (a device, a named pipe) can't be replaced and gets the content instead; so does a file that may
    be written but not replaced, such as one mounted into a container. Where in the end neither can be done, the file
    stays beside ``path``, and the ``OSError`` says under which name.
    """
    target = _target(path)
    if _is_special(target):
        with scratch() as part:
            yield part
            _copy(part, target)
        return
    with scratch(target.parent) as part:
        yield part
        _sync(part)
        if target.exists():
            shutil.copymode(target, part)
        else:
            _open_to_others(part)
        try:
            _place(part, target)
        except OSError as error:
            kept = part.with_name(part.name.removeprefix("."))  # which no later run removes
            part.rename(kept)
            raise OSError(error.errno, f"{error.strerror}; the output is kept as {kept}", str(path)) from None


@contextlib.contextmanager
def scratch(folder: Path | None = None) -> Iterator[Path]:
    """A new file for its owner alone, which is removed when the block ends, as is what killed runs left beside it.

    ``folder`` None is that of the system's temporary files.
    """
    place = Path(tempfile.gettempdir()) if folder is None else folder
    _remove_left(place)
    with _part(place) as part:
        yield part


@contextlib.contextmanager
def _part(folder: Path) -> Iterator[Path]:
    """An empty file for its owner alone, under a name that fits every file system and tells who is writing it.

    An interrupt may come between any two steps, those of removing the file among them.
    """
    part = folder / f".polysemy.{os.getpid()}.{secrets.token_hex(8)}.part"
    try:
        try:
            os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            yield part
        finally:
            part.unlink(missing_ok=True)
    finally:
        part.unlink(missing_ok=True)


def _remove_left(folder: Path) -> None:
    """Remove what killed runs have left: parts of this user whose process is gone, and which rested for a while."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            match = _PART.fullmatch(entry.name)
            with contextlib.suppress(OSError):
                if match and _is_left(int(match[1]), entry.stat(follow_symlinks=False)):
                    os.unlink(entry.path)


def _is_left(process: int, status: os.stat_result) -> bool:
    if not hasattr(os, "geteuid"):  # Windows, where a signal is no way to ask for a process
        return False
    if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
        return False
    if (
        time.time() - status.st_mtime < _RESTED
    ):  # of a machine whose numbers of processes we don't see, perhaps
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _place(part: Path, target: Path) -> None:
    try:
        part.replace(target)
    except OSError:
        if not target.is_file():
            raise
        _copy(part, target)


def _open_to_others(part: Path) -> None:
    """The permissions that a new file gets from the umask."""
    mask = os.umask(0o077)
    os.umask(mask)
    part.chmod(0o666 & ~mask)


def _sync(part: Path) -> None:
    """Let the bytes be on the disk before the name is: a crash of the machine leaves one file or the other."""
    with part.open("rb") as file, contextlib.suppress(OSError):  # not every file system can
        os.fsync(file.fileno())


def _copy(part: Path, target: Path) -> None:
    with part.open("rb") as source, open(target, "wb", opener=_existing) as sink:
        shutil.copyfileobj(source, sink)


def _existing(path: str, flags: int) -> int:
    """Open what is there. Asked to create it if it were not, Linux refuses others' files in folders like /tmp."""
    return os.open(path, flags & ~os.O_CREAT)


def _target(path: Path) -> Path:
    """What a link to a file points to, which is replaced and not the link; a device by the name it was given.

    ``/dev/stdout`` is a link to a pipe that has no path.
    """
    return path if _is_special(path) else path.resolve()


def _is_special(path: Path) -> bool:
    return path.exists() and not path.is_file()
