"""What the shapes of attention's arguments make of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from polysemy.ops.arrays import as_lengths
from polysemy.ops.layout import Located, dense_offsets, locate_mask, locate_rows

OP = "scaled_dot_product_attention"
# The kernel keeps a block of keys and one of values of this width in a core's cache; no model comes near it.
MOST_FEATURES = 4096


class Dense(NamedTuple):
    """How equal problems are shaped: one for each element of the axes before (heads, length, dim)."""

    heads: int
    kv_heads: int
    dim: int
    out: tuple[int, ...]
    weights: tuple[int, ...]
    lse: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Ragged:
    """Sequences that are packed as rows, and where each of them begins."""

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

    @property
    def out(self) -> tuple[int, int, int]:
        """Shape of the result."""
        return int(self.q_lens.sum()), self.heads, self.v_dim

    @property
    def starts(self) -> NDArray[np.int64]:
        """The first row of each sequence in the result."""
        return dense_offsets(self.q_lens)

    @property
    def weights_starts(self) -> NDArray[np.int64]:
        """Where each sequence's probabilities begin in the flat result."""
        return dense_offsets(self.heads * self.q_lens * self.k_lens)

    @property
    def weights_size(self) -> int:
        """Number of all probabilities, in Python's integers: it may be more than any memory holds."""
        lengths = zip(self.q_lens.tolist(), self.k_lens.tolist(), strict=True)
        return sum(self.heads * q * k for q, k in lengths)

    def split_weights(self, flat: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """The probabilities of each sequence: (heads, L_i, S_i)."""
        shapes = [(self.heads, q, k) for q, k in zip(self.q_lens.tolist(), self.k_lens.tolist(), strict=True)]
        parts = np.split(flat, self.weights_starts[1:]) if shapes else []
        return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]

    def join_lse(self, flat: NDArray[np.float32]) -> NDArray[np.float32]:
        """The log-sums, which the core writes as (heads, L_i) of one sequence after the other, by rows."""
        first, length = (np.repeat(each, self.q_lens) for each in (self.starts, self.q_lens))
        place = first * self.heads + np.arange(first.size) - first
        return flat[place[:, None] + np.arange(self.heads) * length[:, None]]


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


def featured(q: NDArray[Any], k: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Queries and keys without features have scores of zero, just as with one feature that is zero."""
    if q.shape[-1]:
        return q, k
    zero = np.zeros(1, dtype=np.float32)
    return np.broadcast_to(zero, (*q.shape[:-1], 1)), np.broadcast_to(zero, (*k.shape[:-1], 1))


def _broadcast(
    q: tuple[int, ...], k: tuple[int, ...], v: tuple[int, ...], grouped: bool
) -> tuple[int, int, tuple[int, ...]]:
    """(heads, kv_heads, the result's axes before its last two); none of these where no array has heads."""
    q_heads, k_heads, v_heads = (shape[-3] if len(shape) > 2 else 1 for shape in (q, k, v))
    heads, kv_heads = _heads(q_heads, k_heads, v_heads, grouped)
    batch = q[:-3]
    for name, shape in (("key", k), ("value", v)):
        try:
            batch = np.broadcast_shapes(batch, shape[:-3])
        except ValueError:
            raise ValueError(
                f"{OP}: {name}: expected batch axes that broadcast with {batch}, got shape {shape}"
            ) from None
    return heads, kv_heads, (*batch, heads) if max(len(q), len(k), len(v)) > 2 else ()


def dense_shapes(
    q: NDArray[Any], k: NDArray[Any], v: NDArray[Any], mask: NDArray[Any] | None, grouped: bool
) -> Dense:
    """The shapes of what (..., heads, length, dim) gives; ValueError where they do not fit each other."""
    for name, array in (("query", q), ("key", k), ("value", v)):
        if array.ndim < 2:
            raise ValueError(f"{OP}: {name}: expected shape (..., heads, length, dim), got {array.shape}")
    _check_features(q, k, v)
    lq, dim = q.shape[-2:]
    lk, v_dim = k.shape[-2], v.shape[-1]
    if v.shape[-2] != lk:
        raise ValueError(f"{OP}: value: expected {lk} rows as in key, got {v.shape[-2]}")
    lead: tuple[int, ...] = q.shape[:-2]
    if k.shape[:-2] == lead and v.shape[:-2] == lead and not grouped:
        heads = kv_heads = lead[-1] if lead else 1
    else:
        heads, kv_heads, lead = _broadcast(q.shape, k.shape, v.shape, grouped)
    if mask is not None:
        _check_mask(mask, (*lead, lq, lk))
    return Dense(heads, kv_heads, dim, (*lead, lq, v_dim), (*lead, lq, lk), (*lead, lq))


def ragged_problems(
    q: NDArray[Any],
    k: NDArray[Any],
    v: NDArray[Any],
    mask: NDArray[Any] | None,
    grouped: bool,
    seqlens: Any,
    kv_seqlens: Any = None,
) -> Ragged:
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
    located_mask = None
    if mask is not None:
        lengths = int(q_lens.max(initial=0)), int(k_lens.max(initial=0))
        _check_mask(mask, (q_lens.size, heads, *lengths))
        located_mask = locate_mask(mask, q_lens.size)
    q, k = featured(q, k)
    k_starts = dense_offsets(k_lens)
    return Ragged(
        query=locate_rows(q, dense_offsets(q_lens)),
        key=locate_rows(k, k_starts),
        value=locate_rows(v, k_starts),
        mask=located_mask,
        q_lens=q_lens,
        k_lens=k_lens,
        heads=heads,
        kv_heads=kv_heads,
        dim=q.shape[2],
        v_dim=v.shape[2],
    )


def _check_mask(mask: NDArray[Any], shape: tuple[int, ...]) -> None:
    fits = mask.ndim <= len(shape) and all(
        n in (1, full) for n, full in zip(reversed(mask.shape), reversed(shape), strict=False)
    )
    if not fits:
        raise ValueError(f"{OP}: attn_mask: expected a shape that broadcasts to {shape}, got {mask.shape}")
