"""From the shapes of attention's arguments to the list of problems that the core solves."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polysemy.ops.arrays import as_lengths
from polysemy.ops.layout import Located, dense_offsets, locate_batch, locate_rows

OP = "scaled_dot_product_attention"
# The kernel keeps a block of keys and one of values of this width in a core's cache; no model comes near it.
MOST_FEATURES = 4096


@dataclass(frozen=True, slots=True)
class Problems:
    """All problems of one call, and how the flat results get their public shapes."""

    query: Located
    key: Located
    value: Located
    mask: Located | None
    q_lens: NDArray[np.int64]
    k_lens: NDArray[np.int64]
    heads: int
    kv_heads: int
    dim: int
    v_dim: int
    out_shape: tuple[int, ...]
    out_offsets: NDArray[np.int64]
    out_strides: tuple[int, int]
    shape_weights: Callable[[NDArray[np.float32]], Any]
    shape_lse: Callable[[NDArray[np.float32]], NDArray[np.float32]]

    @property
    def weights_sizes(self) -> NDArray[np.int64]:
        """Number of probabilities of each problem."""
        return self.heads * self.q_lens * self.k_lens

    @property
    def weights_offsets(self) -> NDArray[np.int64]:
        """Where each problem's probabilities begin in the flat result."""
        return dense_offsets(self.weights_sizes)

    @property
    def weights_size(self) -> int:
        """Number of all probabilities, in Python's integers: it may be more than any memory holds."""
        return sum(
            self.heads * q * k for q, k in zip(self.q_lens.tolist(), self.k_lens.tolist(), strict=True)
        )

    @property
    def lse_offsets(self) -> NDArray[np.int64]:
        """Where each problem's log-sums begin in the flat result."""
        return dense_offsets(self.heads * self.q_lens)

    @property
    def lse_size(self) -> int:
        """Number of all log-sums."""
        return self.heads * int(self.q_lens.sum())


def _three_axes(argument: str, array: NDArray[Any]) -> NDArray[Any]:
    if array.ndim < 2:
        raise ValueError(f"{OP}: {argument}: expected shape (..., heads, length, dim), got {array.shape}")
    return array[None] if array.ndim == 2 else array


def _check_features(q: NDArray[Any], k: NDArray[Any], v: NDArray[Any]) -> None:
    if k.shape[-1] != q.shape[-1]:
        raise ValueError(f"{OP}: key: expected {q.shape[-1]} features as in query, got {k.shape[-1]}")
    for name, array in (("query", q), ("value", v)):
        if array.shape[-1] > MOST_FEATURES:
            raise ValueError(
                f"{OP}: {name}: expected at most {MOST_FEATURES} features, got {array.shape[-1]}"
            )


def _heads(q: int, k: int, v: int, grouped: bool) -> tuple[int, int]:
    """(heads, kv_heads): equal after broadcasting, or grouped, several query heads per key head."""
    kv = k if v == 1 else v
    if k not in (1, kv):
        raise ValueError(f"{OP}: value: expected {k} heads as in key, or 1, got {v}")
    if grouped:
        if kv == 0 or q % kv:
            raise ValueError(f"{OP}: key: expected a number of heads that divides the {q} of query, got {kv}")
        return q, kv
    if q not in (1, kv) and kv != 1:
        hint = "; enable_gqa=True groups query heads" if kv and q % kv == 0 else ""
        raise ValueError(f"{OP}: key: expected {q} heads as in query, or 1, got {kv}{hint}")
    heads = kv if q == 1 else q
    return heads, heads


def _narrow(q: NDArray[Any], k: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], int]:
    """Queries and keys without features have scores of zero, just as with one feature that is zero."""
    if q.shape[-1]:
        return q, k, q.shape[-1]
    zero = np.zeros(1, dtype=np.float32)
    return np.broadcast_to(zero, (*q.shape[:-1], 1)), np.broadcast_to(zero, (*k.shape[:-1], 1)), 1


