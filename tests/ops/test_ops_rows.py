"""Operations that take or combine whole rows: embedding, rotary, pooling."""

from __future__ import annotations

from typing import Any

import numpy as np
import ops_bounds
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from ops_draws import normal
from ops_layouts import LAYOUTS
from polysemy import ops, reference
from polysemy.ops import embeddings

POOLS = ("mean_pool", "max_pool", "cls_pool")


@pytest.mark.parametrize("width", [*range(1, 36), 384])
def test_embedding_copies_rows(width: int) -> None:
    rng = np.random.default_rng(width)
    table, ids = normal(rng, 23, width), rng.integers(0, 23, (3, 5))
    np.testing.assert_array_equal(ops.embedding(ids, table), table[ids])


@pytest.mark.parametrize(
    "dtype", [np.int8, np.uint8, np.int16, np.uint32, np.int32, np.int64, np.uint64, ">i4"]
)
def test_every_integer_is_an_id(dtype: Any) -> None:
    table = normal(np.random.default_rng(0), 20, 6)
    ids = np.array([19, 0, 3], dtype=dtype)
    np.testing.assert_array_equal(ops.embedding(ids, table), table[[19, 0, 3]])
    np.testing.assert_array_equal(ops.embedding(ids[::-1], table), table[[3, 0, 19]])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_embedding_layouts(layout: str) -> None:
    table = normal(np.random.default_rng(1), 20, 6)
    np.testing.assert_array_equal(ops.embedding([4, 19], LAYOUTS[layout](table)), table[[4, 19]])
    np.testing.assert_array_equal(
        ops.embedding([4, 19], table.astype(np.float16)), table[[4, 19]].astype(np.float16).astype(np.float32)
    )


def test_embedding_shapes() -> None:
    table = normal(np.random.default_rng(2), 4, 3)
    assert ops.embedding(np.int64(2), table).shape == (3,)
    assert ops.embedding(np.zeros((2, 0), dtype=np.int64), table).shape == (2, 0, 3)
    assert ops.embedding([], table).shape == (0, 3)
    assert ops.embedding([0, 0], table[:, :0]).shape == (2, 0)


@pytest.mark.parametrize("bad", [-1, 4, 2**31, 2**32, -(2**32), 2**63 - 1])
def test_an_id_outside_is_refused(bad: int) -> None:
    """Also where cutting the number to 32 bits would bring it back inside."""
    table = normal(np.random.default_rng(3), 4, 3)
    for ids in ([1, bad], np.array([1, bad], dtype=np.int64)):
        with pytest.raises(ValueError, match=rf"embedding: ids must be integers from 0 to 3, got {bad}"):
            ops.embedding(ids, table)


@settings(max_examples=60, deadline=None)
@given(
    lens=st.lists(st.integers(0, 40), min_size=1, max_size=6),
    width=st.integers(1, 70),
    seed=st.integers(0, 2**32 - 1),
)
def test_pools(lens: list[int], width: int, seed: int) -> None:
    x = normal(np.random.default_rng(seed), sum(lens), width)
    wide = x.astype(np.float64)
    magnitude = reference.mean_pool(np.abs(wide), lens)
    for name in POOLS:
        oracle = getattr(reference, name)(wide, lens)
        bound = np.asarray(lens)[:, None] * ops_bounds.U * magnitude if name == "mean_pool" else 0.0
        ops_bounds.within(getattr(ops, name)(x, lens), oracle, bound)


def test_pools_keep_sequences_apart() -> None:
    lens = [3, 0, 5, 1]
    x = normal(np.random.default_rng(4), 9, 21)
    clean = {name: getattr(ops, name)(x, lens) for name in POOLS}
    x[4] = np.nan
    for name in POOLS:
        result = getattr(ops, name)(x, np.array(lens, dtype=np.uint8))
        np.testing.assert_array_equal(result[[0, 1, 3]], clean[name][[0, 1, 3]])
        np.testing.assert_array_equal(result[1], np.zeros(21))
        assert np.isnan(result[2]).all() == (name != "cls_pool")
    assert ops.mean_pool(x[:0], []).shape == (0, 21)
    assert ops.mean_pool(x[:, :0], lens).shape == (4, 0)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_pool_layouts(layout: str) -> None:
    x = normal(np.random.default_rng(5), 9, 21)
    for name in POOLS:
        pool = getattr(ops, name)
        np.testing.assert_array_equal(pool(LAYOUTS[layout](x), [4, 5]), pool(x, [4, 5]))


