"""Threads and instruction-set levels: who decides, for how long, and who else sees it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import threadpoolctl
from polysemy import _core, ops, runtime
from polysemy.arguments import MOST_THREADS

PRELUDE = """
import os
import numpy as np
import polysemy
from polysemy import ops
from threadpoolctl import threadpool_info, threadpool_limits

x, weight = np.ones((512, 64), dtype=np.float32), ops.PackedWeight(np.ones((64, 64), dtype=np.float32))

def started(**options):
    '''How many threads a call adds to those of the process.'''
    before = len(os.listdir("/proc/self/task"))
    ops.linear(x, weight, **options)
    return len(os.listdir("/proc/self/task")) - before
"""


def elsewhere(code: str, prelude: str = PRELUDE, **variables: str) -> str:
    """What a new process prints, whose OpenMP runtime has not started any thread yet."""
    environment = {**os.environ, "OMP_NUM_THREADS": "3", **variables}
    done = subprocess.run(
        [sys.executable, "-c", prelude + code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(autouse=True)
def _default_threads() -> Iterator[None]:
    before = _core.set_num_threads(0)
    yield
    _core.set_num_threads(before)


@pytest.fixture
def limited() -> Iterator[int]:
    """One thread, by the means of threadpoolctl."""
    with threadpoolctl.threadpool_limits(1):
        yield 1


def test_threadpoolctl_limits_a_call() -> None:
    """No thread is started within the limit; without it the same call starts two beside its own."""
    code = """
with threadpool_limits(1):
    print(polysemy.get_num_threads(), started())
print(polysemy.get_num_threads(), started())
"""
    assert elsewhere(code) == "1 0\n3 2"


def test_threadpoolctl_sees_the_threads() -> None:
    code = """
found = {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "openmp"}
with threadpool_limits(2, user_api="openmp"):
    found |= {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "openmp"}
print(sorted(found))
"""
    assert elsewhere(code) == "[2, 3]"


def test_results_are_the_same_within_a_limit(limited: int) -> None:
    assert runtime.get_num_threads() == limited
    x = np.random.default_rng(0).standard_normal((200, 300)).astype(np.float32)
    np.testing.assert_array_equal(ops.matmul(x, x.T), ops.matmul(x, x.T, num_threads=3))


def test_a_limit_above_the_default_adds_nothing() -> None:
    default = _core.default_num_threads()  # other libraries may have limited OpenMP before this test
    with threadpoolctl.threadpool_limits(default + 5):
        assert runtime.get_num_threads() == default


def test_what_was_said_to_polysemy_stands_above_a_limit(limited: int) -> None:
    runtime.set_num_threads(3)
    assert runtime.get_num_threads() == 3
    runtime.set_num_threads(0)
    assert runtime.get_num_threads() == limited


def test_explicit_numbers_win() -> None:
    code = """
with threadpool_limits(1):
    print(started(num_threads=2))
    with polysemy.threads(4):
        print(started(), polysemy.get_num_threads())
    print(polysemy.get_num_threads())
"""
    assert elsewhere(code) == "1\n2 4\n1"


def test_openmp_settings_of_others_are_not_changed() -> None:
    code = """
