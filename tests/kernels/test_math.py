"""Elementary functions and activations of the core against float64, for inputs of every magnitude.

tests/kernels/math/sweep.cpp does the same without Python.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from polysemy import _core

Floats = NDArray[np.float32]
Exact = NDArray[np.float64]

SMALLEST_NORMAL = float(np.finfo(np.float32).tiny)
OVERFLOW = float(2**128 - 2**103)  # from here on the nearest float32 is infinity


def _gelu_erf(x: torch.Tensor) -> torch.Tensor:
    y: torch.Tensor = x * 0.5 * torch.special.erfc(-x * 0.5**0.5)
    return y


def _gelu_tanh(x: torch.Tensor) -> torch.Tensor:
    return x * torch.sigmoid((8 / np.pi) ** 0.5 * (x + 0.044715 * x**3))


ORACLES: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "gelu": _gelu_erf,
    "gelu_tanh": _gelu_tanh,
    "relu": torch.relu,
    "silu": lambda x: x * torch.sigmoid(x),
    "tanh": torch.tanh,
    "quick_gelu": lambda x: x * torch.sigmoid(1.702 * x),
    "exp": torch.exp,
    "erf": torch.special.erf,
    "sigmoid": torch.sigmoid,
}
ULPS = {"exp": 1.0, "erf": 2.0, "tanh": 2.0, "sigmoid": 3.0, "relu": 0.0}
GATES = ("gelu", "gelu_tanh", "silu", "quick_gelu")
FLUSHED = ("exp", "sigmoid")  # results below the smallest normal number are zero


def run(name: str, x: Floats, isa: str) -> Floats:
    out = np.empty_like(x)
    _core.activation(x, name, out, num_threads=1, isa=isa)
    return out


def exact(name: str, x: Floats) -> Exact:
    """The function in float64; gates take their limit 0 at -inf, where the formula is inf * 0."""
    y: Exact = ORACLES[name](torch.from_numpy(x.astype(np.float64))).numpy()
    if name in GATES:
        y[np.isneginf(x)] = 0.0
    return y


def ulp(y: Exact) -> Exact:
    """Distance of float32 neighbours at y, from the exponent field of the float64."""
    exponent = np.maximum(y.view(np.int64) & (0x7FF << 52), (1023 - 126) << 52)
    spacing: Exact = (exponent - (23 << 52)).view(np.float64)
    return spacing


def bound(name: str, x: Floats, y: Exact, isa: str) -> Exact:
    if name in GATES:
        return np.maximum(4 * ulp(y), 1e-7 * np.abs(x.astype(np.float64)))
    # Where fma() rounds its product, the last step of exp has half an ULP more.
    unfused = 0.5 if name == "exp" and isa not in _core.fused_isas() else 0.0
    return ulp(y) * (ULPS[name] + unfused)


def check(name: str, x: Floats, isa: str) -> None:
    with np.errstate(all="ignore"):
        result, y = run(name, x, isa), exact(name, x)
        assert np.array_equal(np.isnan(result), np.isnan(y))
        overflow = np.abs(y) >= OVERFLOW
        assert np.array_equal(result[overflow], np.sign(y[overflow]) * np.float32(np.inf))
        flushed = y < SMALLEST_NORMAL if name in FLUSHED else np.zeros(len(y), dtype=bool)
        assert not result[flushed].view(np.uint32).any()
        excess = np.abs(result - y) - bound(name, x, y, isa)
        excess[np.isnan(y) | overflow | flushed] = -1.0
        worst = int(np.argmax(excess))  # the first NaN, if there is one
    assert excess[worst] <= 0, (
        f"{name}({float(x[worst]).hex()}) on {isa}: {result[worst]!r}, exactly {y[worst]!r}"
    )


def dense_sample() -> Floats:
    """One of every 2^11 consecutive bit patterns, both signs and NaN included: 2.1 million; powers of two and
    their neighbours."""
    step = 2**11
    block = np.arange(2**32 // step, dtype=np.uint64)
    patterns = (block * step + block * 0x9E3779B1 % step).astype(np.uint32)
    powers = np.arange(2**9, dtype=np.uint32) << np.uint32(23)
    edges = np.concatenate([powers, powers + np.uint32(1), powers - np.uint32(1)])
    return np.concatenate([patterns, edges]).view(np.float32)


@pytest.fixture(scope="module")
def sample() -> Floats:
    x = dense_sample()
    assert np.isnan(x).mean() < 0.01
    assert len(np.unique(x.view(np.uint32) >> 23)) == 512
    return x


@pytest.mark.parametrize("name", ORACLES)
def test_error_is_bounded(name: str, isa: str, sample: Floats) -> None:
    check(name, sample, isa)


@pytest.mark.parametrize("name", ORACLES)
def test_error_is_bounded_where_the_function_bends(name: str, isa: str) -> None:
    check(name, np.linspace(-20, 20, 1_000_003, dtype=np.float32), isa)


@pytest.mark.parametrize("name", ORACLES)
def test_fused_levels_agree_in_every_bit(name: str, sample: Floats) -> None:
    numbers = sample[~np.isnan(sample)]
    expected, *others = (run(name, numbers, isa).view(np.uint32) for isa in _core.fused_isas())
    for other in others:
        np.testing.assert_array_equal(other, expected)


SPECIAL = {
    "gelu": [0.0, -0.0, np.inf, 0.0],
    "gelu_tanh": [0.0, -0.0, np.inf, 0.0],
    "relu": [0.0, -0.0, np.inf, 0.0],
    "silu": [0.0, -0.0, np.inf, -0.0],
    "tanh": [0.0, -0.0, 1.0, -1.0],
    "quick_gelu": [0.0, -0.0, np.inf, -0.0],
    "exp": [1.0, 1.0, np.inf, 0.0],
    "erf": [0.0, -0.0, 1.0, -1.0],
    "sigmoid": [0.5, 0.5, 1.0, 0.0],
}


@pytest.mark.parametrize("name", ORACLES)
def test_special_values(name: str, isa: str) -> None:
    x = np.array([0.0, -0.0, np.inf, -np.inf, np.nan], dtype=np.float32)
    result = run(name, x, isa)
    np.testing.assert_array_equal(
        result[:4].view(np.uint32), np.array(SPECIAL[name], np.float32).view(np.uint32)
    )
    assert np.isnan(result[4])


@pytest.mark.parametrize("name", ["gelu", "gelu_tanh"])
def test_gelu_is_exactly_the_identity_or_zero_far_out(name: str, isa: str) -> None:
    x = np.geomspace(5.5, 3e38, 1000).astype(np.float32)
    np.testing.assert_array_equal(run(name, x, isa), x)
    np.testing.assert_array_equal(run(name, -x, isa).view(np.uint32), 0)


def floats(stride: int) -> Iterator[Floats]:
    """Every stride-th of all 2^32 floats, in pieces that stay in the cache."""
    piece = np.arange(0, stride * 2**17, stride, dtype=np.uint32)
    for first in range(0, 2**32, stride * 2**17):
        yield (piece + np.uint32(first)).view(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "stride"), [(name, 8 if name in (*GATES, "relu", "sigmoid") else 1) for name in ORACLES]
)
def test_error_is_bounded_for_every_float(name: str, stride: int) -> None:
    """exp, erf and tanh: literally; the others: for every eighth."""
    count = 0
    for x in floats(stride):
        check(name, x, _core.default_isa())
        numbers = x[~np.isnan(x)]
        first, *others = (run(name, numbers, isa).view(np.uint32) for isa in _core.fused_isas())
        assert all(np.array_equal(other, first) for other in others)
        count += len(x)
    assert count * stride == 2**32
