"""Linear layers and matrix products against float64."""

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
from ops_memory import guarded, guarded_output
from polysemy import ops, reference

ACTIVATIONS = (None, "gelu", "gelu_tanh", "relu", "silu", "tanh", "quick_gelu")
# No slope of these functions exceeds this (GELU's largest is 1.13), so an error in their argument grows no
# further.
STEEPEST = 1.13


@settings(max_examples=80, deadline=None)
@given(
    m=st.integers(1, 40),
    n=st.integers(1, 70),
    k=st.integers(1, 70) | st.sampled_from([384, 1025]),
    activation=st.sampled_from(ACTIVATIONS),
    extras=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    seed=st.integers(0, 2**32 - 1),
)
def test_linear(
    m: int, n: int, k: int, activation: str | None, extras: tuple[bool, bool, bool], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    x, weight = normal(rng, m, k), normal(rng, n, k)
    bias = normal(rng, n) if extras[0] else None
    residual = normal(rng, m, n) if extras[1] else None
    before = reference.linear(wide(x), wide(weight), wide(bias))
    middle = reference.linear(wide(x), wide(weight), wide(bias), activation=activation)
    oracle = reference.linear(
        wide(x), wide(weight), wide(bias), activation=activation, residual=wide(residual)
    )
    bound = STEEPEST * ops_bounds.product(x, weight.T, bias) + ops_bounds.U * np.abs(oracle)
    if activation is not None:
        bound = bound + ops_bounds.gated(before, middle)
    given_weight = ops.PackedWeight(weight) if extras[2] else weight
    result = ops.linear(x, given_weight, bias, activation=activation, residual=residual)
    ops_bounds.within(result, oracle, bound)


@settings(max_examples=40, deadline=None)
@given(m=st.integers(1, 40), n=st.integers(1, 70), k=st.integers(1, 300), seed=st.integers(0, 2**32 - 1))
def test_integer_fill_is_exact(m: int, n: int, k: int, seed: int) -> None:
    """Small integers leave no room for rounding: every product and partial sum is a float32."""
    rng = np.random.default_rng(seed)
    x = rng.integers(-8, 9, (m, k)).astype(np.float32)
    weight = rng.integers(-8, 9, (n, k)).astype(np.float32)
    exact = x.astype(np.int64) @ weight.T.astype(np.int64)
    np.testing.assert_array_equal(ops.linear(x, weight), exact)
    np.testing.assert_array_equal(ops.matmul(x, weight, transpose_b=True), exact)


def test_a_row_does_not_depend_on_the_others() -> None:
    rng = np.random.default_rng(1)
    x, weight = normal(rng, 61, 100), ops.PackedWeight(normal(rng, 50, 100))
    whole = ops.linear(x, weight)
    x[7], x[23] = np.nan, np.inf
    poisoned = ops.linear(x, weight)
    for i in set(range(61)) - {7, 23}:
        np.testing.assert_array_equal(ops.linear(x[i], weight), whole[i])
        np.testing.assert_array_equal(poisoned[i], whole[i])


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 0)])
def test_linear_without_features_is_its_bias(activation: str | None, shape: tuple[int, ...]) -> None:
    bias = normal(np.random.default_rng(2), 5)
    x = np.zeros(shape, dtype=np.float32)
    result = ops.linear(x, np.zeros((5, 0), dtype=np.float32), bias, activation=activation)
    row = np.asarray(
        getattr(ops, {None: "relu", "gelu_tanh": "gelu"}.get(activation, activation or ""))(bias)
    )
    if activation is None:
        row = bias
    elif activation == "gelu_tanh":
        row = ops.gelu(bias, "tanh")
    np.testing.assert_array_equal(result, np.broadcast_to(row, (*shape[:-1], 5)))
    packed = ops.PackedWeight(np.zeros((5, 0), dtype=np.float32))
    assert (packed.shape, packed.nbytes) == ((5, 0), 0)
    np.testing.assert_array_equal(ops.linear(x, packed, bias, activation=activation), result)


def test_packed_weight_is_a_copy() -> None:
    rng = np.random.default_rng(3)
    weight, x = normal(rng, 6, 7), normal(rng, 3, 7)
    packed = ops.PackedWeight(weight)
    before = ops.linear(x, weight)
    weight[...] = np.nan
    np.testing.assert_array_equal(ops.linear(x, packed), before)
    assert packed.shape == (6, 7)
    assert packed.nbytes >= 6 * 7 * 4
    assert repr(packed) == "PackedWeight(shape=(6, 7))"