def openmp():
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "openmp"]
before = openmp()
polysemy.set_num_threads(2)
ops.linear(x, weight, num_threads=4)
print(before == openmp(), bool(before))
"""
    assert elsewhere(code) == "True True"


def test_reasons() -> None:
    assert "OMP_NUM_THREADS=3" in elsewhere("print(polysemy._core.num_threads_reason())")
    code = "with threadpool_limits(2): print(polysemy._core.num_threads_reason())"
    assert "threadpoolctl" in elsewhere(code)
    runtime.set_num_threads(2)
    assert _core.num_threads_reason() == "set_num_threads"


def test_threads_restores() -> None:
    default = runtime.get_num_threads()
    with runtime.threads(default + 1):
        assert runtime.get_num_threads() == default + 1
        with runtime.threads(default + 2):
            assert runtime.get_num_threads() == default + 2
        assert runtime.get_num_threads() == default + 1
    assert runtime.get_num_threads() == default
    # Not a number is restored but the default: a limit holds again.
    with threadpoolctl.threadpool_limits(1):
        assert runtime.get_num_threads() == 1


def test_threads_restores_after_an_exception() -> None:
    runtime.set_num_threads(5)
    with pytest.raises(KeyError), runtime.threads(2):
        raise KeyError("within")
    assert runtime.get_num_threads() == 5


def test_threads_belong_to_the_process() -> None:
    seen: list[int] = []
    with runtime.threads(7):
        thread = threading.Thread(target=lambda: seen.append(runtime.get_num_threads()))
        thread.start()
        thread.join()
    assert seen == [7]


@pytest.mark.parametrize(
    ("variable", "threads"),
    [("4,2", 4), ("99999", MOST_THREADS), ("0", 0), ("x", 0)],
)
def test_numbers_in_the_environment(variable: str, threads: int) -> None:
    """One that no OpenMP runtime survives is cut down; what is no number of threads is passed over."""
    said = elsewhere("print(polysemy.get_num_threads()); ops.linear(x, weight)", OMP_NUM_THREADS=variable)
    assert int(said) == threads or threads == 0 < int(said)


def test_the_most_threads_are_those_of_the_core() -> None:
    before = _core.set_num_threads(MOST_THREADS)
    with pytest.raises(ValueError, match=rf"0 \(default\) to {MOST_THREADS}, got {MOST_THREADS + 1}"):
        _core.set_num_threads(MOST_THREADS + 1)
    _core.set_num_threads(before)


@pytest.mark.parametrize("n", [0, -1, 10**6, 2**70])
def test_threads_refuses_numbers(n: int) -> None:
    before = runtime.get_num_threads()
    with pytest.raises(ValueError, match="n must be"), runtime.threads(n):
        pytest.fail("entered")
    assert runtime.get_num_threads() == before


@pytest.mark.parametrize("n", [1.5, "2", None, True])
def test_wrong_types_are_refused(n: object) -> None:
    with pytest.raises(TypeError, match="n must be an int"):
        runtime.set_num_threads(n)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="n must be an int"), runtime.threads(n):  # type: ignore[arg-type]
        pytest.fail("entered")


def test_isas() -> None:
    levels = runtime.isas()
    assert levels[0] == "baseline"
    assert runtime.default_isa() in levels
    code = """
from polysemy import runtime
try:
    print(runtime.default_isa())
except ValueError as error:
    print(error)
"""
    for level in levels:
        assert elsewhere(code, prelude="", POLYSEMY_ISA=level) == level
    said = elsewhere(code, prelude="", POLYSEMY_ISA="mmx")
    assert "POLYSEMY_ISA" in said
    assert all(level in said for level in levels)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ([], None),
        (["/a/libgomp.so.1"], None),
        (["/a/libgomp-1a2b3c.so.1", "/b/libomp.so"], "compete for the cores"),
        (["/a/libgomp.so.1", "/b/libgomp.so.1"], "compete for the cores"),
        (["/a/libomp.so", "/b/libiomp5.so"], "may crash or hang"),
        (["/a/libgomp.so.1", "/a/libomp.dylib", "/b/libiomp5.dylib"], "may crash or hang"),
    ],
)
def test_conflicts_of_openmp_runtimes(files: list[str], said: str | None) -> None:
    found = runtime.openmp_conflict(files)
    assert found is None if said is None else found is not None and said in found


def test_openmp_runtimes_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    maps = tmp_path / "maps"
    lines = [
        "",
        "[heap]",
        "/a b/libgomp.so.1",
        "/a b/libgomp.so.1",
        "/c/libompitrace.so",
        "/c/libomp.so",
        "/d/libiomp5.so",
    ]
    maps.write_text("".join(f"7f0-7f1 r-xp 0000 08:01 12 {line}\n" for line in lines))
    monkeypatch.setattr(runtime, "_MAPS", maps)
    assert runtime.openmp_runtimes() == ["/a b/libgomp.so.1", "/c/libomp.so", "/d/libiomp5.so"]
    monkeypatch.setattr(runtime, "_MAPS", tmp_path / "none")
    assert runtime.openmp_runtimes() is None
