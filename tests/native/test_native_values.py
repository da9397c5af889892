"""The C functions give the very bits of the NumPy functions, whatever the strides of their arrays."""

from __future__ import annotations

from ctypes import byref, c_int64, c_void_p
from typing import Any

import numpy as np
import pytest
from c_library import OK, Library, address, spread, strides
from numpy.typing import NDArray
from polysemy import _core, ops

THREADS = [1, 3]


def values(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


def gap(array: NDArray[Any]) -> NDArray[np.float32]:
    """An output like this array, in rows with NaN around them."""
    return spread(np.full(array.shape, np.nan, dtype=np.float32))


def same(out: NDArray[np.float32], expected: NDArray[np.float32]) -> None:
    np.testing.assert_array_equal(out, expected)
    assert np.abs(expected).max() > 0
    base = out.base
    if base is not None and base.shape != out.shape:  # nothing was written between the rows
        assert np.isnan(base).sum() == base.size - out.size


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("layout", [np.ascontiguousarray, spread])
def test_row_operations(lib: Library, threads: int, layout: Any) -> None:
    x, residual, weight, bias = (
        layout(values(37, 901)),
        layout(values(37, 901, seed=1)),
        values(901),
        values(901, seed=2),
    )
    row, other = strides(x)[0], strides(residual)[0]
    out = gap(x)
    step = strides(out)[0]
    assert (
        lib.layer_norm_f32(
            37,
            901,
            address(x),
            row,
            address(residual),
            other,
            address(weight),
            address(bias),
            1e-5,
            address(out),
            step,
            threads,
        )
        == OK
    )
    same(out, ops.layer_norm(x, 901, weight, bias, residual=residual))
    assert (
        lib.layer_norm_f32(37, 901, address(x), row, None, 0, None, None, 1e-5, address(out), step, threads)
        == OK
    )
    same(out, ops.layer_norm(x, 901))
    assert (
        lib.rms_norm_f32(
            37, 901, address(x), row, None, 0, address(weight), 1e-5, address(out), step, threads
        )
        == OK
    )
    same(out, ops.rms_norm(x, 901, weight, eps=1e-5))
    assert lib.softmax_f32(37, 901, address(x), row, address(out), step, threads) == OK
    same(out, ops.softmax(x))
    assert lib.l2_normalize_f32(37, 901, address(x), row, address(out), step, threads) == OK
    same(out, ops.l2_normalize(x))


def test_in_place(lib: Library) -> None:
    x = values(9, 33)
    expected = ops.layer_norm(x, 33)
    assert lib.layer_norm_f32(9, 33, address(x), 33, None, 0, None, None, 1e-5, address(x), 33, 0) == OK
    same(x, expected)
    expected = ops.softmax(x)
    assert lib.softmax_f32(9, 33, address(x), 33, address(x), 33, 0) == OK
    same(x, expected)


@pytest.mark.parametrize(("number", "name"), list(enumerate(_core.ACTIVATIONS[:7])))
def test_activations(lib: Library, number: int, name: str) -> None:
    x = values(70_001) * 3
    out = np.full_like(x, np.nan)
    assert lib.activation_f32(number, x.size, address(x), address(out), 2) == OK
    expected = np.empty_like(x)
    _core.activation(x, name, expected)
    same(out, expected)
    if name in ("gelu", "relu", "silu"):  # the numbers mean what their names say
        same(out, getattr(ops, name)(x))


@pytest.mark.parametrize(("number", "mode"), list(enumerate(_core.POOLINGS)))
def test_pooling(lib: Library, number: int, mode: str) -> None:
    x = spread(values(40, 65))
    offsets = np.array([0, 7, 7, 30, 40], dtype=np.int64)
    out, expected = np.full((4, 65), np.nan, dtype=np.float32), np.empty((4, 65), dtype=np.float32)
    assert lib.pool_f32(number, 4, 65, address(x), strides(x)[0], address(offsets), address(out), 2) == OK
    _core.pool(np.ascontiguousarray(x), offsets, mode, expected)
    same(out, expected)
    assert not out[1].any()


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("m", [1, 50, 200])
@pytest.mark.parametrize(("n", "k"), [(1, 1), (45, 31), (48, 800)])
def test_matmul(lib: Library, m: int, n: int, k: int, threads: int) -> None:
    a, b = values(m, k), values(k, n, seed=1)
    expected = ops.matmul(a, b)
    within = 8 * 2.0**-24 * (np.abs(a).astype(np.float64) @ np.abs(b))
    assert np.all(np.abs(expected - a.astype(np.float64) @ b) <= within)
    for turned_a, turned_b in np.ndindex(2, 2):
        left, right = spread(a.T if turned_a else a), spread(b.T if turned_b else b)
        c = gap(expected)
        steps = strides(left)[0], strides(right)[0], strides(c)[0]
        status = lib.matmul_f32(
            turned_a,
            turned_b,
            m,
            n,
            k,
            address(left),
            steps[0],
            address(right),
            steps[1],
            address(c),
            steps[2],
            threads,
        )
        assert status == OK, lib.message()
        same(c, expected)


@pytest.mark.parametrize("rows", [1, 130])
def test_linear(lib: Library, rows: int) -> None:
    x, weight, bias, residual = (
        spread(values(rows, 500)),
        spread(values(70, 500)),
        values(70),
        values(rows, 70),
    )
    handle = c_void_p()
    assert lib.weight_create_f32(70, 500, address(weight), strides(weight)[0], byref(handle)) == OK
    assert (lib.weight_rows(handle), lib.weight_columns(handle)) == (70, 500)
    out = gap(residual)
    for bias_or_none, residual_or_none, number, name in [
        (bias, residual, 1, "gelu"),
        (None, residual, 0, None),
        (bias, None, 5, "tanh"),
    ]:
        status = lib.linear_f32(
            rows, address(x), strides(x)[0], handle, address(bias_or_none), address(residual_or_none), 70,
            number, address(out), strides(out)[0], 2,
        )  # fmt: skip
        assert status == OK, lib.message()
        same(out, ops.linear(x, weight, bias_or_none, activation=name, residual=residual_or_none))
    lib.weight_destroy(handle)


@pytest.mark.parametrize(("number", "precision"), list(enumerate(_core.PRECISIONS)))
@pytest.mark.parametrize("rows", [1, 130])
def test_linear_in_every_precision(lib: Library, rows: int, number: int, precision: str) -> None:
    x, weight, handle = spread(values(rows, 500)), spread(values(70, 500)), c_void_p()
    given = (70, 500, address(weight), strides(weight)[0])
    assert lib.weight_create_in(*given, number, byref(handle)) == OK, lib.message()
    out = gap(values(rows, 70))
    given = (rows, address(x), strides(x)[0], handle, None, None, 0, 0, address(out), strides(out)[0], 2)
    assert lib.linear_f32(*given) == OK, lib.message()
    same(out, ops.linear(x, weight, precision=precision))
    lib.weight_destroy(handle)


def test_weight_of_one_row_for_all(lib: Library) -> None:
    """A stride of 0; nothing lies behind the row."""
    x, row = values(3, 8), values(8, seed=1)
    handle = c_void_p()
    assert lib.weight_create_f32(32, 8, address(row), 0, byref(handle)) == OK, lib.message()
    out = np.full((3, 32), np.nan, dtype=np.float32)
    assert lib.linear_f32(3, address(x), 8, handle, None, None, 0, 0, address(out), 32, 1) == OK
    same(out, ops.linear(x, np.repeat(row[None], 32, axis=0)))
    lib.weight_destroy(handle)


OPTIONS: list[dict[str, Any]] = [
    {},
    {"is_causal": True},
    {"scale": 0.3, "window": (5, 2)},
    {"window": (-1, 3), "alibi_slopes": np.array([0.5, 0.25, 0.1, 0.0], dtype=np.float32)},
    {"attn_mask": np.random.default_rng(1).random((2, 1, 53, 71)) < 0.5},
    {"attn_mask": values(4, 1, 71)},
]


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: "-".join(o) or "plain")
def test_attention(lib: Library, options: dict[str, Any], threads: int) -> None:
    """Grouped heads, other lengths and dims of the values, and each modifier, on strided arrays."""
    query, key, value = (spread(values(*s)) for s in [(2, 4, 53, 24), (2, 2, 71, 24), (2, 2, 71, 17)])
    expected, weights, lse = ops.scaled_dot_product_attention(
        query, key, value, enable_gqa=True, return_weights=True, return_lse=True, **options
    )
    out = gap(expected)
    args = lib.sdpa_args(query, key, value, out)
    args.num_threads = threads
    args.scale = options.get("scale", 0.0)
    args.causal = options.get("is_causal", False)
    args.window_left, args.window_right = options.get("window", (-1, -1))
    args.alibi = address(options.get("alibi_slopes"))
    mask = options.get("attn_mask")
    if mask is not None:
        args.mask_kind = 1 if mask.dtype == bool else 2
        args.mask = address(mask)
        args.mask_strides = (c_int64 * 4)(*strides(np.broadcast_to(mask, (2, 4, 53, 71))))
    assert lib.sdpa_f32(byref(args)) == OK, lib.message()
    same(out, expected)
    got_weights, got_lse = np.full_like(weights, np.nan), np.full_like(lse, np.nan)
    args.weights, args.lse = address(got_weights), address(got_lse)
    assert lib.sdpa_f32(byref(args)) == OK, lib.message()
    same(out, expected)
    same(got_weights, weights)
    same(got_lse, lse)


