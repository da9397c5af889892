"""Every kernel on every instruction set: sizes around its borders, between pages that must not be touched.

Outputs are full of NaN before, so that an element that is not written is seen too.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import ops_bounds
import pytest
from ops_memory import guarded, guarded_output
from polysemy import _core, reference

SIZES = [*range(1, 71), 95, 96, 97, 127, 129, 255, 257, 511, 512, 513]
BOTH_ENDS = pytest.mark.parametrize("at_end", [True, False], ids=["page_behind", "page_before"])


def _normal(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


@BOTH_ENDS
@pytest.mark.parametrize("kind", _core.ACTIVATIONS)
def test_activation(isa: str, kind: str, at_end: bool) -> None:
    """An element has the same bits at every place; test_math.py says that they are right."""
    x = _normal(SIZES[-1]) * 3
    whole = np.empty_like(x)
    _core.activation(x, kind, whole, isa=isa, num_threads=1)
    for n in SIZES:
        out = guarded_output((n,), at_end=at_end)
        _core.activation(guarded(x[:n], at_end=at_end), kind, out, isa=isa, num_threads=1)
        np.testing.assert_array_equal(out, whole[:n])


@BOTH_ENDS
def test_softmax(isa: str, at_end: bool) -> None:
    for n in SIZES:
        x = guarded(_normal(3, n) * 5, at_end=at_end)
        out = guarded_output((3, n), at_end=at_end)
        _core.softmax(x, out, isa=isa, num_threads=1)
        wide = x.astype(np.float64)
        oracle = reference.softmax(wide)
        ops_bounds.within(out, oracle, ops_bounds.softmax(wide, oracle))


@BOTH_ENDS
@pytest.mark.parametrize("rms", [False, True])
def test_layer_norm(isa: str, rms: bool, at_end: bool) -> None:
    for n in SIZES:
        x, residual = guarded(_normal(3, n), at_end=at_end), guarded(_normal(3, n, seed=1), at_end=at_end)
        weight, bias = guarded(_normal(n), at_end=at_end), guarded(_normal(n, seed=1), at_end=at_end)
        out = guarded_output((3, n), at_end=at_end)
        _core.layer_norm(
            x, weight, None if rms else bias, residual, 1e-5, out, rms=rms, isa=isa, num_threads=1
        )
        wide = [(x + residual).astype(np.float64), weight.astype(np.float64), bias.astype(np.float64)]
        if rms:
            oracle = reference.rms_norm(wide[0], n, wide[1], 1e-5)
            bound = 3e-7 * np.abs(oracle) + ops_bounds.TINY
        else:
            oracle = reference.layer_norm(wide[0], n, wide[1], wide[2], 1e-5)
            bound = ops_bounds.layer_norm(oracle, weight, bias)
        ops_bounds.within(out, oracle, bound)


@BOTH_ENDS
def test_l2_normalize(isa: str, at_end: bool) -> None:
    for n in SIZES:
        x = guarded(_normal(3, n), at_end=at_end)
        out = guarded_output((3, n), at_end=at_end)
        _core.l2_normalize(x, out, isa=isa, num_threads=1)
        oracle = reference.l2_normalize(x.astype(np.float64))
        ops_bounds.within(out, oracle, ops_bounds.U * (8 + n / 16) * np.abs(oracle))


@BOTH_ENDS
@pytest.mark.parametrize("mode", ["mean", "cls", "max"])
def test_pool(isa: str, mode: str, at_end: bool) -> None:
    lens = [3, 0, 1, 9]
    offsets = guarded(np.cumsum([0, *lens]), at_end=at_end)
    for n in SIZES:
        x = guarded(_normal(13, n), at_end=at_end)
        out = guarded_output((4, n), at_end=at_end)
        _core.pool(x, offsets, mode, out, isa=isa, num_threads=1)
        wide = x.astype(np.float64)
        size = reference.mean_pool(np.abs(wide), lens)
        bound = np.asarray(lens)[:, None] * ops_bounds.U * size if mode == "mean" else 0.0
        ops_bounds.within(out, getattr(reference, f"{mode}_pool")(wide, lens), bound)


@BOTH_ENDS
def test_embed(isa: str, at_end: bool) -> None:
    ids, positions, types = ([4, 0, 10, 10, 3], [0, 1, 2, 0, 1], [0, 0, 1, 0, 1])
    index = [guarded(np.array(a, dtype=np.int32), at_end=at_end) for a in (ids, positions, types)]
    for n in SIZES:
        tables = [guarded(_normal(rows, n, seed=rows), at_end=at_end) for rows in (11, 3, 2)]
        weight, bias = guarded(_normal(n), at_end=at_end), guarded(_normal(n, seed=1), at_end=at_end)
        out = guarded_output((5, n), at_end=at_end)
        _core.embed(index[0], None, None, tables[0], None, None, None, None, 0.0, out, isa=isa, num_threads=1)
        np.testing.assert_array_equal(out, tables[0][ids])
        out = guarded_output((5, n), at_end=at_end)
        _core.embed(*index, *tables, weight, bias, 1e-12, out, isa=isa, num_threads=1)
        # Two sums are rounded before the norm; what that does to a row whose spread is small is not the
        # norm's error.
        parts = [
            table[i].astype(np.float64) for table, i in zip(tables, (ids, positions, types), strict=True)
        ]
        summed = parts[0] + parts[1] + parts[2]
        oracle = reference.layer_norm(summed, n, weight.astype(np.float64), bias.astype(np.float64), 1e-12)
        if n > 4:
            rounding = 2 * ops_bounds.U * sum(np.abs(p) for p in parts) / summed.std(axis=1, keepdims=True)
            slack = np.abs(weight) * (2 * rounding.max(axis=1, keepdims=True) * (1 + np.abs(oracle - bias)))
            ops_bounds.within(out, oracle, ops_bounds.layer_norm(oracle, weight, bias) + 2 * slack)
        else:
            assert np.isfinite(out).all()


@BOTH_ENDS
def test_rotary(isa: str, at_end: bool) -> None:
    for n in SIZES:
        x = guarded(_normal(3, 2, 2 * n), at_end=at_end)
        angle = np.outer([0, 1, 7], reference.embeddings.inverse_frequencies(2 * n, 1e4))
        cosine, sine = (guarded(f(angle).astype(np.float32), at_end=at_end) for f in (np.cos, np.sin))
        out = guarded_output(x.shape, at_end=at_end)
        _core.rotary(x, cosine, sine, out, isa=isa, num_threads=1)
        oracle = reference.rotary(x.astype(np.float64), np.array([[0], [1], [7]]))
        size = np.abs(x) + np.abs(np.roll(x, n, axis=-1))
        ops_bounds.within(out, oracle, 4 * ops_bounds.U * size)


@BOTH_ENDS
@pytest.mark.parametrize("m", [1, 2, 3, 5, 6, 7, 8, 11, 13, 14, 17, 33])
def test_linear(isa: str, m: int, at_end: bool) -> None:
    rng = np.random.default_rng(m)
    shapes = [(n, int(rng.integers(1, 70))) for n in range(1, 71, 3)]
    shapes += [(int(rng.integers(1, 70)), k) for k in range(1, 71, 3)] + [(33, 513), (97, 384)]
    for n, k in shapes:
        x = guarded(_normal(m, k), at_end=at_end)
        weight = guarded(_normal(n, k, seed=1), at_end=at_end)
        bias, residual = guarded(_normal(n), at_end=at_end), guarded(_normal(m, n), at_end=at_end)
        out = guarded_output((m, n), at_end=at_end)
        _core.linear(x, _core.PackedWeight(weight), bias, residual, None, out, isa=isa, num_threads=1)
        oracle = x.astype(np.float64) @ weight.T.astype(np.float64) + bias + residual
        ops_bounds.within(out, oracle, ops_bounds.product(x, weight.T, bias, residual))


def _cases() -> list[tuple[int, int, int, int]]:
    rng = np.random.default_rng(11)
    cases = [
        (int(rng.integers(1, 40)), lk, int(rng.integers(1, 70)), int(rng.integers(1, 70))) for lk in SIZES
    ]
    cases += [(lq, int(rng.integers(1, 70)), int(rng.integers(1, 70)), 16) for lq in SIZES[::3]]
    cases += [(5, int(rng.integers(1, 70)), dim, 8) for dim in SIZES[::3]]
    cases += [(5, int(rng.integers(1, 70)), 8, value_dim) for value_dim in SIZES[::3]]
    return cases


@BOTH_ENDS
@pytest.mark.parametrize("kind", ["none", "causal", "keep", "add", "window", "alibi"])
def test_attention(isa: str, kind: str, at_end: bool) -> None:
    def guard(array: Any) -> Any:
        return guarded(array, at_end=at_end)

    # Most sizes run before one page only: this is the longest test of all.
    for lq, lk, dim, value_dim in _cases() if at_end else _cases()[::3]:
        q, k, v = (
            guard(_normal(2, lq, dim)),
            guard(_normal(2, lk, dim)),
            guard(_normal(2, lk, value_dim, seed=1)),
        )
        out, weights, lse = (
            guarded_output(shape, at_end=at_end) for shape in ((2, lq, value_dim), (2, lq, lk), (2, lq))
        )
        options: dict[str, Any] = {}
        mask = None
        if kind == "causal":
            options["is_causal"] = True
        elif kind == "keep":
            mask = _normal(2, lq, lk, seed=2) > -0.5
        elif kind == "add":
            mask = guard(_normal(2, lq, lk, seed=2))
        elif kind == "window":
            options["window"] = (9, 3)
        elif kind == "alibi":
            options["alibi_slopes"] = guard(np.array([0.25, 0.0625], dtype=np.float32))
        given = None if mask is None else guard(mask.astype(np.uint8) if mask.dtype == np.bool_ else mask)
        _core.attention(
            q,
            k,
            v,
            out,
            dim**-0.5,
            causal=kind == "causal",
            window=options.get("window"),
            alibi_slopes=options.get("alibi_slopes"),
            mask=given,
            weights=weights,
            lse=lse,
            num_threads=1,
            isa=isa,
        )
        wide = [a.astype(np.float64) for a in (q, k, v)]
        oracle, p, s = reference.scaled_dot_product_attention(
            *wide, mask, **options, return_weights=True, return_lse=True
        )
        bound = ops_bounds.attention(oracle, p, v) + ops_bounds.score_error(q, k, dim**-0.5, p, v)
        # Half an ulp of a score that a mask or slope has moved: at most 8 here, and 16 for the slopes.
        size = {"add": 8.0, "alibi": 0.25 * max(lq, lk)}.get(kind, 0.0)
        bound = bound + 2 * ops_bounds.U * size * np.matmul(p, np.abs(wide[2]))
        ops_bounds.within(out, oracle, bound)
        scores = np.abs(wide[0]) @ np.swapaxes(np.abs(wide[1]), -1, -2)
        relative = ops_bounds.U * (8 * (1 + lk) + 16 * dim**-0.5 * scores.max() + 2 * size)
        ops_bounds.within(weights, p, relative * p + ops_bounds.TINY)
        ops_bounds.within(lse, s, np.where(np.isfinite(s), relative + ops_bounds.U * np.abs(s), 0.0))
