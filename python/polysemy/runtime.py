"""Instruction-set levels and threads of this process, and the OpenMP runtimes that are loaded into it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import _core
from .arguments import MOST_THREADS, positive, whole

__all__ = [
    "default_isa",
    "get_num_threads",
    "isas",
    "openmp_conflict",
    "openmp_runtimes",
    "set_num_threads",
    "threads",
]

# How the files of the OpenMP runtimes begin, and who makes each. Wheels carry copies with a hash in the name.
_OPENMP_NAMES = {
    "libgomp": "GNU",
    "libomp": "LLVM",
    "libiomp": "Intel",
}
_MAPS = Path("/proc/self/maps")


def isas() -> list[str]:
    """The instruction-set levels that this CPU can run, weakest first."""
    return _core.isas()


def default_isa() -> str:
    """The level in use: the best one for this CPU, or what ``POLYSEMY_ISA`` names.

    Raises ``ValueError`` when that variable names a level that this CPU can't run, naming those it can.
    """
    return _core.default_isa()


def get_num_threads() -> int:
    """Threads that a call uses when it doesn't say.

    That is what `set_num_threads` says; otherwise one per core that this process may use, or
    ``OMP_NUM_THREADS``, or what the OpenMP runtime grants the calling Python thread, if that is less:
    ``threadpoolctl.threadpool_limits`` limits these calls, too.
    """
    return _core.get_num_threads()


def set_num_threads(n: int) -> None:
    """Set the number of threads of this process's calls; 0 goes back to the default.

    It stands above the limits of ``threadpoolctl``, and below the ``num_threads`` of a call. Results don't
    depend on it. Raises ``TypeError`` or ``ValueError`` for anything but a whole number from 0 to 1024.
    """
    number = whole(n, "set_num_threads: n")
    if not 0 <= number <= MOST_THREADS:
        raise ValueError(f"set_num_threads: n must be in 0..{MOST_THREADS}, got {number}")
    _core.set_num_threads(number)


@contextmanager
def threads(n: int) -> Iterator[None]:
    """``with polysemy.threads(2): ...``: `set_num_threads` for a while, also when an exception ends it.

    The number belongs to the process: calls that other Python threads make meanwhile use it, too. Where that
    is not wanted, give ``num_threads`` to the call.
    """
    before = _core.set_num_threads(positive(n, "threads: n", most=MOST_THREADS))
    try:
        yield
    finally:
        _core.set_num_threads(before)


def openmp_runtimes() -> list[str] | None:
    """The files of all OpenMP runtimes loaded into this process, sorted; None where that can't be found out.

    The list comes from ``/proc/self/maps``, which only Linux has.
    """
    try:
        lines = _MAPS.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return None
    # address, permissions, offset, device, inode, then the file, which may contain spaces
    fields = (line.split(maxsplit=5) for line in lines)
    files = {row[5] for row in fields if len(row) == 6 and row[5].startswith("/")}
    return sorted(file for file in files if _maker(file) is not None)


def openmp_conflict(files: list[str]) -> str | None:
    """The risk of these OpenMP runtimes being loaded together, or None.

    Each runtime has threads of its own: together they may use more threads than there are cores. LLVM's and
    Intel's are one code base and define the same symbols: a process that uses both may crash or hang.
    """
    if len(files) < 2:
        return None
    makers = {_maker(file) for file in files}
    if {"LLVM", "Intel"} <= makers:
        return "LLVM's and Intel's runtimes in one process may crash or hang it"
    return "several runtimes, each with its own threads: used at the same time they compete for the cores"


def _maker(file: str) -> str | None:
    stem = Path(file).name.partition(".")[0]
    for name, maker in _OPENMP_NAMES.items():
        # libgomp.so.1, libgomp-1a2b3c.so.1, libiomp5.so, libomp.so, but not libompitrace.so
        if stem == name or (stem.startswith(name) and not stem[len(name)].isalpha()):
            return maker
    return None
