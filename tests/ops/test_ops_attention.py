"""Attention against the float64 reference: options, shapes, ragged batches, layouts, bits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import ops_bounds
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ops_draws import normal
from ops_layouts import LAYOUTS
from polysemy import ops, reference

SDPA = ops.scaled_dot_product_attention
# On both sides of lanes, tiles and blocks of keys.
BORDERS = [1, 2, 7, 8, 15, 16, 17, 31, 33, 47, 63, 64, 65, 96, 127, 128, 129, 255, 256, 257, 511, 513]


def _wide(*arrays: Any) -> list[Any]:
    return [None if a is None else a if a.dtype == np.bool_ else a.astype(np.float64) for a in arrays]


def check(q: Any, k: Any, v: Any, mask: Any = None, **options: Any) -> None:
    """Result, weights and log-sums of a dense call against the reference."""
    slopes = options.pop("alibi_slopes", None)
    wide = _wide(q, k, v, mask)
    oracle, weights, lse = reference.scaled_dot_product_attention(
        *wide, **options, alibi_slopes=_wide(slopes)[0], return_weights=True, return_lse=True
    )
    got, got_weights, got_lse = SDPA(
        q, k, v, mask, **options, alibi_slopes=slopes, return_weights=True, return_lse=True
    )
    if options.get("enable_gqa"):
        k, v = (np.repeat(a, q.shape[-3] // a.shape[-3], axis=-3) for a in (k, v))
    scale = options.get("scale") or q.shape[-1] ** -0.5
    bound = ops_bounds.attention(oracle, weights, v) + ops_bounds.score_error(q, k, scale, weights, v)
    if mask is not None and mask.dtype != np.bool_:
        # A sum with the mask is rounded once: as an error of the score it scales every weight.
        finite = np.where(np.isfinite(mask), np.abs(mask), 0.0).max(initial=0.0)
        bound = bound * (1 + finite)
    # What the slopes take from a score rounds like it; the distance is that of the longer side.
    bent = 0.0 if slopes is None else 2 * ops_bounds.U * np.abs(slopes).max() * max(q.shape[-2], k.shape[-2])
    bound = bound + bent * np.matmul(weights, np.abs(v))
    ops_bounds.within(got, oracle, bound)
    # A weight is what attention makes of a one among zeros.
    every = np.abs(np.matmul(np.abs(_wide(q)[0]), np.swapaxes(np.abs(k), -1, -2))).max(initial=1.0) * abs(
        scale
    )
    relative = ops_bounds.U * (8 * (1 + k.shape[-2]) + 16 * every)
    if mask is not None and mask.dtype != np.bool_:
        relative *= 1 + finite
    relative += bent
    ops_bounds.within(got_weights, weights, relative * weights + ops_bounds.TINY)
    with np.errstate(invalid="ignore"):
        ops_bounds.within(got_lse, lse, np.maximum(relative, ops_bounds.U * np.abs(lse)))


@pytest.mark.parametrize("keys", BORDERS)
def test_number_of_keys(keys: int) -> None:
    rng = np.random.default_rng(keys)
    check(normal(rng, 2, 3, 20), normal(rng, 2, keys, 20), normal(rng, 2, keys, 11))


@pytest.mark.parametrize("queries", BORDERS)
def test_number_of_queries(queries: int) -> None:
    rng = np.random.default_rng(queries)
    check(normal(rng, 2, queries, 20), normal(rng, 2, 19, 20), normal(rng, 2, 19, 11))


@pytest.mark.parametrize("dim", [*range(1, 70), 96, 127, 128, 129, 255, 256, 257, 511, 512])
def test_number_of_features(dim: int) -> None:
    rng = np.random.default_rng(dim)
    check(normal(rng, 5, dim), normal(rng, 70, dim), normal(rng, 70, 513 - dim))


@settings(max_examples=100, deadline=None)
@example(
    lengths=(28, 3), dims=(1, 2), kind="none", window=None, alibi=True, scale=None, seed=1
)  # far from the keys
@given(
    lengths=st.tuples(st.integers(0, 150), st.integers(0, 300)),
    dims=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    kind=st.sampled_from(["none", "causal", "bool", "float"]),
    window=st.none() | st.tuples(st.integers(-1, 80), st.integers(-1, 80)),
    alibi=st.booleans(),
    scale=st.sampled_from([None, 0.05, 1.0, -0.3]),
    seed=st.integers(0, 2**32 - 1),
)
def test_options(
    lengths: tuple[int, int],
    dims: tuple[int, int],
    kind: str,
    window: tuple[int, int] | None,
    alibi: bool,
    scale: float | None,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    (lq, lk), (dim, value_dim) = lengths, dims
    mask = None
    if kind == "bool":
        mask = rng.random((2, lq, lk)) < rng.random((2, lq, 1))
    elif kind == "float":
        mask = np.where(rng.random((2, lq, lk)) < 0.2, -np.inf, rng.standard_normal((2, lq, lk)))
        mask = mask.astype(np.float32)
    check(
        normal(rng, 2, lq, dim),
        normal(rng, 2, lk, dim),
        normal(rng, 2, lk, value_dim),
        mask,
        is_causal=kind == "causal",
        window=window,
        alibi_slopes=np.array([0.5, 0.125], dtype=np.float32) if alibi else None,
        scale=scale,
    )


@pytest.mark.parametrize(("heads", "kv_heads"), [(4, 1), (4, 2), (4, 4), (9, 3), (5, 1)])
def test_grouped_heads(heads: int, kv_heads: int) -> None:
    rng = np.random.default_rng(heads)
    q = normal(rng, 2, heads, 9, 16)
    k, v = normal(rng, 2, kv_heads, 33, 16), normal(rng, 2, kv_heads, 33, 8)
    check(q, k, v, enable_gqa=True)
    repeated = [np.repeat(a, heads // kv_heads, axis=1) for a in (k, v)]
    np.testing.assert_array_equal(SDPA(q, k, v, enable_gqa=True), SDPA(q, *repeated))


@pytest.mark.parametrize(
    ("q", "k", "v", "mask"),
    [
        ((2, 3), (2, 3), (2, 3), ()),
        ((2, 3), (3,), (1, 1), ()),
        ((1, 1), (2, 3), (3,), (2, 1)),
        ((4, 1, 3), (2, 3), (1, 2, 1), (1, 1, 3)),
        ((1,), (2, 3), (2, 1), (2, 1)),
        ((3,), (3,), (5, 3), (5, 1)),
        ((), (2, 3), (), (3,)),
    ],
)
@pytest.mark.parametrize("mask_rows", [(5, 1), (1, 7), (5, 7)])
def test_broadcasting_copies_nothing_and_changes_nothing(
    q: Any, k: Any, v: Any, mask: Any, mask_rows: tuple[int, int]
) -> None:
    rng = np.random.default_rng(3)
    query, key, value = normal(rng, *q, 5, 8), normal(rng, *k, 7, 8), normal(rng, *v, 7, 4)
    lead = np.broadcast_shapes(q, k, v)
    bias = normal(rng, *mask, *mask_rows)
    full = [
        np.ascontiguousarray(np.broadcast_to(a, (*lead, *rows)))
        for a, rows in ((query, (5, 8)), (key, (7, 8)), (value, (7, 4)), (bias, (5, 7)))
    ]
    expected = SDPA(*full)
    np.testing.assert_array_equal(SDPA(query, key, value, bias), expected)
    check(*full)
    keep = bias > 0
    np.testing.assert_array_equal(SDPA(query, key, value, keep), SDPA(*full[:3], full[3] > 0))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout: str) -> None:
    rng = np.random.default_rng(4)
    q, k, v = normal(rng, 2, 3, 6, 8), normal(rng, 2, 3, 7, 8), normal(rng, 2, 3, 7, 8)
    bias = normal(rng, 6, 7)
    change = LAYOUTS[layout]
    np.testing.assert_array_equal(SDPA(change(q), change(k), change(v), change(bias)), SDPA(q, k, v, bias))


def test_the_layout_of_projections_is_taken_as_it_is() -> None:
    """(batch, length, heads, dim) seen with swapped axes, as models have it; one array for q, k and v."""
    rng = np.random.default_rng(5)
    packed = normal(rng, 2, 9, 3, 4, 8)
    q, k, v = (np.swapaxes(packed[:, :, i], 1, 2) for i in range(3))
    expected = SDPA(*(np.ascontiguousarray(a) for a in (q, k, v)))
    np.testing.assert_array_equal(SDPA(q, k, v), expected)


def _ragged_case(rng: np.random.Generator, q_lens: list[int], k_lens: list[int], kv_heads: int) -> Any:
    return (
        normal(rng, sum(q_lens), 4, 16),
        normal(rng, sum(k_lens), kv_heads, 16),
        normal(rng, sum(k_lens), kv_heads, 9),
    )


@settings(max_examples=60, deadline=None)
@given(
    lens=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 150)), min_size=1, max_size=5),
    cross=st.booleans(),
    kv_heads=st.sampled_from([1, 2, 4]),
    kind=st.sampled_from(["none", "causal", "bool", "float", "window"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_ragged_is_each_sequence_alone(
    lens: list[tuple[int, int]], cross: bool, kv_heads: int, kind: str, seed: int
) -> None:
    """Bit for bit: the neighbours, their number and the padding that was never there have no influence."""
    rng = np.random.default_rng(seed)
    q_lens = [n for n, _ in lens]
    k_lens = [n for _, n in lens] if cross else q_lens
    q, k, v = _ragged_case(rng, q_lens, k_lens, kv_heads)
    mask = None
    if kind in ("bool", "float"):
        mask = normal(rng, len(lens), 1, max(q_lens), max(k_lens))
        mask = mask > -0.5 if kind == "bool" else mask
    options = {"is_causal": kind == "causal", "window": (3, 1) if kind == "window" else None}
    result, weights, lse = SDPA(
        q,
        k,
        v,
        mask,
        **options,
        enable_gqa=True,
        seqlens=q_lens,
        kv_seqlens=np.array(k_lens) if cross else None,
        return_weights=True,
        return_lse=True,
    )
    assert result.shape == (sum(q_lens), 4, 9)
    assert lse.shape == (sum(q_lens), 4)
    q_at = k_at = 0
    for n, (lq, lk) in enumerate(zip(q_lens, k_lens, strict=True)):
        one = SDPA(
            *(np.swapaxes(a, 0, 1) for a in (q[q_at : q_at + lq], k[k_at : k_at + lk], v[k_at : k_at + lk])),
            None if mask is None else mask[n, :, :lq, :lk],
            **options,
            enable_gqa=True,
            return_weights=True,
            return_lse=True,
        )
        np.testing.assert_array_equal(np.swapaxes(result[q_at : q_at + lq], 0, 1), one[0])
        np.testing.assert_array_equal(weights[n], one[1])
        np.testing.assert_array_equal(lse[q_at : q_at + lq].T, one[2])
        q_at, k_at = q_at + lq, k_at + lk


def test_ragged_against_the_reference() -> None:
    rng = np.random.default_rng(6)
    lens = [3, 0, 130, 17]
    q, k, v = _ragged_case(rng, lens, lens, 4)
    mask = rng.random((4, 4, 130, 130)) < 0.7
    oracle, weights, lse = reference.scaled_dot_product_attention(
        *_wide(q, k, v), mask, seqlens=lens, return_weights=True, return_lse=True
    )
    got, got_weights, got_lse = SDPA(q, k, v, mask, seqlens=lens, return_weights=True, return_lse=True)
    magnitude = 8 * ops_bounds.U * 0.25 * np.einsum("ihd,jhd->hij", np.abs(q), np.abs(k)).max()
    spread = np.abs(v).max() * (8 * ops_bounds.U * 131 + 2 * magnitude)
    ops_bounds.within(got, oracle, spread)
    ops_bounds.within(got_lse, lse, 8 * ops_bounds.U * 131 + 2 * magnitude)
    for a, b in zip(got_weights, weights, strict=True):
        ops_bounds.within(a, b, (8 * ops_bounds.U * 131 + 2 * magnitude) * b + ops_bounds.TINY)


def test_asking_for_more_does_not_change_the_result() -> None:
    rng = np.random.default_rng(8)
    q, k, v = normal(rng, 2, 70, 24), normal(rng, 2, 300, 24), normal(rng, 2, 300, 24)
    plain = SDPA(q, k, v)
    out = np.full_like(plain, np.nan)
    answer = SDPA(q, k, v, return_weights=True, return_lse=True, out=out)
    assert answer[0] is out
    np.testing.assert_array_equal(out, plain)
    np.testing.assert_array_equal(SDPA(q, k, v, return_lse=True)[1], answer[2])
    np.testing.assert_array_equal(SDPA(q, k, v, return_weights=True)[1], answer[1])
    total = answer[1].astype(np.float64).sum(axis=-1)
    np.testing.assert_array_less(np.abs(total - 1.0), 8 * ops_bounds.U * 301)


@pytest.mark.parametrize(
    ("shapes", "result"),
    [
        (((0, 4), (3, 4), (3, 2)), (0, 2)),
        (((2, 4), (0, 4), (0, 2)), (2, 2)),
        (((2, 4), (3, 4), (3, 0)), (2, 0)),
        (((2, 0), (3, 0), (3, 2)), (2, 2)),
        (((0, 2, 4), (0, 3, 4), (0, 3, 2)), (0, 2, 2)),
        (((0, 1, 2, 4), (1, 3, 4), (1, 3, 2)), (0, 1, 2, 2)),
    ],
)
def test_zero_sizes(shapes: Any, result: tuple[int, ...]) -> None:
    q, k, v = (np.ones(shape, dtype=np.float32) for shape in shapes)
    got, weights, lse = SDPA(q, k, v, return_weights=True, return_lse=True)
    assert got.shape == result
    assert weights.shape == (*result[:-1], k.shape[-2])
    if k.shape[-2] == 0:
        np.testing.assert_array_equal(got, np.zeros(result))
        np.testing.assert_array_equal(lse, np.full(result[:-1], -np.inf))
    elif got.size:
        # Without features all scores are equal, so that the result is the mean of the values.
        ops_bounds.within(got, np.ones(result), 8 * ops_bounds.U)


def test_float16_is_widened() -> None:
    rng = np.random.default_rng(9)
    half = [normal(rng, 2, n, 8).astype(np.float16) for n in (5, 6, 6)]
    full = [a.astype(np.float32) for a in half]
    np.testing.assert_array_equal(SDPA(*half), SDPA(*full))
    np.testing.assert_array_equal(SDPA(half[0], full[1], half[2]), SDPA(*full))
    bias = normal(rng, 5, 6).astype(np.float16)
    np.testing.assert_array_equal(SDPA(*half, bias), SDPA(*full, bias.astype(np.float32)))


@pytest.mark.parametrize("values", [([1, 0], [0.5, 0.5], [0.8, 0.2]), ([0, 1], [0.5, 0.5], [0.1, 0.9])])
def test_worked_example(values: Any) -> None:
    """The attention of "bank" beside "money" and beside "river": logits are the logarithms of the weights."""
    weights, expected = {
        1: ([0.51, 0.19, 0.30], [0.845, 0.155]),
        0: ([0.35, 0.15, 0.50], [0.125, 0.875]),
    }[values[0][0]]
    nothing = np.zeros((1, 2), dtype=np.float32)
    logits = np.log(np.array([weights])).astype(np.float32)
    result, got = SDPA(
        nothing, np.zeros((3, 2), np.float32), np.array(values, np.float32), logits, return_weights=True
    )
    # The logits are at most 2 in magnitude and rounded to float32, which scales a weight by 1 +- 2u.
    ops_bounds.within(got, np.array([weights]), (8 * 4 + 2) * ops_bounds.U)
    ops_bounds.within(result, np.array([expected]), (8 * 4 + 2) * ops_bounds.U)


def test_scale_defaults_to_the_root_of_the_features() -> None:
    rng = np.random.default_rng(10)
    q, k, v = normal(rng, 5, 24), normal(rng, 6, 24), normal(rng, 6, 3)
    np.testing.assert_array_equal(SDPA(q, k, v), SDPA(q, k, v, scale=1 / math.sqrt(24)))
    np.testing.assert_array_equal(SDPA(q, k, v, scale=np.float32(0.5)), SDPA(q, k, v, scale=0.5))
