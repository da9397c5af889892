"""The process of one engine: reads one JSON request per line from stdin, answers with one line.

Started by client.py. Whatever the engine prints goes to stderr, so that it can't break the protocol.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import numpy as np

from bench.engines.backends import Model, create
from bench.engines.works import cut

_WARM_BELOW = 0.25  # seconds: shorter runs are preceded by untimed ones, the process has just been woken
_WARM_FOR = 0.03
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


class Worker:
    def __init__(self, engine: str, model: Model, threads: int) -> None:
        self.backend, self.model, self.threads = create(engine), model, threads
        self.packed: dict[str, list[Any]] = {}
        self.shortest: dict[str, float] = {}

    def convert(self) -> dict[str, Any]:
        self.backend.convert(self.model)
        return {}

    def load(self) -> dict[str, Any]:
        self.backend.load(self.model, self.threads)
        return {}

    def once(self, key: str) -> float:
        start = time.perf_counter()
        for packed in self.packed[key]:
            self.backend.run(packed)
        return time.perf_counter() - start

    def work(self, key: str, ids: list[list[int]], size: int, output: str) -> dict[str, Any]:
        """Pack the batches of a work, run them once, and store the hidden states in the order of `ids`."""
        rows = [np.array(row, dtype=np.int32) for row in ids]
        groups = cut([len(row) for row in rows], size)
        self.packed[key] = [self.backend.pack([rows[i] for i in group]) for group in groups]
        found: dict[int, Any] = {}
        start = time.perf_counter()
        for group, packed in zip(groups, self.packed[key], strict=True):
            lengths = [len(rows[i]) for i in group]
            flat = self.backend.rows(self.backend.run(packed), lengths)
            found.update(zip(group, np.split(flat, np.cumsum(lengths)[:-1]), strict=True))
        self.shortest[key] = time.perf_counter() - start
        np.save(output, np.concatenate([found[i] for i in range(len(rows))]))
        return {}

    def time(self, key: str, seconds: float, most: int) -> dict[str, Any]:
        """Repeat a work for `seconds` or `most` times, at least once; the times in seconds."""
        if self.shortest[key] < _WARM_BELOW:
            end = time.perf_counter() + _WARM_FOR
            self.once(key)
            while time.perf_counter() < end:
                self.once(key)
        gc.collect()
        gc.disable()
        times = [self.once(key)]
        while sum(times) < seconds and len(times) < most:
            times.append(self.once(key))
        gc.enable()
        self.shortest[key] = min(self.shortest[key], *times)
        return {"seconds": times}

    def forget(self) -> dict[str, Any]:
        self.packed.clear()
        self.shortest.clear()
        return {}

    def peak_rate(self) -> dict[str, Any]:
        """The FMA rate from registers alone, GFLOP/s."""
        from polysemy import _core

        return {"gflops": _core.measure_fma_peak(self.threads)}

    def bandwidth(self, size: int) -> dict[str, Any]:
        """The rate of reading memory in a loop over `size` bytes per thread, GB/s."""
        from polysemy import _core

        return {"gbytes": _core.measure_read_bandwidth(size, self.threads)}


def main() -> None:
    request = json.loads(sys.argv[1])
    # A stopped worker could not notice that its parent is gone, so the kernel ends it then.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.sched_setaffinity(0, request["cpus"])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    model = Model(Path(request["folder"]), Path(request["cache"]))
    worker = Worker(request["engine"], model, request["threads"])
    for line in sys.stdin:
        message = json.loads(line)
        try:
            answer = getattr(worker, message.pop("do"))(**message)
        except Exception as error:  # the parent is told, and goes on without this engine
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
