"""Layer norm, RMS norm and L2 normalisation against the float64 reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import ops_bounds
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from ops_draws import normal, wide
from ops_layouts import LAYOUTS
from polysemy import _core, ops, reference


@settings(max_examples=80, deadline=None)
@given(
    rows=st.integers(1, 9),
    length=st.integers(1, 140) | st.sampled_from([384, 768, 1023]),
    ratio=st.sampled_from([0.0, 1.0, 100.0, 1e5]),
    spread=st.sampled_from([1e-4, 1.0, 1e4]),
    affine=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    seed=st.integers(0, 2**32 - 1),
)
def test_layer_norm(
    rows: int, length: int, ratio: float, spread: float, affine: tuple[bool, bool, bool], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    x = ((normal(rng, rows, length) + np.float32(ratio)) * np.float32(spread)).astype(np.float32)
    weight, bias, residual = (
        normal(rng, *shape) if wanted else None
        for shape, wanted in zip([(length,), (length,), (rows, length)], affine, strict=True)
    )
    eps = 1e-12
    # The sum is rounded to float32 first: that is what the operation normalises.
    summed = x if residual is None else x + residual
    oracle = reference.layer_norm(wide(summed), length, wide(weight), wide(bias), eps)
    result = ops.layer_norm(x, length, weight, bias, eps, residual=residual)
    ops_bounds.within(result, oracle, ops_bounds.layer_norm(oracle, weight, bias))


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(1, 9),
    length=st.integers(1, 140) | st.sampled_from([384, 768, 1023]),
    spread=st.sampled_from([1e-4, 1.0, 1e4]),
    affine=st.tuples(st.booleans(), st.booleans()),
    seed=st.integers(0, 2**32 - 1),
)
def test_rms_norm(rows: int, length: int, spread: float, affine: tuple[bool, bool], seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = normal(rng, rows, length) * np.float32(spread)
    weight = normal(rng, length) if affine[0] else None
    residual = normal(rng, rows, length) if affine[1] else None
    summed = x if residual is None else x + residual
    oracle = reference.rms_norm(wide(summed), length, wide(weight))
    result = ops.rms_norm(x, length, weight, residual=residual)
    ops_bounds.within(result, oracle, 3e-7 * np.abs(oracle) + ops_bounds.TINY)


@pytest.mark.parametrize("length", [*range(1, 70), 384])
@pytest.mark.parametrize("level", [0.0, 1.0, -3.7, 1e-30, 123456.7, 1e30])
def test_a_constant_row_gives_exactly_beta(length: int, level: float) -> None:
    rng = np.random.default_rng(length)
    weight, bias = normal(rng, length), normal(rng, length)
    x = np.full((2, length), level, dtype=np.float32)
    np.testing.assert_array_equal(ops.layer_norm(x, length, weight, bias), np.stack([bias, bias]))
    np.testing.assert_array_equal(ops.layer_norm(x, length), np.zeros_like(x))


def test_rows_do_not_touch_each_other() -> None:
    rng = np.random.default_rng(5)
    x = normal(rng, 7, 37)
    alone = [ops.layer_norm(row, 37) for row in x]
    x[3] = np.nan
    x[5] = np.inf
    together = ops.layer_norm(x, 37)
    assert np.isnan(together[3]).all()
    for i in (0, 1, 2, 4, 6):
        np.testing.assert_array_equal(together[i], alone[i])


def test_large_values_do_not_overflow() -> None:
    x = normal(np.random.default_rng(6), 3, 100) * np.float32(1e18)
    for op, oracle_op in ((ops.layer_norm, reference.layer_norm), (ops.rms_norm, reference.rms_norm)):
        oracle = oracle_op(wide(x), 100)
        ops_bounds.within(op(x, 100), oracle, ops_bounds.layer_norm(oracle, None, None))


def test_against_torch() -> None:
    rng = np.random.default_rng(7)
    x, weight, bias = normal(rng, 4, 3, 5, 8), normal(rng, 5, 8), normal(rng, 5, 8)
    t = [torch.from_numpy(a).double() for a in (x, weight, bias)]
    oracle = torch.nn.functional.layer_norm(t[0], (5, 8), t[1], t[2], 1e-5).numpy()
    result = ops.layer_norm(x, (5, 8), weight, bias)
    ops_bounds.within(result, oracle, ops_bounds.layer_norm(oracle, weight, bias))
    # torch's default for eps depends on the dtype; here it is that of float32.
    oracle = torch.nn.functional.rms_norm(t[0], (5, 8), t[1], float(np.finfo(np.float32).eps)).numpy()
    ops_bounds.within(ops.rms_norm(x, [5, 8], weight), oracle, 3e-7 * np.abs(oracle))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout: str) -> None:
    rng = np.random.default_rng(8)
    x, residual, weight, bias = normal(rng, 6, 21), normal(rng, 6, 21), normal(rng, 21), normal(rng, 21)
    change = LAYOUTS[layout]
    result = ops.layer_norm(change(x), 21, change(weight), change(bias), residual=change(residual))
    np.testing.assert_array_equal(result, ops.layer_norm(x, 21, weight, bias, residual=residual))
    np.testing.assert_array_equal(ops.rms_norm(change(x), 21, change(weight)), ops.rms_norm(x, 21, weight))
    np.testing.assert_array_equal(ops.l2_normalize(change(x), 0), ops.l2_normalize(x, 0))


def test_zero_sizes() -> None:
    assert ops.layer_norm(np.zeros((0, 4), dtype=np.float32), 4).shape == (0, 4)
    assert ops.layer_norm(np.zeros((4, 0), dtype=np.float32), 0).shape == (4, 0)
    assert ops.l2_normalize(np.zeros((4, 0), dtype=np.float32)).shape == (4, 0)


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(1, 9),
    length=st.integers(1, 140) | st.sampled_from([384, 768, 1023]),
    spread=st.sampled_from([1e-15, 1e-4, 1.0, 1e15]),
    seed=st.integers(0, 2**32 - 1),
)
def test_l2_normalize(rows: int, length: int, spread: float, seed: int) -> None:
    x = normal(np.random.default_rng(seed), rows, length) * np.float32(spread)
    oracle = reference.l2_normalize(wide(x))
    # 16 lanes add n/16 squares each, then four levels of the tree; root, division and the squares add the
    # rest.
    bound = ops_bounds.U * (8 + length / 16) * np.abs(oracle) + ops_bounds.TINY
    ops_bounds.within(ops.l2_normalize(x), oracle, bound)


def test_l2_normalize_of_zero_is_zero() -> None:
    x = np.zeros((2, 33), dtype=np.float32)
    x[1] = 3.0
    result = ops.l2_normalize(x)
    np.testing.assert_array_equal(result[0], np.zeros(33))
    ops_bounds.within(result[1:], np.full((1, 33), 33**-0.5), ops_bounds.U * 11)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            lambda x, n: (x, 4),
            ValueError,
            r"layer_norm: x must have last axes of shape \(4,\), got shape \(3, 5\)",
        ),
        (lambda x, n: (x, (1, 3, 5)), ValueError, r"layer_norm: x must have last axes"),
        (lambda x, n: (x, ()), ValueError, r"layer_norm: normalized_shape must have at least one axis"),
        (lambda x, n: (x, 5.0), TypeError, r"layer_norm: normalized_shape must be an int, got float"),
        (lambda x, n: (x, True), TypeError, r"layer_norm: normalized_shape must be an int, got bool"),
        (lambda x, n: (x, -5), ValueError, r"layer_norm: normalized_shape .* got -5"),
        (lambda x, n: (x, 5, x), ValueError, r"layer_norm: weight must have shape \(5,\), got \(3, 5\)"),
        (
            lambda x, n: (x, 5, None, n[:4]),
            ValueError,
            r"layer_norm: bias must have shape \(5,\), got \(4,\)",
        ),
        (lambda x, n: (x, 5, n.astype(int)), TypeError, r"layer_norm: weight .* got int64"),
        (
            lambda x, n: (x, 5, n, n, -1.0),
            ValueError,
            r"layer_norm: eps must be a finite float32 number of at least 0, got -1.0",
        ),
        (lambda x, n: (x, 5, n, n, np.nan), ValueError, r"layer_norm: eps"),
        (lambda x, n: (x, 5, n, n, "1"), TypeError, r"layer_norm: eps must be a number, got str"),
        (lambda x, n: (None, 5), TypeError, r"layer_norm: x must be an array, got NoneType"),
        (
            lambda x, n: (x.astype(np.float64), 5),
            TypeError,
            r"layer_norm: x .* float32 or float16, got float64",
        ),
    ],
)
def test_wrong_arguments(arguments: Any, error: type[Exception], message: str) -> None:
    x, n = np.zeros((3, 5), dtype=np.float32), np.ones(5, dtype=np.float32)
    with pytest.raises(error, match=message):
        ops.layer_norm(*arguments(x, n))


def test_wrong_residual() -> None:
    x = np.zeros((3, 5), dtype=np.float32)
    with pytest.raises(ValueError, match=r"layer_norm: residual must have shape \(3, 5\), got \(5,\)"):
        ops.layer_norm(x, 5, residual=x[0])


@pytest.mark.parametrize("eps", [0.0, 1e-45, 1e-5])
@pytest.mark.parametrize("value", [0.0, 1e-45, 1e-30, 0.1, 3.25, -1e19, 3e38])
@pytest.mark.parametrize("length", [1, 5, 17, 384])
def test_a_constant_row_gives_the_bias_for_any_eps(isa: str, length: int, value: float, eps: float) -> None:
    """Whether it is given as such, or a residual makes it one; whatever its sum or its square rounds to."""
    bias = np.arange(length, dtype=np.float32)
    x = np.full((2, length), value, dtype=np.float32)
    for residual in (None, x / 4):
        given = x if residual is None else x - residual
        out = np.full_like(x, np.nan)
        _core.layer_norm(given, bias + 7, bias, residual, eps, out, isa=isa)
        np.testing.assert_array_equal(out, [bias, bias])
        for dtype in (np.float32, np.float64):
            wide = [None if a is None else a.astype(dtype) for a in (given, residual)]
            oracle = reference.layer_norm(wide[0], length, bias + 7, bias, eps, residual=wide[1])
            np.testing.assert_array_equal(oracle, [bias, bias])


@pytest.mark.parametrize("eps", [0.0, 1e-45, 1e-5])
@pytest.mark.parametrize("module", [ops, reference])
def test_a_row_of_zeros_stays_one(module: Any, eps: float) -> None:
    x = np.zeros((2, 5), dtype=np.float32)
    np.testing.assert_array_equal(module.rms_norm(x, 5, x[0] + 7, eps), x)
    np.testing.assert_array_equal(module.l2_normalize(x), x)


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("module", [ops, reference])
def test_a_row_that_is_not_finite_has_no_norm(module: Any, value: float) -> None:
    x = np.array([[value] * 5, [1, 2, 3, 4, 5]], dtype=np.float32)
    result = module.layer_norm(x, 5, eps=0.0)
    assert np.isnan(result[0]).all() and np.isfinite(result[1]).all()
