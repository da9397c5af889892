"""Calls of the C functions drawn at random, one argument in two calls wrong: done in full, or refused, or nothing.

The slow test has a hundred thousand; `.ci/sanitized-python` runs it under the sanitizers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from ctypes import Structure, byref, c_int64, c_void_p, sizeof
from typing import Any

import numpy as np
import pytest
from c_encoder import CEncoder
from c_library import ARGUMENT, MEMORY, OK, Library, address
from deterministic import SPECS, weights_of
from numpy.typing import NDArray

FEW, MANY = 3_000, 100_000
Floats = NDArray[np.float32]

#: Strides that no memory has, and sizes.
FAR = (-(2**63), -(2**61), 2**61, 2**62, 2**63 - 1)
SIZES = (-1, *FAR)
OPTIONS = (-(2**31), -1, 8, 1025, 2**31 - 1)


class Draw:
    """Arguments of one call. Arrays are just as long as the call says: a sanitizer sees a step too far."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.kept: list[Any] = []
        self.outputs: list[Floats] = []

    def size(self, most: int = 40) -> int:
        return int(self.rng.integers(most)) if self.rng.random() < 0.9 else int(self.rng.integers(200))

    def one_of(self, *choices: Any) -> Any:
        return choices[int(self.rng.integers(len(choices)))]

    def _kept(self, array: NDArray[Any]) -> NDArray[Any]:
        self.kept.append(array)
        return array

    def values(self, count: int) -> Floats:
        array = self._kept(self.rng.standard_normal(count, dtype=np.float32))
        if count and self.rng.random() < 0.1:
            array[self.rng.integers(count)] = self.one_of(np.nan, np.inf, -np.inf, 3e38, 1e-40)
        return array

    def matrix(self, rows: int, columns: int, *, output: bool = False) -> tuple[int | None, int]:
        """Address of the first row, and the stride to the next."""
        stride = columns + self.one_of(0, 0, 1, 5)
        if not output and self.rng.random() < 0.1:
            stride = 0
        count = (rows - 1) * stride + columns if rows else 0
        if output:
            array = self._kept(np.full(count, np.nan, dtype=np.float32))
            self.outputs.append(array)
        else:
            array = self.values(count)
        if not count:
            return self.one_of(None, address(array)), stride
        if stride and self.rng.random() < 0.2:  # last row first
            return array.ctypes.data + 4 * (rows - 1) * stride, -stride
        return array.ctypes.data, stride

    def vector(self, count: int, *, absent: bool = True) -> int | None:
        return None if absent and self.rng.random() < 0.3 else address(self.values(count))

    def threads(self) -> int:
        return int(self.one_of(0, 1, 1, 2, 3))


# The name of a function, its arguments, and for each of these a letter: size, distance (a stride), pointer, option.
# What is left alone, or may be null, has a dot.
Call = tuple[str, list[Any], str]


def norm(d: Draw) -> Call:
    rows, columns = d.size(), d.size()
    x, out = d.matrix(rows, columns), d.matrix(rows, columns, output=True)
    residual = d.one_of((None, 0), d.matrix(rows, columns))
    weight, bias = d.vector(columns), d.vector(columns)
    eps = d.one_of(1e-5, 0.0, 1e-12)
    if d.rng.random() < 0.5:
        return (
            "rms_norm_f32",
            [rows, columns, *x, *residual, weight, eps, *out, d.threads()],
            "sspd.d..pdo",
        )
    return (
        "layer_norm_f32",
        [rows, columns, *x, *residual, weight, bias, eps, *out, d.threads()],
        "sspd.d...pdo",
    )


def rows(d: Draw) -> Call:
    count, columns = d.size(), d.size()
    arguments = [
        count,
        columns,
        *d.matrix(count, columns),
        *d.matrix(count, columns, output=True),
        d.threads(),
    ]
    return d.one_of("softmax_f32", "l2_normalize_f32"), arguments, "sspdpdo"


def activation(d: Draw) -> Call:
    count = d.size()
    x, out = d.vector(count, absent=False), d.matrix(1, count, output=True)[0]
    return "activation_f32", [int(d.rng.integers(7)), count, x, out, d.threads()], "osppo"


