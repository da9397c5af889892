"""Cold start: fresh processes that import an engine, load the model and embed one sentence."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from bench.engines.backends import Model
from bench.engines.catalogue import ENGINES
from bench.engines.results import Startup

_ROOT = Path(__file__).parents[2]
_SENTENCE = "The boat drifted past the bank of the river while we counted herons."


def _once(engine: str, model: Model, threads: int) -> dict[str, Any]:
    settings = {
        "engine": engine, "imports": ENGINES[engine].imports, "threads": threads, "text": _SENTENCE,
        "folder": str(model.folder), "cache": str(model.cache),
        "spawned": time.clock_gettime(time.CLOCK_MONOTONIC),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "bench.engines.cold", json.dumps(settings)],
        check=False, cwd=_ROOT, capture_output=True, text=True, env=dict(os.environ, HF_HUB_OFFLINE="1"),
    )  # fmt: skip
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:]
        raise RuntimeError(f"{engine}: cold start ended with {done.returncode}: {' '.join(last)}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def measure(engines: list[str], model: Model, threads: int, runs: int) -> list[Startup]:
    """Medians over `runs` fresh processes per engine, interleaved, after one that warms the page cache."""
    answers: dict[str, list[dict[str, Any]]] = {name: [] for name in engines}
    for number in range(runs + 1):
        for name in engines:
            answer = _once(name, model, threads)
            if number:
                answers[name].append(answer)
    return [
        Startup(
            name,
            runs,
            median(answer["import"] for answer in found),
            median(answer["first"] for answer in found),
            median(answer["rss_mb"] for answer in found),
        )
        for name, found in answers.items()
    ]
