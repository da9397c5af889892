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


def print_speed(spec: EncoderSpec, weights: Mapping[str, NDArray[Any]], seconds: float = 4.0) -> None:
    """CPU time of one thread against float32, medians of interleaved passes over random ids."""
    networks = {precision: Network(spec, weights, precision) for precision in _core.PRECISIONS}
    last, rng = len(spec.layers), np.random.default_rng(0)
    print(f"\n| sequences x tokens | {' | '.join(networks)} |")
    print("|---" * (len(networks) + 1) + "|")
    for count, length in ((1, 8), (1, 128), (16, 128), (4, 512)):
        ids = rng.integers(0, spec.embedding.vocab, count * length).astype(np.int32)
        offsets = np.arange(count + 1, dtype=np.int64) * length
        times: dict[str, list[float]] = {precision: [] for precision in networks}
        end = time.monotonic() + seconds
        while time.monotonic() < end or len(times["float32"]) < 7:
            for precision, network in networks.items():
                start = time.thread_time()
                network.run(ids, offsets, layers=[last], num_threads=1)
                times[precision].append(time.thread_time() - start)
        medians = [float(np.median(times[precision])) for precision in networks]
        ratios = " | ".join(f"{medians[0] / median:.2f}" for median in medians)
        print(f"| {count} x {length} | {ratios} |", flush=True)
