"""The guard pages of these tests do end a process that steps on them."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import ctypes, sys
sys.path.insert(0, sys.argv[1])
import numpy as np
from ops_memory import guarded

array = guarded(np.arange(5, dtype=np.float32), at_end=sys.argv[2] == "behind")
address = array.ctypes.data
assert array.tolist() == [0, 1, 2, 3, 4]
inside = {"behind": address + 16, "before": address}[sys.argv[2]]
print(ctypes.string_at(inside, 4).hex(), flush=True)
outside = {"behind": address + 20, "before": address - 1}[sys.argv[2]]
ctypes.string_at(outside, 1)
"""


@pytest.mark.parametrize("side", ["behind", "before"])
def test_a_step_outside_is_fatal(side: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(Path(__file__).parent), side],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.stdout.strip() == {"behind": "00008040", "before": "00000000"}[side]
    assert done.returncode in (-signal.SIGSEGV, -signal.SIGBUS)
