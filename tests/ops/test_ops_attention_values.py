"""Attention on special values: infinities, NaN, huge logits, rows where nothing takes part."""

from __future__ import annotations

from typing import Any

import numpy as np
import ops_bounds
import pytest
from polysemy import ops

SDPA = ops.scaled_dot_product_attention
LENGTHS = [1, 2, 5, 16, 17, 64, 65, 130, 257, 600]


def _with_logits(logits: Any, value: Any) -> Any:
    """Attention whose scores are exactly these: queries and keys are zero."""
    bias = np.asarray(logits, dtype=np.float32).reshape(1, -1)
    zero = np.zeros((bias.shape[1], 3), dtype=np.float32)
    return SDPA(zero[:1], zero, value, bias, return_weights=True, return_lse=True)


def _values(n: int) -> Any:
    return np.random.default_rng(n).standard_normal((n, 5)).astype(np.float32)


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("place", ["first", "middle", "last"])
@pytest.mark.parametrize("huge", [np.inf, 3e38, 1e30, 1e4])
def test_one_outlier_is_one_hot(n: int, place: str, huge: float) -> None:
    at = {"first": 0, "middle": n // 2, "last": n - 1}[place]
    value = _values(n)
    logits = np.random.default_rng(1).standard_normal(n)
    logits[at] = huge
    result, weights, _ = _with_logits(logits, value)
    np.testing.assert_array_equal(weights[0], np.eye(n)[at])
    np.testing.assert_array_equal(result[0], value[at])


@pytest.mark.parametrize("n", LENGTHS[1:])
def test_two_infinities_are_not_a_number(n: int) -> None:
    for first, second in ((0, n - 1), (n // 2 - 1, n // 2)):
        logits = np.zeros(n)
        logits[[first, second]] = np.inf
        result, weights, _ = _with_logits(logits, _values(n))
        assert np.isnan(weights).all()
        assert np.isnan(result).all()


@pytest.mark.parametrize("n", LENGTHS)
def test_nothing_takes_part(n: int) -> None:
    result, weights, lse = _with_logits(np.full(n, -np.inf), _values(n))
    np.testing.assert_array_equal(result, np.zeros((1, 5)))
    np.testing.assert_array_equal(weights, np.zeros((1, n)))
    np.testing.assert_array_equal(lse, [-np.inf])
    q = np.ones((4, 3), dtype=np.float32)
    k = np.ones((n, 3), dtype=np.float32)
    keep = np.ones((4, n), dtype=bool)
    keep[1] = keep[3] = False
    result, weights, lse = SDPA(q, k, _values(n), keep, return_weights=True, return_lse=True)
    np.testing.assert_array_equal(result[[1, 3]], np.zeros((2, 5)))
    np.testing.assert_array_equal(weights[[1, 3]], np.zeros((2, n)))
    np.testing.assert_array_equal(lse[[1, 3]], [-np.inf] * 2)
    assert (result[[0, 2]] != 0).all()


def test_a_window_or_causality_may_leave_nothing() -> None:
    q, k = np.ones((9, 3), dtype=np.float32), np.ones((4, 3), dtype=np.float32)
    result = SDPA(q, k, _values(4), window=(1, 0))
    np.testing.assert_array_equal(result[5:], np.zeros((4, 5)))
    assert (result[:5] != 0).all()
    assert (SDPA(q, k, _values(4), is_causal=True) != 0).all()


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("level", [-3e38, -1e30, 0.0, 1e30, 3e38])
def test_equal_logits_of_any_size_are_uniform(n: int, level: float) -> None:
    value = _values(n)
    result, weights, _ = _with_logits(np.full(n, level), value)
    ops_bounds.within(weights, np.full((1, n), 1 / n), 8 * ops_bounds.U * (1 + n) / n)
    mean, size = value.astype(np.float64).mean(axis=0), np.abs(value.astype(np.float64)).mean(axis=0)
    ops_bounds.within(
        result[0], mean, np.maximum(8 * ops_bounds.U * (1 + n) * np.abs(mean), 4 * ops_bounds.U * size)
    )


@pytest.mark.parametrize("n", LENGTHS[1:])
def test_logits_from_end_to_end_of_float32(n: int) -> None:
    logits = np.linspace(-3e38, 3e38, n)
    value = _values(n)
    for order in (1, -1):
        result, weights, _ = _with_logits(logits[::order], value)
        at = int(np.argmax(logits[::order]))
        np.testing.assert_array_equal(weights[0], np.eye(n)[at])
        np.testing.assert_array_equal(result[0], value[at])


def test_a_growing_maximum_is_followed() -> None:
    """Each key has a larger logit than all before, so that the running sums are rescaled all the time."""
    n = 700
    logits = np.linspace(-50, 50, n)
    value = _values(n)
    exact = np.exp(logits - 50)
    exact /= exact.sum()
    oracle = exact @ value.astype(np.float64)
    bound = (8 * ops_bounds.U * (1 + n) + 50 * ops_bounds.U) * (exact @ np.abs(value.astype(np.float64)))
    for order in (1, -1):
        result, _, _ = _with_logits(logits[::order], value[::order])
        ops_bounds.within(result[0], oracle, bound)


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf, 1e38])
@pytest.mark.parametrize("which", ["query", "key", "value"])
def test_poison_stays_in_its_sequence(poison: float, which: str) -> None:
    rng = np.random.default_rng(3)
    lens = [7, 70, 130, 5]
    arrays = {
        name: rng.standard_normal((212, 2, 20)).astype(np.float32) for name in ("query", "key", "value")
    }
    clean = SDPA(*arrays.values(), seqlens=lens)
    arrays[which][7:77] = poison
    dirty = SDPA(*arrays.values(), seqlens=lens)
    np.testing.assert_array_equal(dirty[:7], clean[:7])
    np.testing.assert_array_equal(dirty[77:], clean[77:])
    assert not np.array_equal(dirty[7:77], clean[7:77])


def test_nan_in_one_query_stays_in_its_row() -> None:
    rng = np.random.default_rng(4)
    q, k, v = (rng.standard_normal((n, 20)).astype(np.float32) for n in (40, 100, 100))
    clean = SDPA(q, k, v)
    q[11] = np.nan
    dirty = SDPA(q, k, v)
    assert np.isnan(dirty[11]).all()
    others = np.arange(40) != 11
    np.testing.assert_array_equal(dirty[others], clean[others])


def test_nan_in_a_key_reaches_every_query() -> None:
    rng = np.random.default_rng(5)
    q, k, v = (rng.standard_normal((n, 20)).astype(np.float32) for n in (40, 100, 100))
    k[70] = np.nan
    assert np.isnan(SDPA(q, k, v)).all()


def test_values_of_any_size_survive() -> None:
    """As long as float32 holds their sum."""
    value = np.array([[1e36, 1e-36, -1e36]] * 130, dtype=np.float32)
    zero = np.zeros((130, 4), dtype=np.float32)
    result = SDPA(zero[:3], zero, value)
    bound = 8 * ops_bounds.U * 131 * np.abs(value[:3].astype(np.float64))
    ops_bounds.within(result, value[:3].astype(np.float64), bound)


def test_denormal_weights_are_zero_or_exact() -> None:
    _, weights, _ = _with_logits([0.0, -87.0, -100.0, -104.0, -1e6], _values(5))
    exact = np.exp([0.0, -87.0, -100.0, -104.0, -1e6])
    ops_bounds.within(weights[0], exact, 8 * ops_bounds.U * 6 * exact + ops_bounds.TINY)
    assert weights[0, 4] == 0.0
    assert not np.signbit(weights).any()


@pytest.mark.parametrize("kind", ["mask", "causal", "window"])
@pytest.mark.parametrize("poison", [np.nan, np.inf, 3e38])
def test_a_key_that_takes_no_part_may_hold_anything(kind: str, poison: float) -> None:
    rng = np.random.default_rng(6)
    q, k, v = (rng.standard_normal((2, 90, 20)).astype(np.float32) for _ in range(3))
    i, j = np.arange(90)[:, None], np.arange(90)[None, :]
    keep = {"mask": (j % 3 != 1) & (i >= 0), "causal": j <= i, "window": (j >= i - 4) & (j <= i + 2)}[kind]
    options: dict[str, Any] = {
        "mask": {"attn_mask": keep},
        "causal": {"is_causal": True},
        "window": {"window": (4, 2)},
    }[kind]
    clean = SDPA(q, k, v, **options)
    at = 58
    k[:, at] = poison
    unseen = ~keep[:, at]
    assert unseen.sum() > 0
    np.testing.assert_array_equal(SDPA(q, k, v, **options)[:, unseen], clean[:, unseen])