def pool(d: Draw) -> Call:
    sequences, columns = d.size(8), d.size()
    offsets = np.concatenate([[0], np.cumsum(d.rng.integers(0, 9, sequences))]).astype(np.int64)
    if d.rng.random() < 0.2 and sequences:
        offsets[d.rng.integers(sequences + 1)] = d.one_of(-1, -(2**63))
    x = d.matrix(max(0, int(offsets[-1])), columns)
    d.kept.append(offsets)
    out = d.matrix(1, sequences * columns, output=True)[0]
    return (
        "pool_f32",
        [int(d.rng.integers(6)), sequences, columns, *x, address(offsets), out, d.threads()],
        "o.spd.po",
    )


def matmul(d: Draw) -> Call:
    m, n, k = d.size(), d.size(), d.size()
    turn_a, turn_b = int(d.rng.integers(2)), int(d.rng.integers(2))
    a = d.matrix(*((k, m) if turn_a else (m, k)))
    b = d.matrix(*((n, k) if turn_b else (k, n)))
    c = d.matrix(m, n, output=True)
    return "matmul_f32", [turn_a, turn_b, m, n, k, *a, *b, *c, d.threads()], "oossspdpdpdo"


FUNCTIONS: tuple[Callable[[Draw], Call], ...] = (norm, rows, activation, pool, matmul)


def break_one(d: Draw, arguments: list[Any], kinds: str) -> None:
    """Make one argument wrong, or harmlessly other: nothing that is read or written may become longer."""
    i = d.one_of(*(i for i, kind in enumerate(kinds) if kind != "."))
    kind, value = kinds[i], arguments[i]
    if kind in "sd":
        arguments[i] = d.one_of(*(SIZES if kind == "s" else FAR))
    elif kind == "p":
        arguments[i] = d.one_of(None, value and value + 1, value and value + 2, 3)
    else:
        arguments[i] = d.one_of(*OPTIONS)


def one_call(lib: Library, rng: np.random.Generator) -> int:
    """The status of a call, after a look at what it wrote."""
    d = Draw(rng)
    name, arguments, kinds = d.one_of(*FUNCTIONS)(d)
    assert len(kinds) == len(arguments)
    broken = bool(rng.random() < 0.5)
    if broken:
        break_one(d, arguments, kinds)
    status = int(getattr(lib, name)(*arguments))
    written = any(not np.isnan(out).all() for out in d.outputs)
    if status != OK:
        assert not written, (name, arguments)
        assert name in lib.message() or "num_threads" in lib.message() or status == MEMORY, (
            name,
            lib.message(),
        )
    return status


def attention(lib: Library, rng: np.random.Generator) -> int:
    d = Draw(rng)
    batch, kv_heads, q_len, k_len = d.size(3), d.size(3), d.size(), d.size()
    heads, dim, value_dim = kv_heads * d.one_of(1, 2), d.size(), d.size()
    query = d.values(batch * heads * q_len * dim).reshape(batch, heads, q_len, dim)
    key = d.values(batch * kv_heads * k_len * dim).reshape(batch, kv_heads, k_len, dim)
    value = d.values(batch * kv_heads * k_len * value_dim).reshape(batch, kv_heads, k_len, value_dim)
    out = np.full((batch, heads, q_len, value_dim), np.nan, dtype=np.float32)
    args = lib.sdpa_args(query, key, value, out)
    args.causal, args.num_threads = int(rng.integers(2)), d.threads()
    args.window_left, args.window_right = d.one_of(-1, 0, 3), d.one_of(-1, 0, 3)
    args.alibi = d.vector(heads)
    if rng.random() < 0.3:
        mask = d.values(batch * heads * q_len * k_len)
        args.mask, args.mask_kind = address(mask), 2
        args.mask_strides[:] = [heads * q_len * k_len, q_len * k_len, k_len, 1]
    if rng.random() < 0.3:
        args.weights = address(d.values(batch * heads * q_len * k_len))
        args.lse = address(d.values(batch * heads * q_len))
    if rng.random() < 0.5:
        break_field(d, args)
    return int(lib.sdpa_f32(byref(args)))


