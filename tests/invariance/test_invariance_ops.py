"""Same numbers, same bits: each operation on parts of its input gives the parts of its output."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from deterministic import Floats, integers, values
from numpy.typing import NDArray
from polysemy import _core

ISAS = _core.fused_isas() or _core.isas()[:1]


def every_way(call: Callable[..., None], shape: tuple[int, ...]) -> Floats:
    """The result of ``call(out, num_threads=, isa=)``: the same for all threads, and for all of ISAS."""
    results: dict[str, list[Floats]] = {isa: [] for isa in _core.isas()}
    for isa, found in results.items():
        for threads in (1, 2, 3, 4, 8):
            out = np.full(shape, np.nan, np.float32)
            call(out, num_threads=threads, isa=isa)
            found.append(out)
        first = results[ISAS[0] if isa in ISAS else isa][0]
        assert all(out.tobytes() == first.tobytes() for out in found), isa
    whole = results[ISAS[0]][0]
    assert np.isfinite(whole).all()
    assert np.std(whole) > 1e-3 * np.abs(whole).max()
    return whole


def cuts(name: str, length: int) -> list[slice]:
    """A split of range(length) in a few pieces of uneven length, and all single elements."""
    borders = sorted({0, length, *integers(f"cuts {name}", 4, 1, length).tolist()})
    pieces = [slice(a, b) for a, b in itertools.pairwise(borders)]
    return pieces + [slice(i, i + 1) for i in range(length)]


def rows_alone(whole: Floats, name: str, call: Callable[[slice, Floats, str], None]) -> None:
    """``call(rows, out, isa)`` on some rows must give these rows of ``whole``."""
    for i, rows in enumerate(cuts(name, len(whole))):
        out = np.full_like(whole[rows], np.nan)
        call(rows, out, ISAS[i % len(ISAS)])
        assert out.tobytes() == whole[rows].tobytes(), rows


@pytest.mark.parametrize(
    ("m", "n", "k"), [(53, 40, 70), (40, 17, 384), (31, 130, 385), (23, 64, 1000), (200, 33, 5)]
)
@pytest.mark.parametrize("activation", [None, "gelu", "silu"])
def test_linear(m: int, n: int, k: int, activation: str | None) -> None:
    name = f"linear {m} {n} {k}"
    x, weight = values(f"{name} x", m, k), values(f"{name} w", n, k)
    bias, residual = values(f"{name} b", n), values(f"{name} r", m, n)
    packed = _core.PackedWeight(weight)

    def call(out: Floats, **options: Any) -> None:
        _core.linear(x, packed, bias, residual, activation, out, **options)

    def some_rows(rows: slice, out: Floats, isa: str) -> None:
        _core.linear(x[rows], packed, bias, residual[rows], activation, out, isa=isa)

    whole = every_way(call, (m, n))
    rows_alone(whole, name, some_rows)
    for columns in cuts(name, n):  # and any columns alone: a weight of fewer rows
        out = np.empty((m, columns.stop - columns.start), np.float32)
        part = _core.PackedWeight(np.ascontiguousarray(weight[columns]))
        _core.linear(x, part, bias[columns], np.ascontiguousarray(residual[:, columns]), activation, out)
        assert out.tobytes() == whole[:, columns].tobytes()


@pytest.mark.parametrize(
    ("a", "b"), [((3, 1, 19, 77), (2, 77, 53)), ((1, 5, 3500), (2, 1, 3500, 40)), ((31, 200), (200, 130))]
)
def test_matmul(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    """Batches that broadcast, a sum over several blocks; tests/ops/test_ops_products.py has each product alone."""
    left, right = values(f"matmul {a}", *a), values(f"matmul {b}", *b)
    every_way(lambda out, **how: _core.matmul(left, right, out, **how), np.matmul(left, right).shape)


def attend(q: Floats, k: Floats, v: Floats, mask: NDArray[Any] | None, out: Floats, **options: Any) -> None:
    """One sequence, (heads, rows, dim)."""
    _core.attention(q, k, v, out, 0.7, mask=mask, **options)


@pytest.mark.parametrize(
    ("queries", "keys", "heads", "kv_heads", "dim", "value_dim"),
    [(50, 61, 2, 2, 16, 16), (29, 513, 4, 2, 24, 40), (37, 1100, 3, 1, 33, 7), (60, 30, 1, 1, 130, 64)],
)
@pytest.mark.parametrize("masked", ["no", "bytes", "floats"])
def test_attention_by_queries(
    queries: int, keys: int, heads: int, kv_heads: int, dim: int, value_dim: int, masked: str
) -> None:
    name = f"attention {queries} {keys}"
    q = values(f"{name} q", heads, queries, dim)
    k, v = values(f"{name} k", kv_heads, keys, dim), values(f"{name} v", kv_heads, keys, value_dim)
    mask: NDArray[Any] | None = None
    if masked == "bytes":
        mask = (values(f"{name} m", queries, keys) > -0.5).astype(np.uint8)
    elif masked == "floats":
        mask = values(f"{name} m", queries, keys, scale=3.0)

    def call(out: Floats, **options: Any) -> None:
        attend(q, k, v, mask, out, **options)

    whole = every_way(call, (heads, queries, value_dim))
    for i, rows in enumerate(cuts(name, queries)):
        out = np.full((heads, rows.stop - rows.start, value_dim), np.nan, np.float32)
        attend(q[:, rows], k, v, None if mask is None else mask[rows], out, isa=ISAS[i % len(ISAS)])
        assert out.tobytes() == whole[:, rows].tobytes(), rows


@pytest.mark.parametrize(
    "options", [{"causal": True}, {"window": (9, 3)}, {"window": (-1, 5)}, {"alibi": True}]
)
def test_attention_with_positions(options: dict[str, Any]) -> None:
    """Position-dependent modifiers: threads and instruction sets can't be told apart, nor a head alone from all."""
    heads, length, dim = 4, 700, 20
    q, k, v = (values(f"positions {x}", heads, length, dim, scale=2.0) for x in "qkv")
    slopes = values("slopes", heads) if options.pop("alibi", False) else None

    def call(out: Floats, **more: Any) -> None:
        attend(q, k, v, None, out, alibi_slopes=slopes, **options, **more)

    whole = every_way(call, (heads, length, dim))
    for head in range(heads):
        one = slice(head, head + 1)
        out = np.empty((1, length, dim), np.float32)
        attend(
            q[one], k[one], v[one], None, out, alibi_slopes=None if slopes is None else slopes[one], **options
        )
        assert out.tobytes() == whole[one].tobytes()