@settings(max_examples=80, deadline=None)
@given(
    batch=st.sampled_from([((), ()), ((3,), ()), ((), (3,)), ((2, 1), (3,)), ((1,), (4,)), ((2, 3), (2, 3))]),
    m=st.integers(1, 20),
    n=st.integers(1, 20),
    k=st.integers(0, 40),
    transposed=st.tuples(st.booleans(), st.booleans()),
    seed=st.integers(0, 2**32 - 1),
)
def test_matmul(batch: Any, m: int, n: int, k: int, transposed: tuple[bool, bool], seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = normal(rng, *batch[0], m, k), normal(rng, *batch[1], k, n)
    given_a = np.swapaxes(a, -1, -2).copy() if transposed[0] else a
    given_b = np.swapaxes(b, -1, -2).copy() if transposed[1] else b
    out = np.full(np.matmul(a, b).shape, np.nan, dtype=np.float32)
    result = ops.matmul(given_a, given_b, transpose_a=transposed[0], transpose_b=transposed[1], out=out)
    assert result is out
    ops_bounds.within(result, np.matmul(wide(a), wide(b)), ops_bounds.product(a, b))


def _one_by_one(a: Any, b: Any) -> Any:
    """The products of a batch, each alone and with its second factor packed as a whole."""
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a, b = (np.broadcast_to(x, (*batch, *x.shape[-2:])) for x in (a, b))
    result = np.full((*batch, a.shape[-2], b.shape[-1]), np.nan, dtype=np.float32)
    for index in np.ndindex(batch):
        ops.linear(a[index], ops.PackedWeight(b[index].T), out=result[index])
    return result


@settings(max_examples=60, deadline=None)
@given(
    batch=st.sampled_from(
        [((), (7,)), ((70,), ()), ((2, 1), (3,)), ((2, 3), (3,)), ((3, 1, 2), (1, 4, 1)), ((1,), (1,))]
    ),
    sizes=st.tuples(st.integers(1, 40), st.integers(1, 70), st.integers(1, 130))
    | st.sampled_from([(1, 1, 6500), (300, 17, 3073), (5, 500, 3072), (2000, 3, 2), (1, 40, 1)]),
    orders=st.tuples(st.booleans(), st.booleans()),
    threads=st.sampled_from([1, 2, 3, 8]),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_batch_is_each_product_alone(
    batch: Any, sizes: tuple[int, int, int], orders: tuple[bool, bool], threads: int, seed: int
) -> None:
    """Bit for bit: the place in the batch, the threads, and how much is packed at once have no influence."""
    (m, n, k), rng = sizes, np.random.default_rng(seed)
    a, b = normal(rng, *batch[0], m, k), normal(rng, *batch[1], k, n)
    expected = _one_by_one(a, b)
    if orders[0]:
        a = np.swapaxes(np.swapaxes(a, -1, -2).copy(), -1, -2)
    if orders[1]:
        b = np.swapaxes(np.swapaxes(b, -1, -2).copy(), -1, -2)
    np.testing.assert_array_equal(ops.matmul(a, b, num_threads=threads), expected)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_of_a_batch(layout: str) -> None:
    rng = np.random.default_rng(7)
    a, b = normal(rng, 3, 6, 21), normal(rng, 3, 21, 18)
    change = LAYOUTS[layout]
    np.testing.assert_array_equal(ops.matmul(change(a), change(b)), _one_by_one(a, b))


def test_windows_that_overlap_are_factors_like_others() -> None:
    rng = np.random.default_rng(8)
    windows = np.lib.stride_tricks.sliding_window_view(normal(rng, 60), 20)[:, None]
    b = np.lib.stride_tricks.sliding_window_view(normal(rng, 41, 5), (20, 5))[::2, 0]
    np.testing.assert_array_equal(ops.matmul(windows[:11], b), _one_by_one(windows[:11], b))


@pytest.mark.parametrize("at_end", [True, False], ids=["page_behind", "page_before"])
def test_a_batch_stays_within_its_arrays(at_end: bool) -> None:
    rng = np.random.default_rng(9)
    for m, n, k in [(1, 1, 1), (1, 17, 5), (7, 16, 33), (19, 50, 192), (200, 3, 70)]:
        a, b = guarded(normal(rng, 3, 1, m, k), at_end=at_end), guarded(normal(rng, 2, k, n), at_end=at_end)
        turned = guarded(normal(rng, 2, n, k), at_end=at_end)
        out = guarded_output((3, 2, m, n), at_end=at_end)
        np.testing.assert_array_equal(ops.matmul(a, b, out=out), _one_by_one(a, b))
        out = guarded_output((3, 2, m, n), at_end=at_end)
        ops.matmul(a, turned, transpose_b=True, out=out)
        np.testing.assert_array_equal(out, _one_by_one(a, turned.swapaxes(1, 2)))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((5,), (5,)),
        ((5,), (5, 4)),
        ((3, 5), (5,)),
        ((2, 3, 5), (5,)),
        ((5,), (2, 5, 4)),
        ((0, 5), (5, 3)),
        ((3, 0), (0, 4)),
        ((0, 2, 3), (3, 4)),
        ((3, 5), (5, 0)),
    ],
)
def test_matmul_has_the_shapes_of_numpy(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    rng = np.random.default_rng(4)
    left, right = normal(rng, *a), normal(rng, *b)
    result = ops.matmul(left, right)
    ops_bounds.within(result, np.asarray(np.matmul(wide(left), wide(right))), ops_bounds.product(left, right))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout: str) -> None:
    rng = np.random.default_rng(5)
    x, weight, bias, residual = normal(rng, 6, 21), normal(rng, 9, 21), normal(rng, 9), normal(rng, 6, 9)
    change = LAYOUTS[layout]
    expected = ops.linear(x, weight, bias, residual=residual)
    result = ops.linear(change(x), change(weight), change(bias), residual=change(residual))
    np.testing.assert_array_equal(result, expected)
    np.testing.assert_array_equal(
        ops.matmul(change(x), change(weight), transpose_b=True), ops.matmul(x, weight, transpose_b=True)
    )