def break_field(d: Draw, record: Structure) -> None:
    """As `break_one`, for a field of a struct."""
    name, kind = d.one_of(*record._fields_)[:2]
    value = getattr(record, name)
    if kind is c_void_p:
        setattr(record, name, d.one_of(None, value and value + 1, value and value + 2, 3))
    elif kind is c_int64:
        setattr(record, name, d.one_of(*SIZES))
    elif sizeof(kind) == 4:
        setattr(
            record, name, d.one_of(*OPTIONS) if isinstance(value, int) else d.one_of(np.nan, np.inf, -1.0)
        )
    elif name == "struct_size":
        record.struct_size = d.one_of(0, 8, 2**62)  # type: ignore[attr-defined]
    elif name.endswith("_strides"):
        value[int(d.rng.integers(len(value)))] = d.one_of(*FAR)


def encoder(lib: Library, rng: np.random.Generator, made: CEncoder) -> int:
    d = Draw(rng)
    lengths = rng.integers(0, 9, d.size(5))
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    ids = rng.integers(0, made.spec.embedding.vocab, offsets[-1]).astype(np.int32)
    if rng.random() < 0.2:
        array: Any = d.one_of(offsets, ids)
        if len(array):
            array[rng.integers(len(array))] = d.one_of(-(2**31), -1, 2**31 - 1)
    d.kept += [offsets, ids]
    args = made.args(ids, offsets)
    pooled = np.full((len(lengths), made.spec.hidden), np.nan, dtype=np.float32)
    args.pooled, args.num_threads = address(pooled), d.threads()
    args.pooling, args.normalize, args.schedule = (int(rng.integers(n)) for n in (6, 2, 3))
    if rng.random() < 0.5:
        break_field(d, args)
    status = int(lib.encoder_forward(made.handle, byref(args)))
    if status == OK and args.pooled == address(pooled) and args.sequences == len(lengths):
        assert not np.isnan(pooled).any()
    elif status != OK:
        assert np.isnan(pooled).all()
    return status


def packed(lib: Library, rng: np.random.Generator) -> int:
    """A packed weight, and a product with it."""
    d = Draw(rng)
    n, k, count = d.size(), d.size(), d.size()
    handle, arguments = c_void_p(), [n, k, *d.matrix(n, k)]
    if rng.random() < 0.3:
        break_one(d, arguments, "sspd")
    status = int(lib.weight_create_f32(*arguments, byref(handle)))
    if status != OK:
        assert handle.value is None
        return status
    try:
        n, k = lib.weight_rows(handle), lib.weight_columns(handle)
        if n > 1000:  # a weight without columns may have any number of rows
            return status
        out = d.matrix(count, n, output=True)
        residual = d.one_of((None, 0), d.matrix(count, n))
        call = [
            count,
            *d.matrix(count, k),
            handle,
            d.vector(n),
            *residual,
            int(rng.integers(7)),
            *out,
            d.threads(),
        ]
        if rng.random() < 0.5:
            break_one(d, call, "spd....opdo")
        return int(lib.linear_f32(*call))
    finally:
        lib.weight_destroy(handle)


def fuzz(lib: Library, count: int, seed: int) -> Counter[int]:
    """How many calls ended with each status."""
    statuses: Counter[int] = Counter()
    with CEncoder(lib, SPECS["even"], weights_of("even")) as made:
        for i in range(count):
            rng = np.random.default_rng([seed, i])
            kind = i % 8
            if kind == 0:
                statuses[attention(lib, rng)] += 1
            elif kind == 1:
                statuses[encoder(lib, rng, made)] += 1
            elif kind == 2:
                statuses[packed(lib, rng)] += 1
            else:
                statuses[one_call(lib, rng)] += 1
    return statuses


@pytest.mark.parametrize("count", [FEW, pytest.param(MANY, marks=pytest.mark.slow)])
def test_no_call_goes_wrong(lib: Library, count: int) -> None:
    statuses = fuzz(lib, count, seed=count)
    assert set(statuses) <= {OK, ARGUMENT, MEMORY}
    assert min(statuses[OK], statuses[ARGUMENT]) > count / 5  # both are tried
