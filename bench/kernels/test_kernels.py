"""Every operation, size and library under pytest-benchmark; the answer is checked before the clock starts."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import pytest

from bench.conftest import only_checking
from bench.kernels.case import Case, Prepared, have, wrong
from bench.kernels.cases import all_cases
from bench.rates import fma_peak, limit

_LIBRARIES = {
    "gemm": ("polysemy", "numpy", "scipy", "torch", "torch packed", "onnxruntime"),
    "attention": ("polysemy", "numpy", "torch"),
    "layer_norm": ("polysemy", "numpy", "torch"),
    "gelu": ("polysemy", "torch", "scipy"),
    "softmax": ("polysemy", "numpy", "torch", "scipy"),
}
_MODULES = {
    "scipy": ("scipy",),
    "torch": ("torch",),
    "torch packed": ("torch",),
    "onnxruntime": ("onnxruntime", "onnx"),
}


@lru_cache(maxsize=1)  # the libraries of one case come one after another and share its operands
def _prepare(case: Case, threads: int) -> Prepared:
    return case.build(threads)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    small = only_checking(metafunc.config)
    chosen = [
        (case, library)
        for case in all_cases()
        if case.small or not small
        for library in _LIBRARIES[case.op]
        if have(*_MODULES.get(library, ()))
    ]
    metafunc.parametrize(
        ("case", "library"), chosen, ids=[f"{case.name} {library}" for case, library in chosen]
    )


def test_kernel(case: Case, library: str, threads: int, benchmark: Any) -> None:
    prepared = _prepare(case, threads)
    if library not in prepared.calls:
        pytest.skip(f"{library} does not take part at this size")
    assert wrong(prepared, library) == ""
    benchmark.extra_info.update(op=case.op, size=case.label, library=library, threads=threads)
    benchmark(prepared.calls[library])
    if benchmark.stats is None:  # run without timing
        return
    middle = benchmark.stats.stats.median
    amount, unit = (case.flops, "GFLOP/s") if case.flops else (case.moved, "GB/s")
    share = limit(case.flops, case.moved, threads, fma_peak(threads)) / middle
    benchmark.extra_info.update(rate=amount / middle / 1e9, unit=unit, share=share)
