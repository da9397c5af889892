"""What a call needs beside its arrays: little, and no more where the arrays are large."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

if not Path("/proc/self/status").exists():
    pytest.skip("peak memory is read from /proc", allow_module_level=True)

# In a process of its own: a peak can't be told from an earlier one.
PEAK = """
import sys
import numpy as np
from polysemy import ops

def peak_or_now(name):
    # In KiB. The peak of this address space: getrusage's may be that of the parent before it started us.
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(name))

rng = np.random.default_rng(0)
"""
ATTENTION = """
length = int(sys.argv[1])
q, k, v = (rng.standard_normal((length, 64), dtype=np.float32) for _ in range(3))
ops.scaled_dot_product_attention(q[:64], k[:64], v[:64])
before = peak_or_now("VmRSS")
result = ops.scaled_dot_product_attention(q, k, v)
after = peak_or_now("VmHWM")
assert np.isfinite(result).all()
i = length // 2
scores = (k.astype(np.float64) @ q[i].astype(np.float64)) / 8
weights = np.exp(scores - scores.max())
exact = weights @ v.astype(np.float64) / weights.sum()
bound = 2.0**-24 * (16 + 8 * (np.abs(k) @ np.abs(q[i])).max() / 8) * (weights @ np.abs(v)) / weights.sum()
assert (np.abs(result[i] - exact) <= bound).all(), np.abs(result[i] - exact).max()
print((after - before) * 1024)
"""
# Pages of the arrays are all touched before, so that only what the product needs for itself is counted.
PRODUCT = """
m, n, k, batch = map(int, sys.argv[1:])
a = rng.standard_normal((batch, k, m), dtype=np.float32).swapaxes(1, 2)
b = rng.standard_normal((batch, k, n), dtype=np.float32)
out = np.ones((batch, m, n), np.float32)
ops.matmul(a[:1, :1, :64], b[:1, :64, :1], num_threads=2)
before = peak_or_now("VmRSS")
ops.matmul(a, b, out=out, num_threads=2)
print((peak_or_now("VmHWM") - before) * 1024)
"""
LIMIT = 200e6


# Of a product: for each of two threads 4 MB of the second factor and 2.4 MB of the first, and as much again for what
# the allocator and the thread's stack take.
PRODUCT_LIMIT = 26e6


def _increase(program: str, *arguments: int) -> int:
    done = subprocess.run(
        [sys.executable, "-c", PEAK + program, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_eight_thousand_tokens() -> None:
    """A score matrix of one head would take 268 MB; the limit shrinks with the length."""
    assert _increase(ATTENTION, 8192) < LIMIT / 4


@pytest.mark.slow
def test_thirty_two_thousand_tokens() -> None:
    """A score matrix of one head would take 4.3 GB."""
    assert _increase(ATTENTION, 32768) < LIMIT


@pytest.mark.parametrize("sizes", [(2, 1, 2**21, 3), (700, 700, 700, 8), (1, 2**21, 2, 1)])
def test_a_product_packs_parts(sizes: tuple[int, int, int, int]) -> None:
    """A long vector as one packed column would take 16 times its size; a copy of each factor 16 MB and more."""
    assert _increase(PRODUCT, *sizes) < PRODUCT_LIMIT
