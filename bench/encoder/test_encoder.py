"""The default model from token ids to the last hidden state, next to NumPy, torch and ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.conftest import only_checking
from bench.engines import checkpoint
from bench.engines.backends import Model, create
from bench.engines.catalogue import ENGINES, OURS
from bench.engines.rounds import tolerance
from bench.engines.works import TRUNCATION, Work, make
from bench.rates import fma_peak
from bench.texts import Ids, load, token_ids

_WORKS = ("1x8", "1x128", "8x32", "32x128", "ragged-64")
_QUICK = ("1x8", "ragged-8")
_OTHERS = ("numpy", "torch", "onnxruntime", "onnxruntime-fused")


class _Numpy:
    """The reference encoder in float32."""

    def __init__(self, folder: Path) -> None:
        from polysemy.encoding.loading import load_model
        from polysemy.reference import encode_tokens

        self.encode, self.loaded = encode_tokens, load_model(folder)

    def pack(self, batch: Sequence[Ids]) -> Any:
        return np.concatenate(batch), np.cumsum([0, *(len(ids) for ids in batch)])

    def run(self, packed: Any) -> Any:
        ids, offsets = packed
        return self.encode(
            self.loaded.spec, self.loaded.weights, ids, offsets, dtype=np.float32
        ).hidden_states[-1]

    def rows(self, result: Any, lengths: Sequence[int]) -> NDArray[np.float32]:
        return np.asarray(result, dtype=np.float32)


@pytest.fixture(scope="module")
def runners(tmp_path_factory: pytest.TempPathFactory, threads: int) -> Callable[[str], Any]:
    """Loads an engine on first use."""
    model = Model(checkpoint.default_model(), tmp_path_factory.mktemp("converted"))

    @cache
    def load_engine(name: str) -> Any:
        if name == "numpy":
            return _Numpy(model.folder)
        backend = create(name)
        backend.convert(model)
        backend.load(model, threads)
        return backend

    return load_engine


@cache
def _work(name: str) -> Work:
    return make(name, token_ids(checkpoint.default_model(), load(), TRUNCATION))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    engines = [OURS, *(name for name in _OTHERS if name == "numpy" or not ENGINES[name].missing())]
    metafunc.parametrize("engine", engines)
    metafunc.parametrize("work_name", _QUICK if only_checking(metafunc.config) else _WORKS)


def test_encoder(
    engine: str, work_name: str, runners: Callable[[str], Any], threads: int, benchmark: Any
) -> None:
    """Our hidden states are the standard that the others are held to, and NumPy's the one that ours are."""
    work, runner = _work(work_name), runners(engine)
    packed = runner.pack(work.ids)
    hidden = runner.rows(runner.run(packed), work.lengths)
    standard = runners("numpy" if engine == OURS else OURS)
    expected = standard.rows(standard.run(standard.pack(work.ids)), work.lengths)
    shape = checkpoint.config(checkpoint.default_model())
    assert np.abs(hidden - expected).max() <= tolerance(expected, shape)
    benchmark.extra_info.update(op="encoder", size=work_name, library=engine, threads=threads)
    benchmark(runner.run, packed)
    if benchmark.stats is None:  # run without timing
        return
    rate = checkpoint.flops(checkpoint.default_model(), work.lengths) / benchmark.stats.stats.median
    benchmark.extra_info.update(rate=rate / 1e9, unit="GFLOP/s", share=rate / fma_peak(threads))