@pytest.mark.parametrize("columns", [2, 15, 16, 17, 64, 385])
@pytest.mark.parametrize("rms", [False, True])
def test_layer_norm(columns: int, rms: bool) -> None:
    name = f"norm {columns}"
    x, residual = values(f"{name} x", 47, columns, scale=9.0), values(f"{name} r", 47, columns)
    weight, bias = values(f"{name} w", columns), values(f"{name} b", columns)

    def call(out: Floats, **options: Any) -> None:
        _core.layer_norm(x, weight, bias, residual, 1e-5, out, rms=rms, **options)

    def some_rows(rows: slice, out: Floats, isa: str) -> None:
        _core.layer_norm(x[rows], weight, bias, residual[rows], 1e-5, out, rms=rms, isa=isa)

    rows_alone(every_way(call, x.shape), name, some_rows)


@pytest.mark.parametrize("operation", [_core.softmax, _core.l2_normalize])
@pytest.mark.parametrize("columns", [2, 15, 16, 17, 64, 385, 1025])
def test_rows(operation: Callable[..., None], columns: int) -> None:
    x = values(f"rows {columns}", 47, columns, scale=9.0)

    def some_rows(rows: slice, out: Floats, isa: str) -> None:
        operation(x[rows], out, isa=isa)

    whole = every_way(lambda out, **options: operation(x, out, **options), x.shape)
    rows_alone(whole, f"rows {columns}", some_rows)


@pytest.mark.parametrize("kind", _core.ACTIVATIONS)
def test_activation(kind: str) -> None:
    x = values("activation", 301, scale=9.0)

    def some(rows: slice, out: Floats, isa: str) -> None:
        _core.activation(x[rows], kind, out, isa=isa)

    whole = every_way(lambda out, **options: _core.activation(x, kind, out, **options), x.shape)
    rows_alone(whole, "activation", some)


@pytest.mark.parametrize("columns", [5, 16, 50])
def test_embed(columns: int) -> None:
    tables = [
        values(f"embed {columns} {t}", n, columns) for t, n in (("token", 30), ("place", 60), ("type", 3))
    ]
    norm = [values(f"embed {columns} {t}", columns) for t in ("weight", "bias")]
    ids, places, types = (
        integers(f"embed {columns} {t}", 47, 0, len(table)).astype(np.int32)
        for t, table in zip("ipt", tables, strict=True)
    )

    def call(out: Floats, **options: Any) -> None:
        _core.embed(ids, places, types, *tables, *norm, 1e-6, out, **options)

    def some_rows(rows: slice, out: Floats, isa: str) -> None:
        _core.embed(ids[rows], places[rows], types[rows], *tables, *norm, 1e-6, out, isa=isa)

    rows_alone(every_way(call, (47, columns)), f"embed {columns}", some_rows)


@pytest.mark.parametrize("mode", _core.POOLINGS)
@pytest.mark.parametrize("columns", [3, 16, 50])
def test_pool(mode: str, columns: int) -> None:
    offsets = np.array([0, 1, 1, 4, 20, 36, 53, 120])
    x = values(f"pool {columns}", int(offsets[-1]), columns)
    whole = every_way(lambda out, **options: _core.pool(x, offsets, mode, out, **options), (7, columns))
    for i, (start, end) in enumerate(itertools.pairwise(offsets)):
        out = np.empty((1, columns), np.float32)
        _core.pool(x[start:end], np.array([0, end - start]), mode, out)
        assert out.tobytes() == whole[i].tobytes()


def test_rotary() -> None:
    x, cosine, sine = values("rotary x", 47, 3, 22), values("rotary c", 47, 11), values("rotary s", 47, 11)

    def some_rows(rows: slice, out: Floats, isa: str) -> None:
        _core.rotary(x[rows], cosine[rows], sine[rows], out, isa=isa)

    whole = every_way(lambda out, **options: _core.rotary(x, cosine, sine, out, **options), x.shape)
    rows_alone(whole, "rotary", some_rows)
