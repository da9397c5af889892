"""Heads and search next to the libraries that people use for them: ``python -m bench.heads``.

Each engine has a process of its own, the rounds are interleaved, and what they compute is compared first. Memory is
what the first call added to the process at its peak. `topk` stands beside NumPy's product alone, which looks for
nothing, and faiss's flat index.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from bench.engines.checkpoint import cache_folder
from bench.heads.models import SHAPES, folder_of
from bench.machine import describe

ROOT = Path(__file__).parents[2]
ENGINES = {
    "cross-encoder": ("polysemy", "sentence_transformers"),
    "splade": ("polysemy", "sentence_transformers"),
    "topk": ("polysemy", "numpy", "faiss"),
}
#: Of results that torch computes in float32.
CLOSE = 1e-3


class Engine:
    """A process that waits for a line, and answers with the time of a call."""

    def __init__(self, work: str, name: str, folder: Path, threads: int) -> None:
        variables = {**os.environ, "OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "bench.heads.worker", work, name, str(folder)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT,
            env=variables,
        )  # fmt: skip
        self.first = self._answer()
        self.seconds: list[float] = []

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name}: the process ended with {self.process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def time(self) -> None:
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.seconds.append(self._answer()["seconds"])

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


def compare(work: str, engines: list[Engine]) -> None:
    """Raise ``AssertionError`` unless the engines agree."""
    ours = np.array(engines[0].first["sample"])
    for engine in engines[1:]:
        theirs = np.array(engine.first["sample"])
        if not len(theirs):
            continue
        if work == "topk":
            assert np.mean(ours == theirs) > 0.999, "other neighbours"  # ties of rounded products may differ
        else:
            assert np.abs(ours - theirs).max() < CLOSE * (1 + np.abs(theirs).max()), f"{work}: other results"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.heads", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="default: 7")
    parser.add_argument("--threads", type=int, default=2, help="default: 2")
    parser.add_argument("--only", nargs="+", choices=list(ENGINES), default=list(ENGINES))
    parser.add_argument("--cache", type=Path, default=cache_folder(), help="where checkpoints are kept")
    arguments = parser.parse_args()
    print("\n".join(f"{key}: {value}" for key, value in describe().items()))
    print(f"\n{arguments.threads} threads, median of {arguments.rounds} interleaved rounds\n")
    print("| work | engine | ms | times ours | memory, MB |\n|---|---|---:|---:|---:|")
    for work in arguments.only:
        folder = folder_of(work, arguments.cache) if work in SHAPES else Path()
        names = [name for name in ENGINES[work] if importlib.util.find_spec(name)]
        engines = [Engine(work, name, folder, arguments.threads) for name in names]
        try:
            compare(work, engines)
            for i in range(arguments.rounds):
                for engine in engines if i % 2 == 0 else reversed(engines):
                    engine.time()
        finally:
            for engine in engines:
                engine.close()
        ours = engines[0].seconds
        for engine in engines:
            ratio = median(theirs / mine for theirs, mine in zip(engine.seconds, ours, strict=True))
            memory = engine.first["kib"] / 1000
            print(
                f"| {work} | {engine.name} | {1e3 * median(engine.seconds):.1f} | {ratio:.2f} | {memory:.0f} |"
            )


if __name__ == "__main__":
    main()
