"""What the campaigns share: an encoder, calls with known bits, processes of their own."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from polysemy.progress import progress_bar

TESTS = Path(__file__).parents[1]


def small_calls(num_threads: int = 2) -> Callable[[], bytes]:
    """A function that does a bit of everything with a team, and gives the bits of the results."""
    from deterministic import SPECS, integers, values, weights_of
    from polysemy import Encoder, ops

    encoder = Encoder(SPECS["even"], weights_of("even"))
    texts = [integers(f"campaign {i}", 5 + 7 * i % 60, 0, 48).tolist() for i in range(12)]
    x, q = values("campaign x", 96, 128), values("campaign q", 2, 200, 16)
    weight = ops.PackedWeight(values("campaign w", 64, 128))

    def calls() -> bytes:
        hidden = encoder.forward(texts, num_threads=num_threads).hidden_state(0)
        parts: list[NDArray[np.float32]] = [
            hidden,
            ops.linear(x, weight, num_threads=num_threads),
            ops.matmul(x, x.T, num_threads=num_threads),
            ops.scaled_dot_product_attention(q, q, q, num_threads=num_threads),
            ops.layer_norm(np.repeat(x, 4, axis=0), 128, num_threads=num_threads),
        ]
        return b"".join(part.tobytes() for part in parts)

    return calls


def python(
    code: str, *arguments: str, timeout: float = 120, **variables: str
) -> subprocess.CompletedProcess[str]:
    """A new process that can import the package and the helpers of the tests."""
    paths = os.pathsep.join([str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": paths, **variables},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def trials(default: int, about: str | None) -> int:
    """The number of trials that the command line asks for; ``about`` is the campaign's docstring."""
    parser = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument(
        "trials", nargs="?", type=int, default=default, help="how many (default: %(default)s)"
    )
    count: int = parser.parse_args().trials
    if count < 1:
        parser.error(f"trials must be at least 1, got {count}")
    return count


def counted(count: int) -> Iterator[int]:
    """Numbers of trials, with a bar where standard error is a terminal."""
    with progress_bar(count, None, unit="trials") as bar:
        for i in range(count):
            yield i
            bar.update(1)