def test_attention_contiguous_strides(lib: Library) -> None:
    query, key, value = values(3, 2, 5, 8), values(3, 2, 6, 8), values(3, 2, 6, 4)
    out = np.full((3, 2, 5, 4), np.nan, dtype=np.float32)
    args = lib.sdpa_args(query, key, value, out)
    before = [list(getattr(args, f"{name}_strides")) for name in ("query", "key", "value", "out")]
    args.query_strides = args.key_strides = args.value_strides = args.out_strides = (c_int64 * 3)()
    assert lib.sdpa_set_contiguous(byref(args)) == OK
    assert [list(getattr(args, f"{name}_strides")) for name in ("query", "key", "value", "out")] == before
    assert lib.sdpa_f32(byref(args)) == OK
    same(out, ops.scaled_dot_product_attention(query, key, value))


def test_large_batch_of_attention(lib: Library) -> None:
    """More elements of the batch than one pass takes."""
    query, key, value = (values(5000, 1, 2, 3, seed=s) for s in range(3))
    out = np.full((5000, 1, 2, 3), np.nan, dtype=np.float32)
    args = lib.sdpa_args(query, key, value, out)
    assert lib.sdpa_f32(byref(args)) == OK
    same(out, ops.scaled_dot_product_attention(query, key, value))


def test_runtime(lib: Library) -> None:
    assert lib.abi_version() == 1
    assert lib.version().decode() == _core.__version__
    assert lib.isa().decode() == _core.default_isa()
    assert [lib.isa_name(i).decode() for i in range(len(_core.isas()))] == _core.isas()
    assert lib.isa_name(len(_core.isas())) is None
    assert lib.set_num_threads(3) == OK
    assert lib.get_num_threads() == 3
    assert lib.set_num_threads(0) == OK
    assert lib.get_num_threads() == _core.get_num_threads()


def test_the_older_name_of_matmul(lib: Library) -> None:
    a, b, found = values(3, 4), values(4, 5), np.full((3, 5), np.nan, dtype=np.float32)
    assert lib.gemm_f32(0, 0, 3, 5, 4, address(a), 4, address(b), 5, address(found), 5, 1) == OK
    same(found, ops.matmul(a, b))
