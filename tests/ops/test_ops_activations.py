"""Element-wise functions and softmax against the float64 reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import ops_bounds
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ops_layouts import LAYOUTS
from polysemy import ops, reference

NAMES = ("gelu", "silu", "relu", "tanh", "quick_gelu")
F32 = np.finfo(np.float32)
EXTREMES = np.array(
    [
        sign * x
        for x in (0.0, F32.tiny, F32.smallest_subnormal, 1e-30, 88.0, 104.0, 1e30, 3e38, np.inf, np.nan)
        for sign in (1, -1)
    ],
    dtype=np.float32,
)


def _cases() -> list[tuple[str, dict[str, Any]]]:
    return [(name, {}) for name in NAMES] + [("gelu", {"approximate": "tanh"})]


@pytest.mark.parametrize(("name", "options"), _cases())
def test_values(name: str, options: dict[str, Any]) -> None:
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.standard_normal(5000) * 4, np.linspace(-20, 20, 5001), EXTREMES]).astype(
        np.float32
    )
    oracle = getattr(reference, name)(x.astype(np.float64), **options)
    with np.errstate(invalid="ignore"):
        bound = ops_bounds.gated(x, oracle)
    ops_bounds.within(getattr(ops, name)(x, **options), oracle, bound)


@pytest.mark.parametrize("name", ["gelu", "silu", "quick_gelu"])
def test_the_far_negative_side_goes_to_zero(name: str) -> None:
    x = np.array([-104.0, -1e10, -3e38, -np.inf], dtype=np.float32)
    result = getattr(ops, name)(x)
    # Nothing of a float32 near one is left when this is added to it, nor to its square.
    np.testing.assert_array_less(np.abs(result), ops_bounds.U**2)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", NAMES)
def test_layouts(name: str, layout: str) -> None:
    x = np.random.default_rng(2).standard_normal((5, 19)).astype(np.float32)
    np.testing.assert_array_equal(getattr(ops, name)(LAYOUTS[layout](x)), getattr(ops, name)(x))


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (1, 1, 1, 1), (2, 3, 5)])
def test_shapes(shape: tuple[int, ...]) -> None:
    x = np.full(shape, 0.5, dtype=np.float32)
    result = ops.gelu(x)
    assert result.shape == shape
    assert isinstance(result, np.ndarray)
    assert result.flags.c_contiguous
    ops_bounds.within(result, reference.gelu(x.astype(np.float64)), ops_bounds.gated(x, reference.gelu(x)))


def test_float16_is_widened() -> None:
    x = np.linspace(-4, 4, 33).astype(np.float16)
    np.testing.assert_array_equal(ops.gelu(x), ops.gelu(x.astype(np.float32)))


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 4),
    length=st.integers(1, 140),
    spread=st.sampled_from([0.0, 1.0, 30.0, 1e4]),
    seed=st.integers(0, 2**32 - 1),
)
def test_softmax(rows: int, length: int, spread: float, seed: int) -> None:
    x = (np.random.default_rng(seed).standard_normal((rows, length)) * spread).astype(np.float32)
    wide = x.astype(np.float64)
    oracle = reference.softmax(wide)
    ops_bounds.within(ops.softmax(x), oracle, ops_bounds.softmax(wide, oracle))


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3])
def test_softmax_axis(axis: int) -> None:
    x = np.random.default_rng(4).standard_normal((3, 17, 5)).astype(np.float32)
    result = ops.softmax(x, axis)
    assert result.flags.c_contiguous
    np.testing.assert_array_equal(result, np.moveaxis(ops.softmax(np.moveaxis(x, axis, -1)), -1, axis))
    out = np.full_like(x, np.nan)
    assert ops.softmax(x, axis, out=out) is out
    np.testing.assert_array_equal(out, result)


@pytest.mark.parametrize("length", [1, 2, 15, 16, 17, 33, 64, 100])
def test_softmax_special_values(length: int) -> None:
    rng = np.random.default_rng(length)
    at = int(rng.integers(length))
    row = rng.standard_normal(length).astype(np.float32)
    one_hot = np.zeros(length)
    one_hot[at] = 1.0

    def softmax(values: Any) -> Any:
        return ops.softmax(np.asarray(values, dtype=np.float32)[None])[0]

    np.testing.assert_array_equal(softmax(np.full(length, -np.inf)), np.zeros(length))
    for huge in (np.inf, 1e30, 3e38):
        np.testing.assert_array_equal(softmax(np.where(one_hot, huge, row)), one_hot)
    np.testing.assert_array_equal(softmax(np.where(one_hot, row, -np.inf)), one_hot)
    np.testing.assert_array_equal(softmax(np.where(one_hot, 3e38, -3e38)), one_hot)
    assert np.isnan(softmax(np.where(one_hot, np.nan, row))).all()
    if length > 1:
        two = one_hot.astype(bool) | np.roll(one_hot, 1).astype(bool)
        assert np.isnan(softmax(np.where(two, np.inf, row))).all()
    for level in (-3e38, 0.0, 3e38):
        ops_bounds.within(
            softmax(np.full(length, level)),
            np.full(length, 1 / length),
            8 * ops_bounds.U * (1 + length) / length,
        )


def test_softmax_underflows_to_zero() -> None:
    result = ops.softmax(np.array([[0.0, -110.0, -1e5]], dtype=np.float32))
    np.testing.assert_array_equal(result, [[1.0, 0.0, 0.0]])
    assert not np.signbit(result).any()


def test_softmax_without_elements() -> None:
    assert ops.softmax(np.zeros((3, 0), dtype=np.float32)).shape == (3, 0)
    assert ops.softmax(np.zeros((0, 3), dtype=np.float32), axis=0).shape == (0, 3)


def test_wrong_options() -> None:
    x = np.zeros(3, dtype=np.float32)
    with pytest.raises(ValueError, match=r"gelu: approximate must be 'none' or 'tanh', got 'fast'"):
        ops.gelu(x, "fast")
    with pytest.raises(ValueError, match=r"softmax: axis .* 1 dimensions, got 1"):
        ops.softmax(x, 1)
    with pytest.raises(ValueError, match=r"softmax: axis"):
        ops.softmax(np.float32(1.0), -1)
    with pytest.raises(TypeError, match=r"softmax: axis must be an int, got float"):
        ops.softmax(x, 0.0)  # type: ignore[arg-type]
