"""The fresh process of startup.py. Only what the interpreter itself needs is imported before the engine."""

from __future__ import annotations

import importlib
import json
import sys
import time
from typing import Any


def embed(settings: dict[str, Any]) -> Any:
    """One sentence to its normalised vector, by the engine's shortest way."""
    text, threads = settings["text"], settings["threads"]
    if settings["engine"] == "polysemy":
        import polysemy

        return polysemy.Encoder.from_pretrained(settings["folder"], num_threads=threads).encode(text)
    from pathlib import Path

    import numpy as np

    from bench.engines.backends import Model, create
    from bench.texts import token_ids

    folder = Path(settings["folder"])
    backend = create(settings["engine"])
    backend.load(Model(folder, Path(settings["cache"])), threads)
    ids = token_ids(folder, [text], 256)
    hidden = backend.rows(backend.run(backend.pack(ids)), [len(ids[0])]).mean(axis=0)
    return hidden / np.linalg.norm(hidden)


def main(settings: dict[str, Any]) -> None:
    start = time.perf_counter()
    for name in settings["imports"]:
        importlib.import_module(name)
    imported = time.perf_counter() - start
    vector = embed(settings)
    passed = time.clock_gettime(time.CLOCK_MONOTONIC) - settings["spawned"]
    with open("/proc/self/status") as status:
        peak = next(line for line in status if line.startswith("VmHWM:")).split()[1]
    answer = {"import": imported, "first": passed, "rss_mb": int(peak) * 1024 / 1e6}
    print(json.dumps(answer | {"vector": [float(x) for x in vector]}))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