@pytest.mark.parametrize(
    ("seqlens", "error", "message"),
    [
        ([4, 4], ValueError, r"mean_pool: seqlens must add up to the 9 rows of x, got a sum of 8"),
        ([10, -1], ValueError, r"mean_pool: seqlens must be integers from 0 to 9, got 10"),
        ([[9]], TypeError, r"mean_pool: seqlens must be a sequence of int"),
        (np.array([[9]]), ValueError, r"mean_pool: seqlens must have one dimension, got shape \(1, 1\)"),
        (np.array([9.0]), TypeError, r"mean_pool: seqlens must have an integer dtype, got float64"),
        ([2**63], ValueError, r"mean_pool: seqlens .* got 9223372036854775808"),
        ([True] * 9, TypeError, r"mean_pool: seqlens must be a sequence of int"),
        (9, TypeError, r"mean_pool: seqlens must be an array, got int"),
    ],
)
def test_wrong_lengths(seqlens: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        ops.mean_pool(np.zeros((9, 2), dtype=np.float32), seqlens)


@settings(max_examples=60, deadline=None)
@given(
    length=st.integers(1, 20),
    heads=st.integers(1, 4),
    half=st.integers(1, 70),
    theta=st.sampled_from([10.0, 10000.0, 160000.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_rotary(length: int, heads: int, half: int, theta: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, positions = normal(rng, length, heads, 2 * half), rng.integers(0, 8192, length)
    oracle = reference.rotary(x.astype(np.float64), positions[:, None], theta)
    # Angle, sine and cosine are rounded: half an ulp of the angle is what turning by it can be off.
    angle = positions[:, None, None] * np.tile(reference.embeddings.inverse_frequencies(2 * half, theta), 2)
    size = np.abs(x) + np.abs(np.roll(x, half, axis=-1))
    bound = ops_bounds.U * (4 + angle) * size
    by_token = ops.rotary(x, positions[:, None], theta)
    ops_bounds.within(by_token, oracle, bound)
    by_head = ops.rotary(np.swapaxes(x, 0, 1), positions, theta)
    np.testing.assert_array_equal(np.swapaxes(by_head, 0, 1), by_token)


def test_rotary_against_the_code_of_transformers() -> None:
    from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

    rng = np.random.default_rng(6)
    q, positions = normal(rng, 2, 3, 11, 16), np.arange(11)
    frequencies = torch.from_numpy(reference.embeddings.inverse_frequencies(16, 10000.0)).double()
    angle = torch.cat([torch.arange(11).double()[:, None] * frequencies] * 2, dim=-1)[None]
    oracle, _ = apply_rotary_pos_emb(*[torch.from_numpy(q).double()] * 2, angle.cos(), angle.sin())
    bound = ops_bounds.U * (4 + 11) * (np.abs(q) + np.abs(np.roll(q, 8, axis=-1)))
    ops_bounds.within(ops.rotary(q, positions), oracle.numpy(), bound)


def test_position_zero_changes_nothing() -> None:
    x = normal(np.random.default_rng(7), 5, 12)
    np.testing.assert_array_equal(ops.rotary(x, np.zeros(5, dtype=np.int32)), x)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: ops.rotary(x[:, :3], [0, 1]), ValueError, r"rotary: x must have a last axis of even size"),
        (
            lambda x: ops.rotary(x, [0, 1, 2]),
            ValueError,
            r"rotary: positions .* broadcasts to \(2,\), got \(3,\)",
        ),
        (lambda x: ops.rotary(x, [0.0, 1.0]), TypeError, r"rotary: positions must be a sequence of int"),
        (lambda x: ops.rotary(x, [0, 2**31]), ValueError, r"rotary: positions .* got 2147483648"),
        (
            lambda x: ops.rotary(x, [0, 1], 0.0),
            ValueError,
            r"rotary: theta must be positive, got 0.0",
        ),
        (lambda x: ops.rotary(x, [0, 1], np.inf), ValueError, r"rotary: theta"),
        (lambda x: ops.embedding([0.5], x), TypeError, r"embedding: ids must be a sequence of int"),
        (lambda x: ops.embedding([True], x), TypeError, r"embedding: ids must be a sequence of int"),
        (
            lambda x: ops.embedding(np.array([True]), x),
            TypeError,
            r"embedding: ids .* integer dtype, got bool",
        ),
        (lambda x: ops.embedding([0], x[0]), ValueError, r"embedding: table must have shape \(rows, width\)"),
        (lambda x: ops.embedding([0], x.astype(np.float64)), TypeError, r"embedding: table .* got float64"),
        (lambda x: ops.embedding([0], x[:0]), ValueError, r"embedding: ids must be integers from 0 to -1"),
        (lambda x: ops.mean_pool(x[0], [4]), ValueError, r"mean_pool: x must have shape \(tokens, width\)"),
    ],
)
def test_wrong_arguments(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(np.zeros((2, 4), dtype=np.float32))


@pytest.mark.parametrize("turned", [False, True], ids=["core", "numpy"])
def test_ids_that_change_during_the_call(turned: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ids that were checked are those that are read: another thread's writes come too late."""
    table = np.arange(24, dtype=np.float32).reshape(4, 6)
    ids = np.array([1, 3, 0], dtype=np.int32)
    allocate = embeddings.output

    def change(*arguments: Any) -> Any:  # called between the check and the reading
        ids[:] = 2**31 - 1
        return allocate(*arguments)

    monkeypatch.setattr(embeddings, "output", change)
    found = ops.embedding(ids, np.asfortranarray(table) if turned else table)
    np.testing.assert_array_equal(found, table[[1, 3, 0]])


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16])
@pytest.mark.parametrize("rows", [3, 200, 40_000, 70_000])
def test_ids_of_every_dtype(dtype: type[np.integer], rows: int) -> None:
    """A negative id is refused in tables of more rows than the dtype can name."""
    table = np.zeros((rows, 1), dtype=np.float32)
    limits = np.iinfo(dtype)
    last = min(rows - 1, int(limits.max))
    assert ops.embedding(np.array([0, last], dtype=dtype), table).shape == (2, 1)
    assert ops.embedding(np.array(last, dtype=dtype), table).shape == (1,)
    outside = [v for v in (-1, int(limits.min), rows, int(limits.max)) if limits.min <= v <= limits.max]
    for value in (v for v in outside if not 0 <= v < rows):
        with pytest.raises(ValueError, match=rf"must be integers from 0 to {rows - 1}, got {value}"):
            ops.embedding(np.array([0, value], dtype=dtype), table)
