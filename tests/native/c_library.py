"""The C functions through ctypes: arrays in, error codes out."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, Structure, byref, c_char_p, c_float, c_int, c_int32, c_int64, c_size_t, c_void_p
from typing import Any

import numpy as np
from numpy.typing import NDArray
from polysemy.native import get_library

OK, ARGUMENT, MEMORY = 0, 1, 2


class SdpaArgs(Structure):
    """polysemy_sdpa_args."""

    _fields_ = [
        ("struct_size", c_size_t),
        *((name, c_int64) for name in ("batch", "heads", "kv_heads", "q_len", "k_len", "dim", "value_dim")),
        *((name, c_void_p) for name in ("query", "key", "value", "out")),
        *((f"{name}_strides", c_int64 * 3) for name in ("query", "key", "value", "out")),
        ("scale", c_float),
        ("causal", c_int32),
        ("window_left", c_int64),
        ("window_right", c_int64),
        ("alibi", c_void_p),
        ("mask_kind", c_int32),
        ("num_threads", c_int32),
        ("mask", c_void_p),
        ("mask_strides", c_int64 * 4),
        ("weights", c_void_p),
        ("lse", c_void_p),
    ]


F, L, N = c_void_p, c_int64, c_int
_ARGUMENTS: dict[str, list[Any]] = {
    "set_num_threads": [N],
    "sdpa_init": [POINTER(SdpaArgs), c_size_t],
    "sdpa_set_contiguous": [POINTER(SdpaArgs)],
    "sdpa_f32": [POINTER(SdpaArgs)],
    "layer_norm_f32": [L, L, F, L, F, L, F, F, c_float, F, L, N],
    "rms_norm_f32": [L, L, F, L, F, L, F, c_float, F, L, N],
    "softmax_f32": [L, L, F, L, F, L, N],
    "l2_normalize_f32": [L, L, F, L, F, L, N],
    "pool_f32": [N, L, L, F, L, c_void_p, F, N],
    "activation_f32": [N, L, F, F, N],
    "matmul_f32": [N, N, L, L, L, F, L, F, L, F, L, N],
    "gemm_f32": [N, N, L, L, L, F, L, F, L, F, L, N],
    "weight_create_f32": [L, L, F, L, POINTER(c_void_p)],
    "weight_create_in": [L, L, F, L, N, POINTER(c_void_p)],
    "linear_f32": [L, F, L, c_void_p, F, F, L, N, F, L, N],
}


class Library:
    """Each function by its name without prefix. Arrays are given as the address of their first element."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(get_library())
        for name, arguments in _ARGUMENTS.items():
            function = getattr(self._library, f"polysemy_{name}")
            function.argtypes, function.restype = arguments, c_int
            setattr(self, name, function)
        for name in ("version", "last_error", "isa", "isa_name"):
            getattr(self._library, f"polysemy_{name}").restype = c_char_p
        self._library.polysemy_weight_destroy.argtypes = [c_void_p]
        self._library.polysemy_weight_rows.argtypes = self._library.polysemy_weight_columns.argtypes = [
            c_void_p
        ]
        self._library.polysemy_weight_rows.restype = self._library.polysemy_weight_columns.restype = c_int64

    def __getattr__(self, name: str) -> Any:
        return getattr(self._library, f"polysemy_{name}")

    def message(self) -> str:
        return str(self._library.polysemy_last_error().decode())

    def sdpa_args(
        self, query: NDArray[Any], key: NDArray[Any], value: NDArray[Any], out: NDArray[Any]
    ) -> SdpaArgs:
        """Sizes, pointers and strides of four (batch, heads, length, dim) arrays whose last stride is 1."""
        args = SdpaArgs()
        assert self.sdpa_init(byref(args), ctypes.sizeof(args)) == OK
        args.batch, args.heads, args.q_len, args.dim = query.shape
        _, args.kv_heads, args.k_len, args.value_dim = value.shape
        for name, array in {"query": query, "key": key, "value": value, "out": out}.items():
            setattr(args, name, address(array))
            setattr(args, f"{name}_strides", (c_int64 * 3)(*strides(array)[:3]))
        return args


def address(array: NDArray[Any] | None) -> int | None:
    """Where the first element lies; NULL for None."""
    return None if array is None else array.ctypes.data


def strides(array: NDArray[Any]) -> list[int]:
    """In elements."""
    return [step // array.itemsize for step in array.strides]


def spread(array: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same values in rows that lie apart, last row first, with NaN between them: negative strides."""
    *outer, columns = array.shape
    room = np.full((*outer, columns + 5), np.nan, dtype=np.float32)
    view: NDArray[np.float32] = room[..., ::-1, 2 : 2 + columns]
    view[...] = array
    return view
