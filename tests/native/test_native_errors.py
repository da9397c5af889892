"""Arguments that can't be are refused by name, before anything is read or written."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from ctypes import byref, c_int64, c_void_p
from typing import Any

import numpy as np
import pytest
from c_library import ARGUMENT, MEMORY, OK, Library, SdpaArgs, address
from hypothesis import given, settings
from hypothesis import strategies as st

X = np.ones((4, 6), dtype=np.float32)
HUGE = 2**61
A = X.ctypes.data

# A function, arguments of which one is wrong, and what is said about it. OUT: a fresh output.
OUT = object()
CASES: list[tuple[str, list[Any], str]] = [
    ("layer_norm_f32", [-1, 6, A, 6, None, 0, None, None, 1e-5, OUT, 6, 1], "rows must be 0 or more"),
    ("layer_norm_f32", [4, -6, A, 6, None, 0, None, None, 1e-5, OUT, 6, 1], "columns must be 0 or more"),
    ("layer_norm_f32", [4, 6, None, 6, None, 0, None, None, 1e-5, OUT, 6, 1], "x must not be null"),
    ("layer_norm_f32", [4, 6, A, 6, None, 0, None, None, 1e-5, None, 6, 1], "out must not be null"),
    ("layer_norm_f32", [4, 6, A + 1, 6, None, 0, None, None, 1e-5, OUT, 6, 1], "x must be aligned"),
    ("layer_norm_f32", [4, 6, A, 6, None, 0, None, None, 1e-5, OUT, 5, 1], "out has a stride of 5"),
    ("layer_norm_f32", [4, 6, A, 6, None, 0, None, None, 1e-5, OUT, 0, 1], "out has a stride of 0"),
    ("layer_norm_f32", [4, 6, A, HUGE, None, 0, None, None, 1e-5, OUT, 6, 1], "x has 4 entries"),
    ("layer_norm_f32", [4, 6, A, -(2**63), None, 0, None, None, 1e-5, OUT, 6, 1], "x has 4 entries"),
    ("layer_norm_f32", [4, 6, A, 6, None, 0, None, None, -1.0, OUT, 6, 1], "eps must be 0 or more"),
    ("layer_norm_f32", [4, 6, A, 6, None, 0, None, None, float("nan"), OUT, 6, 1], "eps must be 0 or more"),
    ("layer_norm_f32", [4, 6, A, 6, None, 0, None, None, 1e-5, OUT, 6, -1], "num_threads must be 0"),
    ("layer_norm_f32", [4, 6, A, 6, None, 0, None, None, 1e-5, OUT, 6, 10**6], "num_threads must be 0"),
    ("layer_norm_f32", [4, 6, A, 6, None, 0, None, None, 1e-5, A, 7, 1], "both must have the same stride"),
    ("rms_norm_f32", [4, 6, A, 6, A + 2, 6, None, 1e-5, OUT, 6, 1], "residual must be aligned"),
    ("softmax_f32", [HUGE, 6, A, 0, OUT, 6, 1], "out has"),
    ("softmax_f32", [4, 6, A, 3, A, 6, 1], "both must have the same stride"),
    ("l2_normalize_f32", [4, 6, None, 6, OUT, 6, 1], "x must not be null"),
    ("pool_f32", [6, 1, 6, A, 6, address(np.array([0, 4])), OUT, 1], "pooling must be 0 to 5"),
    ("pool_f32", [0, -1, 6, A, 6, address(np.array([0, 4])), OUT, 1], "sequences must be 0 or more"),
    ("pool_f32", [0, 1, 6, A, 6, None, OUT, 1], "offsets must not be null"),
    ("activation_f32", [7, 6, A, OUT, 1], "activation must be 0 to 6"),
    ("activation_f32", [-1, 6, A, OUT, 1], "activation must be 0 to 6"),
    ("activation_f32", [1, -6, A, OUT, 1], "count must be 0 or more"),
    ("activation_f32", [1, HUGE, A, OUT, 1], "x has"),
    ("matmul_f32", [0, 2, 4, 4, 6, A, 6, A, 6, OUT, 4, 1], "transpose_b must be 0 or 1"),
    ("matmul_f32", [-1, 1, 4, 4, 6, A, 6, A, 6, OUT, 4, 1], "transpose_a must be 0 or 1"),
    ("matmul_f32", [0, 1, 4, 4, -6, A, 6, A, 6, OUT, 4, 1], "k must be 0 or more"),
    ("matmul_f32", [0, 1, 4, 4, 6, None, 6, A, 6, OUT, 4, 1], "a must not be null"),
    ("matmul_f32", [0, 1, 4, 4, 6, A, 6, None, 6, OUT, 4, 1], "b must not be null"),
    ("matmul_f32", [0, 1, 4, 4, 6, A, 6, A, 6, A, 4, 1], "c must not be the same array as a"),
    ("matmul_f32", [0, 1, 4, 4, 6, A, 6, A, 6, OUT, 3, 1], "c has a stride of 3"),
    ("matmul_f32", [0, 1, 4, 4, HUGE, A, 0, A, 0, OUT, 4, 1], "a has"),
    ("linear_f32", [4, A, 6, None, None, None, 0, 0, OUT, 6, 1], "weight must not be null"),
    ("set_num_threads", [-1], "n must be 0"),
    ("set_num_threads", [10**6], "n must be 0"),
    ("sdpa_init", [None, 8], "args must not be null"),
    ("sdpa_f32", [None], "args must not be null"),
    ("sdpa_set_contiguous", [None], "args must not be null"),
    ("weight_create_f32", [4, 6, A, 6, None], "packed must not be null"),
    ("weight_create_in", [4, 6, A, 6, 3, None], "packed must not be null"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "arguments", "words"), CASES, ids=lambda v: v if isinstance(v, str) else "")
def test_refused_by_name(lib: Library, name: str, arguments: list[Any], words: str) -> None:
    out = np.full((4, 6), 7.0, dtype=np.float32)
    assert getattr(lib, name)(*(address(out) if a is OUT else a for a in arguments)) == ARGUMENT
    assert words in lib.message()
    assert name in lib.message() or "num_threads" in lib.message()
    assert np.all(out == 7.0)


def sdpa(lib: Library, change: Callable[[SdpaArgs], None]) -> tuple[int, np.ndarray[Any, Any]]:
    arrays = [np.ones((2, 2, 3, 4), dtype=np.float32) for _ in range(3)]
    out = np.full((2, 2, 3, 4), 7.0, dtype=np.float32)
    args = lib.sdpa_args(arrays[0], arrays[1], arrays[2], out)
    change(args)
    return lib.sdpa_f32(byref(args)), out


WRONG: list[tuple[str, Any, str]] = [
    ("struct_size", 8, "struct_size must be"),
    *(
        (name, -1, f"{name} must be 0 or more")
        for name in ("batch", "heads", "kv_heads", "q_len", "k_len", "dim")
    ),
    ("dim", 5000, "dim must be at most 4096"),
    ("value_dim", 5000, "value_dim must be at most 4096"),
    ("kv_heads", 0, "heads must be a multiple of kv_heads, got 2 and 0"),
    ("heads", 3, "heads must be a multiple of kv_heads, got 3 and 2"),
    *((name, None, f"{name} must not be null") for name in ("query", "key", "value", "out")),
    ("out_strides", (c_int64 * 3)(0, 12, 4), "out has a stride of 0"),
    ("out_strides", (c_int64 * 3)(24, 12, 3), "out has a stride of 3"),
    ("key_strides", (c_int64 * 3)(HUGE, 12, 4), "key has 2 entries with a stride"),
    ("batch", HUGE, "query has"),
    ("mask_kind", 1, "mask must not be null"),
    ("mask_kind", 3, "mask_kind must be 0, 1 or 2"),
    ("num_threads", -2, "num_threads must be 0"),
    ("alibi", A + 1, "alibi must be aligned"),
    ("weights", A + 2, "weights must be aligned"),
    ("lse", A + 3, "lse must be aligned"),
]


@pytest.mark.parametrize(("field", "value", "words"), WRONG, ids=lambda v: v if isinstance(v, str) else "")
def test_attention_refused_by_name(lib: Library, field: str, value: Any, words: str) -> None:
    status, out = sdpa(lib, lambda args: setattr(args, field, value))
    assert status == ARGUMENT
    assert words in lib.message()
    assert np.all(out == 7.0)


def test_attention_in_place_is_refused(lib: Library) -> None:
    status, _ = sdpa(lib, lambda args: setattr(args, "out", args.value))
    assert status == ARGUMENT
    assert "out must not be the same array as value" in lib.message()


def test_damaged_offsets(lib: Library) -> None:
    out = np.full((2, 6), 7.0, dtype=np.float32)
    for offsets, words in [([0, 3, 2], "must not decrease"), ([-1, 2, 4], "offsets[0] must be 0 or more")]:
        array = np.array(offsets, dtype=np.int64)
        assert lib.pool_f32(0, 2, 6, A, 6, address(array), address(out), 1) == ARGUMENT
        assert words in lib.message()
    assert np.all(out == 7.0)


@pytest.mark.parametrize("precision", [-1, 5])
def test_precision_refused_by_name(lib: Library, precision: int) -> None:
    handle = c_void_p(1)
    assert lib.weight_create_in(4, 6, A, 6, precision, byref(handle)) == ARGUMENT
    assert handle.value is None
    assert lib.message() == f"weight_create_in: precision must be 0 to 4, got {precision}"


def test_weight_too_large(lib: Library) -> None:
    handle = c_void_p(1)
    assert lib.weight_create_f32(2**25, 2**25, A, 0, byref(handle)) == MEMORY
    assert handle.value is None
    assert lib.message() == "out of memory"
    lib.weight_destroy(None)
    assert lib.weight_rows(None) == lib.weight_columns(None) == 0


def test_arrays_without_elements(lib: Library) -> None:
    """Null pointers are right for them; sums over nothing are zero."""
    assert lib.layer_norm_f32(0, 6, None, 6, None, 0, None, None, 1e-5, None, 6, 1) == OK
    assert lib.softmax_f32(4, 0, None, 0, None, 0, 1) == OK
    assert lib.activation_f32(1, 0, None, None, 1) == OK
    assert lib.pool_f32(0, 0, 6, None, 6, None, None, 1) == OK
    assert lib.matmul_f32(0, 0, 0, 5, 3, None, 3, A, 5, None, 5, 1) == OK
    out = np.full((4, 6), 7.0, dtype=np.float32)
    assert lib.matmul_f32(0, 0, 4, 6, 0, None, 0, None, 0, address(out), 6, 1) == OK
    assert not out.any()
    handle = c_void_p()
    assert lib.weight_create_f32(6, 0, None, 0, byref(handle)) == OK
    assert lib.linear_f32(4, None, 0, handle, A, None, 0, 0, address(out), 6, 1) == OK
    lib.weight_destroy(handle)
    assert np.all(out == 1.0)

    def no_keys(args: SdpaArgs) -> None:
        args.k_len, args.key, args.value = 0, None, None

    status, out = sdpa(lib, no_keys)
    assert status == OK
    assert not out.any()


def test_messages_belong_to_threads(lib: Library) -> None:
    assert lib.set_num_threads(-1) == ARGUMENT
    seen: list[str] = []

    def fail_elsewhere() -> None:
        seen.append(lib.message())
        assert lib.sdpa_f32(None) == ARGUMENT
        seen.append(lib.message())

    thread = threading.Thread(target=fail_elsewhere)
    thread.start()
    thread.join()
    assert seen[0] == ""
    assert "sdpa_f32" in seen[1]
    assert "set_num_threads" in lib.message()


NUMBERS = st.sampled_from([-(2**63), -(2**40), -1, 0, 1, 2, 3, 4, 2**31, 2**62, 2**63 - 1])
POINTERS = st.sampled_from([None, A, A + 1])


@settings(max_examples=500, deadline=None)
@given(st.lists(NUMBERS, min_size=6, max_size=6), st.lists(POINTERS, min_size=2, max_size=2))
def test_no_size_or_stride_crashes(lib: Library, n: list[int], data: list[int | None]) -> None:
    """Without an output nothing may be read: a call either has nothing to do or is refused."""
    args = SdpaArgs()
    assert lib.sdpa_init(byref(args), ctypes.sizeof(args)) == OK
    args.query = args.key = data[0]
    args.value = data[1]
    args.batch, args.heads, args.q_len, args.k_len, args.dim, args.value_dim = n
    args.kv_heads = args.heads
    args.query_strides[:], args.value_strides[:] = n[:3], n[3:]
    codes = {
        lib.sdpa_set_contiguous(byref(args)),
        lib.sdpa_f32(byref(args)),
        lib.matmul_f32(n[5] & 1, 1, *n[:3], data[0], n[3], data[1], n[4], None, n[5], 1),
        lib.softmax_f32(n[0], n[1], data[0], n[2], None, n[3], 1),
        lib.layer_norm_f32(n[0], n[1], data[0], n[2], data[1], n[3], None, None, 1e-5, None, n[4], 1),
        lib.activation_f32(1, n[0], data[0], None, 1),
    }
    assert codes <= {OK, ARGUMENT}
