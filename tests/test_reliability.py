"""Nothing that happens to a process ends it, or changes a result: the campaigns, with few trials each."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from campaigns.allocations import allocations
from campaigns.common import python
from campaigns.endings import endings
from campaigns.texts import KINDS, readings
from campaigns.threads import limits

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="what is tried here is Linux's")


def test_threads_that_cannot_be_made() -> None:
    """By the user's limit, by a pthread_create that refuses, and by address space."""
    assert limits(2) == {"processes: well": 2, "refused: well": 2, "memory: well": 2}


@pytest.mark.parametrize("call", ["forward", "attention", "packing int8"])
def test_memory_that_ends_at_any_moment(call: str) -> None:
    found = allocations(1, call)
    assert found["MemoryError"] > 5
    assert set(found) <= {"MemoryError", "well"}, found


def test_512_threads_in_two_gigabytes() -> None:
    code = """
import os, resource
import numpy as np
from polysemy import ops
x, weight = np.ones((64, 8), np.float32), ops.PackedWeight(np.ones((16384, 8), np.float32))
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
assert (ops.linear(x, weight, num_threads=512) == 8).all()
print(len(os.listdir("/proc/self/task")))
"""
    done = python(code, OMP_NUM_THREADS="2")
    assert done.returncode == 0, done.stderr
    assert 2 <= int(done.stdout) < 512


def test_forks_while_busy() -> None:
    done = python("from campaigns.forks import forks; print(forks(100))")
    assert (done.stdout, done.stderr) == ("{'well': 100, 'hung': 0, 'wrong': 0}\n", "")


def test_interrupts() -> None:
    """One of every kind. The limit is wide, since a busy machine delays everything."""
    code = """
from campaigns.interrupts import interrupts
found = interrupts(11)
assert found["interrupted"] == 11 and found["missed"] == found["differing"] == 0, found
assert found["median"] < 500, found
"""
    done = python(code)
    assert done.returncode == 0, done.stderr


def test_a_handler_that_uses_the_package() -> None:
    """A signal's handler may compute in the middle of a call, which then goes on to the same bits."""
    code = """
import signal, threading
import numpy as np
from campaigns.common import small_calls
from polysemy import ops
calls, heads = small_calls(), np.ones((8, 3000, 64), np.float32)
heads[:, ::7] = 2
expected, undisturbed = calls(), ops.scaled_dot_product_attention(heads, heads, heads)
seen = []
signal.signal(signal.SIGALRM, lambda *_: seen.append(calls() == expected))
signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
for _ in range(3):
    assert np.array_equal(ops.scaled_dot_product_attention(heads, heads, heads), undisturbed)
signal.setitimer(signal.ITIMER_REAL, 0)
assert seen and all(seen), seen
"""
    done = python(code, OMP_NUM_THREADS="2")
    assert done.returncode == 0, done.stderr


def test_end_of_the_interpreter_with_calls_in_daemon_threads() -> None:
    assert endings(9) == {"0": 9}


def test_sub_interpreters_are_refused() -> None:
    code = """
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
inner = '''
try:
    import polysemy._core
except ImportError as error:
    print(error, flush=True)
'''
interpreters.run_string(interpreters.create(), inner)
"""
    done = python(code)
    assert done.returncode == 0, done.stderr
    assert "sub-interpreter" in done.stdout


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs masks of threads")
@pytest.mark.parametrize(
    "settings",
    [
        {"OMP_PROC_BIND": "true"}, {"OMP_PROC_BIND": "close"}, {"OMP_PROC_BIND": "spread"},
        {"OMP_PROC_BIND": "primary"}, {"OMP_PLACES": "cores"}, {"OMP_PLACES": "threads", "OMP_PROC_BIND": "spread"},
        {"OMP_PLACES": "sockets", "OMP_PROC_BIND": "close"}, {"GOMP_CPU_AFFINITY": "0-1023"},
    ],
    ids=lambda settings: " ".join(f"{name}={value}" for name, value in settings.items()),
)  # fmt: skip
def test_cpus_are_counted_before_openmp_binds(settings: dict[str, str]) -> None:
    code = "import polysemy; print(polysemy.get_num_threads())"
    clean = dict.fromkeys([name for name in os.environ if name.startswith(("OMP_", "GOMP_"))], "")
    free, bound = python(code, **clean), python(code, **{**clean, **settings})
    assert free.returncode == bound.returncode == 0, free.stderr + bound.stderr
    assert free.stdout == bound.stdout


def test_cpus_are_counted_again_when_the_mask_changes() -> None:
    code = """
import os, time
import polysemy
all_cpus = os.sched_getaffinity(0)
before = polysemy.get_num_threads()
os.sched_setaffinity(0, {min(all_cpus)})
time.sleep(0.05)
narrow = polysemy.get_num_threads()
os.sched_setaffinity(0, all_cpus)
time.sleep(0.05)
assert (narrow, polysemy.get_num_threads()) == (1, before)
"""
    done = python(code, OMP_NUM_THREADS="")
    assert done.returncode == 0, done.stderr


def test_long_texts_take_no_more_memory() -> None:
    """The table of the default model, its weights and the interpreter are 140 MB."""
    for reading in readings(1_500_000, [*KINDS][:-1]):  # one word would be 250 MB if it were read at once
        assert not reading.error and reading.megabytes < 200, reading


def test_the_campaigns_are_commands() -> None:
    folder = Path(__file__).parent / "campaigns"
    names = sorted(file.stem for file in folder.glob("*.py") if file.stem not in ("__init__", "common"))
    assert names == ["allocations", "endings", "forks", "interrupts", "texts", "threads"]
    for name in names:
        assert f"python -m campaigns.{name} " in (folder / f"{name}.py").read_text("utf-8")
