"""Interleaved timing of one case: every library has a turn in every round."""

from __future__ import annotations

import gc
import time
from dataclasses import dataclass, field
from statistics import median

from bench.kernels.case import Call, Case, Prepared, wrong
from bench.rates import fma_peak, limit


@dataclass(slots=True)
class Times:
    library: str
    rounds: list[float] = field(default_factory=list)  # seconds: the median of each round
    shortest: float = float("inf")
    problem: str = ""


@dataclass(slots=True)
class Result:
    op: str
    label: str
    flops: float
    moved: float
    peak: float  # FLOP/s of multiply-adds from registers, the median of the rounds
    limit: float  # seconds
    times: list[Times]  # ours first

    def ratio(self, other: Times) -> float:
        """The median over rounds of a library's time over ours."""
        return median(b / a for a, b in zip(self.times[0].rounds, other.rounds, strict=True))


def turn(call: Call, seconds: float) -> list[float]:
    """Times of single calls; calls of a few microseconds are timed several at once."""
    start = time.perf_counter()
    call()
    one = max(time.perf_counter() - start, 1e-7)
    inner = max(1, int(50e-6 / one))
    found: list[float] = []
    end = time.perf_counter() + seconds
    while not found or time.perf_counter() < end:
        start = time.perf_counter()
        for _ in range(inner):
            call()
        found.append((time.perf_counter() - start) / inner)
    return found


def measure(case: Case, prepared: Prepared, rounds: int, seconds: float, threads: int) -> Result:
    """Check every library's answer, then time those that are right; each round starts with another one."""
    times = [Times(library, problem=wrong(prepared, library)) for library in prepared.calls]
    fit = [t for t in times if not t.problem]
    peaks = []
    gc.collect()
    gc.disable()
    for number in range(rounds):
        peaks.append(fma_peak(threads))
        shift = number % max(1, len(fit))
        for t in fit[shift:] + fit[:shift]:
            found = turn(prepared.calls[t.library], seconds)
            t.rounds.append(median(found))
            t.shortest = min(t.shortest, *found)
    gc.enable()
    peak = median(peaks)
    shortest = limit(case.flops, case.moved, threads, peak)
    return Result(case.op, case.label, case.flops, case.moved, peak, shortest, times)
