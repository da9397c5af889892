"""The floating-point mode belongs to the caller: never changed, and without influence on results."""

from __future__ import annotations

import ctypes
import platform
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from every_op import hashes, inputs, results
from polysemy import _core

SOURCE = """
#if defined(__x86_64__)
#include <xmmintrin.h>
unsigned get_mode(void) { return _mm_getcsr(); }
void set_mode(unsigned mode) { _mm_setcsr(mode); }
#else
unsigned get_mode(void) { unsigned long m; __asm__ volatile("mrs %0, fpcr" : "=r"(m)); return (unsigned)m; }
void set_mode(unsigned mode) { __asm__ volatile("msr fpcr, %0" : : "r"((unsigned long)mode)); }
#endif
float product(float a, float b) { volatile float x = a, y = b; return x * y; }
"""

X86 = platform.machine() == "x86_64"
#: Name -> bits to set. Denormal results to zero, denormal inputs as zero, all exceptions raised before.
MODES = {
    "flush": 0x8040 if X86 else 1 << 24,
    "denormals are zero": 0x0040 if X86 else 1 << 24,
    "flags": 0x003F if X86 else 0,
}
ROUNDING = 0x6000 if X86 else 3 << 22  # towards zero


@pytest.fixture(scope="module")
def mode(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """get_mode() and set_mode(bits) of the calling thread."""
    folder: Path = tmp_path_factory.mktemp("mode")
    (folder / "mode.c").write_text(SOURCE)
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    assert compiler, "no C compiler"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", "mode.so", "mode.c"], cwd=folder, check=True)
    library = ctypes.CDLL(str(folder / "mode.so"))
    library.get_mode.restype = ctypes.c_uint
    library.set_mode.argtypes = [ctypes.c_uint]
    library.product.argtypes = [ctypes.c_float, ctypes.c_float]
    library.product.restype = ctypes.c_float
    return library


@pytest.fixture
def restored(mode: ctypes.CDLL) -> Iterator[Callable[[int], None]]:
    """Adds bits to the mode until the end of the test."""
    standard = mode.get_mode()
    yield lambda bits: mode.set_mode(standard | bits)
    mode.set_mode(standard)


def test_the_mode_matters(mode: ctypes.CDLL, restored: Callable[[int], None]) -> None:
    """Outside of the core: half of the smallest normal number is a denormal, or nothing."""
    smallest = float(np.finfo(np.float32).tiny)
    assert mode.product(smallest, 0.5) == smallest / 2
    restored(MODES["flush"])
    flushed = mode.product(smallest, 0.5)
    mode.set_mode(mode.get_mode() & ~MODES["flush"])
    assert flushed == 0


@pytest.mark.parametrize("isa", _core.isas())
@pytest.mark.parametrize("num_threads", [1, 3])
@pytest.mark.parametrize("scale", [4.0, 1e-38])
@pytest.mark.parametrize("name", MODES)
def test_results_do_not_depend_on_it(
    mode: ctypes.CDLL, restored: Callable[[int], None], isa: str, num_threads: int, scale: float, name: str
) -> None:
    given = inputs(scale)
    expected = results(given, isa, num_threads)
    if scale < 1:
        denormal = [n for n, x in expected.items() if ((x != 0) & (abs(x) < np.finfo(np.float32).tiny)).any()]
        assert len(denormal) > 5, "the inputs were meant to give denormal results"
    wanted = hashes(expected)
    restored(MODES[name])
    found = results(given, isa, num_threads)
    mode.set_mode(mode.get_mode() & ~MODES[name])
    assert [n for n, h in hashes(found).items() if h != wanted[n]] == []


@pytest.mark.parametrize("isa", _core.isas())
@pytest.mark.parametrize("num_threads", [1, 3])
def test_it_is_never_changed(
    mode: ctypes.CDLL, restored: Callable[[int], None], isa: str, num_threads: int
) -> None:
    given = inputs()
    for bits in (*MODES.values(), ROUNDING, ROUNDING | MODES["flush"]):
        restored(bits)
        before = mode.get_mode()
        results(given, isa, num_threads)
        after = mode.get_mode()
        mode.set_mode(before & ~bits)
        assert after & ~0x3F == before & ~0x3F  # but for the flags of exceptions, which any arithmetic raises
