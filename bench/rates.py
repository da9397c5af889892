"""The ceilings of the machine, measured when they are needed and never stored between runs."""

from __future__ import annotations

from functools import cache
from statistics import median

_SMALLEST, _LARGEST = 1 << 16, 1 << 28


def fma_peak(threads: int) -> float:
    """FLOP/s of multiply-adds on registers alone, measured now: it moves with the machine's load."""
    from polysemy import _core

    return 1e9 * _core.measure_fma_peak(threads)


@cache
def _bandwidth(size: int, threads: int) -> float:
    from polysemy import _core

    # Every thread reads a part of its own.
    return 1e9 * median(_core.measure_read_bandwidth(size // threads, threads) for _ in range(3))


def read_bandwidth(size: int, threads: int) -> float:
    """Bytes/s of reading a working set of `size` bytes, rounded up to a power of two, in a loop."""
    return _bandwidth(1 << (min(max(size, _SMALLEST), _LARGEST) - 1).bit_length(), threads)


def limit(flops: float, moved: float, threads: int, peak: float) -> float:
    """The shortest possible time in seconds: arithmetic at `peak` FLOP/s or memory, whichever binds."""
    reading = moved / read_bandwidth(int(moved), threads) if moved else 0.0
    return max(flops / peak, reading)
