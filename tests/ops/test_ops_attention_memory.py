"""Attention's memory grows with the lengths, not with their product."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

if not Path("/proc/self/status").exists():
    pytest.skip("peak memory is read from /proc", allow_module_level=True)

# In a process of its own: a peak can't be told from an earlier one.
PROGRAM = """
import sys
import numpy as np
from polysemy import ops

def peak_or_now(name):
    # In KiB. The peak of this address space: getrusage's may be that of the parent before it started us.
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(name))

length = int(sys.argv[1])
rng = np.random.default_rng(0)
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
LIMIT = 200e6


def _increase(length: int) -> int:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(length)], capture_output=True, text=True, check=False, timeout=500
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_eight_thousand_tokens() -> None:
    """A score matrix of one head would take 268 MB; the limit shrinks with the length."""
    assert _increase(8192) < LIMIT / 4


@pytest.mark.slow
def test_thirty_two_thousand_tokens() -> None:
    """A score matrix of one head would take 4.3 GB."""
    assert _increase(32768) < LIMIT