def dense_problems(
    q: NDArray[Any], k: NDArray[Any], v: NDArray[Any], mask: NDArray[Any] | None, grouped: bool
) -> Problems:
    """One problem per element of the broadcast axes before (heads, length, dim)."""
    flat_heads = max(q.ndim, k.ndim, v.ndim) == 2
    q, k, v = (_three_axes(name, a) for name, a in (("query", q), ("key", k), ("value", v)))
    _check_features(q, k, v)
    if v.shape[-2] != k.shape[-2]:
        raise ValueError(f"{OP}: value: expected {k.shape[-2]} rows as in key, got {v.shape[-2]}")
    heads, kv_heads = _heads(q.shape[-3], k.shape[-3], v.shape[-3], grouped)
    batch: tuple[int, ...] = q.shape[:-3]
    for name, array in (("key", k), ("value", v)):
        if array.shape[:-3] == batch:
            continue
        try:
            batch = np.broadcast_shapes(batch, array.shape[:-3])
        except ValueError:
            raise ValueError(
                f"{OP}: {name}: expected batch axes that broadcast with {batch}, got shape {array.shape}"
            ) from None
    lq, lk, v_dim = q.shape[-2], k.shape[-2], v.shape[-1]
    located_mask = None
    if mask is not None:
        full = (*batch, heads, lq, lk)
        located_mask = _locate_mask(mask, full, full[1:] if flat_heads else full)
    q, k, dim = _narrow(q, k)
    count = math.prod(batch)
    out_shape = (*batch, heads, lq, v_dim)
    weights_shape, lse_shape = (*batch, heads, lq, lk), (*batch, heads, lq)
    if flat_heads:
        out_shape, weights_shape, lse_shape = out_shape[1:], weights_shape[1:], lse_shape[1:]
    query, key, value = (locate_batch(a, batch, 3, inner_contiguous=True) for a in (q, k, v))
    return Problems(
        query=query,
        key=key,
        value=value,
        mask=located_mask,
        q_lens=np.full(count, lq, dtype=np.int64),
        k_lens=np.full(count, lk, dtype=np.int64),
        heads=heads,
        kv_heads=kv_heads,
        dim=dim,
        v_dim=v_dim,
        out_shape=out_shape,
        out_offsets=np.arange(count, dtype=np.int64) * (heads * lq * v_dim),
        out_strides=(lq * v_dim, v_dim),
        shape_weights=lambda flat: flat.reshape(weights_shape),
        shape_lse=lambda flat: flat.reshape(lse_shape),
    )


def ragged_problems(
    q: NDArray[Any],
    k: NDArray[Any],
    v: NDArray[Any],
    mask: NDArray[Any] | None,
    grouped: bool,
    seqlens: Any,
    kv_seqlens: Any,
) -> Problems:
    """One problem per sequence of rows (tokens, heads, dim)."""
    for name, array in (("query", q), ("key", k), ("value", v)):
        if array.ndim != 3:
            raise ValueError(
                f"{OP}: {name}: expected shape (tokens, heads, dim) with seqlens, got {array.shape}"
            )
    _check_features(q, k, v)
    if v.shape[0] != k.shape[0]:
        raise ValueError(f"{OP}: value: expected {k.shape[0]} rows as in key, got {v.shape[0]}")
    heads, kv_heads = _heads(q.shape[1], k.shape[1], v.shape[1], grouped)
    q_lens = as_lengths(OP, "seqlens", seqlens, q.shape[0], "query")
    k_name, k_given = ("seqlens", seqlens) if kv_seqlens is None else ("kv_seqlens", kv_seqlens)
    k_lens = as_lengths(OP, k_name, k_given, k.shape[0], "key")
    if k_lens.size != q_lens.size:
        raise ValueError(f"{OP}: kv_seqlens: expected {q_lens.size} lengths as in seqlens, got {k_lens.size}")
    count, v_dim = q_lens.size, v.shape[2]
    located_mask = None
    if mask is not None:
        shape = (count, heads, int(q_lens.max(initial=0)), int(k_lens.max(initial=0)))
        located_mask = _locate_mask(mask, shape, shape)
    q, k, dim = _narrow(q, k)
    q_starts, k_starts = dense_offsets(q_lens), dense_offsets(k_lens)

    def shape_weights(flat: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        sizes = heads * q_lens * k_lens
        parts = np.split(flat, np.cumsum(sizes)[:-1]) if count else []
        lengths = zip(q_lens.tolist(), k_lens.tolist(), strict=True)
        return [part.reshape(heads, lq, lk) for part, (lq, lk) in zip(parts, lengths, strict=True)]

    def shape_lse(flat: NDArray[np.float32]) -> NDArray[np.float32]:
        rows = np.empty((q_lens.sum(), heads), dtype=np.float32)
        for start, length in zip(q_starts.tolist(), q_lens.tolist(), strict=True):
            block = flat[heads * start : heads * (start + length)]
            rows[start : start + length] = block.reshape(heads, length).T
        return rows

    return Problems(
        query=locate_rows(q, q_starts),
        key=locate_rows(k, k_starts),
        value=locate_rows(v, k_starts),
        mask=located_mask,
        q_lens=q_lens,
        k_lens=k_lens,
        heads=heads,
        kv_heads=kv_heads,
        dim=dim,
        v_dim=v_dim,
        out_shape=(q.shape[0], heads, v_dim),
        out_offsets=q_starts * (heads * v_dim),
        out_strides=(v_dim, heads * v_dim),
        shape_weights=shape_weights,
        shape_lse=shape_lse,
    )


def _locate_mask(mask: NDArray[Any], shape: tuple[int, ...], public: tuple[int, ...]) -> Located:
    """The mask broadcast to (..., heads, L, S) by zero strides; ``public`` is the shape callers see."""
    fits = mask.ndim <= len(public) and all(
        n in (1, full) for n, full in zip(reversed(mask.shape), reversed(public), strict=False)
    )
    if not fits:
        raise ValueError(f"{OP}: attn_mask: expected a shape that broadcasts to {public}, got {mask.shape}")
    padded = mask.reshape((1,) * (3 - mask.ndim) + mask.shape) if mask.ndim < 3 else mask
    return locate_batch(padded, shape[:-3], 3, inner_contiguous=False)