def test_against_torch() -> None:
    rng = np.random.default_rng(6)
    x, weight, bias = normal(rng, 2, 7, 33), normal(rng, 12, 33), normal(rng, 12)
    oracle = torch.nn.functional.linear(*(torch.from_numpy(a).double() for a in (x, weight, bias))).numpy()
    ops_bounds.within(ops.linear(x, weight, bias), oracle, ops_bounds.product(x, weight.T, bias))


Z = np.zeros


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda x, w: ops.linear(x, w.T),
            ValueError,
            r"linear: x must have shape \(\.\.\., 5\), got \(3, 4\)",
        ),
        (
            lambda x, w: ops.linear(x, w[0]),
            ValueError,
            r"linear: weight must have shape \(out, in\), got \(4,\)",
        ),
        (
            lambda x, w: ops.linear(x[0, 0], w),
            ValueError,
            r"linear: x must have shape \(\.\.\., 4\), got \(\)",
        ),
        (lambda x, w: ops.linear(x, None), TypeError, r"linear: weight must be an array, got NoneType"),
        (lambda x, w: ops.linear(x, w, x), ValueError, r"linear: bias must have shape \(5,\), got \(3, 4\)"),
        (lambda x, w: ops.linear(x, w, residual=x), ValueError, r"linear: residual must have shape \(3, 5\)"),
        (
            lambda x, w: ops.linear(x, w, activation="selu"),
            ValueError,
            r"linear: activation must be None or",
        ),
        (lambda x, w: ops.linear(x, w, activation=1), ValueError, r"linear: activation .* got 1"),
        (lambda x, w: ops.linear(x, w, num_threads=0), ValueError, r"linear: num_threads .* got 0"),
        (lambda x, w: ops.linear(x, w, num_threads=1.0), TypeError, r"linear: num_threads .* got float"),
        (
            lambda x, w: ops.PackedWeight(w[0]),
            ValueError,
            r"PackedWeight: weight must have shape \(out, in\)",
        ),
        (lambda x, w: ops.PackedWeight(w.astype(int)), TypeError, r"PackedWeight: weight .* got int64"),
        (ops.matmul, ValueError, r"matmul: b must have 4 rows as a has columns, got 5"),
        (lambda x, w: ops.matmul(x[0, 0], w), ValueError, r"matmul: a must have at least one dimension"),
        (lambda x, w: ops.matmul(x[0], w, transpose_a=True), ValueError, r"matmul: transpose_a .* 1-D"),
        (
            lambda x, w: ops.matmul(x, w, transpose_b=1),
            TypeError,
            r"matmul: transpose_b must be True or False, got int",
        ),
        (
            lambda x, w: ops.matmul(Z((2, 3, 4), np.float32), Z((3, 4, 5), np.float32)),
            ValueError,
            r"matmul: b must have leading axes that broadcast with \(2,\), got \(3,\)",
        ),
    ],
)
def test_wrong_arguments(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(Z((3, 4), np.float32), Z((5, 4), np.float32))
