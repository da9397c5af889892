"""CPU time of our precisions next to float32."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from polysemy import _core
from polysemy.model.network import Network
from polysemy.model.spec import EncoderSpec

WORKS = ((1, 1), (1, 4), (1, 8), (1, 128), (16, 128), (4, 512))
_SECONDS = 4.0
_PASSES = 7


def print_speed(spec: EncoderSpec, weights: Mapping[str, NDArray[Any]]) -> None:
    """How many times faster than float32 each precision is: CPU time of one thread, medians of interleaved passes.

    Every work, so many sequences of so many random ids, takes at least `_SECONDS` seconds and `_PASSES` passes.
    """
    networks = {precision: Network(spec, weights, precision) for precision in _core.PRECISIONS}
    last, rng = len(spec.layers), np.random.default_rng(0)
    print(f"{_core.default_isa()}\n\n| sequences x tokens | {' | '.join(networks)} |")
    print("|---" * (len(networks) + 1) + "|")
    for count, length in WORKS:
        ids = rng.integers(0, spec.embedding.vocab, count * length).astype(np.int32)
        offsets = np.arange(count + 1, dtype=np.int64) * length
        times: dict[str, list[float]] = {precision: [] for precision in networks}
        end = time.monotonic() + _SECONDS
        while time.monotonic() < end or len(times["float32"]) < _PASSES:
            for precision, network in networks.items():
                start = time.thread_time()
                network.run(ids, offsets, layers=[last], num_threads=1)
                times[precision].append(time.thread_time() - start)
        medians = {precision: float(np.median(taken)) for precision, taken in times.items()}
        ratios = " | ".join(f"{medians['float32'] / median:.2f}" for median in medians.values())
        print(f"| {count} x {length} | {ratios} |", flush=True)
