"""Shapes of attention's results, and of what broadcasts. All other sizes are for the core to check."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from polysemy.ops.arrays import as_offsets

OP = "scaled_dot_product_attention"


class Dense(NamedTuple):
    """Results for equal sequences, one for each element of the axes before (heads, length, dim)."""

    heads: int
    out: tuple[int, ...]
    weights: tuple[int, ...]
    lse: tuple[int, ...]


class Ragged(NamedTuple):
    """Results for sequences that are rows one below the other: sequence i ends where i + 1 begins."""

    heads: int
    out: tuple[int, ...]
    q_offsets: NDArray[np.int64]
    k_offsets: NDArray[np.int64]

    @property
    def weights(self) -> list[tuple[int, int, int]]:
        """The shape of the probabilities of each sequence."""
        lengths = np.diff(self.q_offsets).tolist(), np.diff(self.k_offsets).tolist()
        return [(self.heads, q, k) for q, k in zip(*lengths, strict=True)]

    @property
    def lse(self) -> tuple[int, ...]:
        """(tokens, heads)."""
        return self.out[:2]


def _heads(q: int, k: int, v: int, grouped: bool) -> int:
    """Heads of the result: equal after broadcasting, or grouped, several query heads per key head."""
    kv = k if v == 1 else v
    if k not in (1, kv):
        raise ValueError(f"{OP}: value must have {k} heads as key has, or 1, got {v}")
    if grouped:
        if kv == 0 or q % kv:
            raise ValueError(f"{OP}: key must have a number of heads that divides the {q} of query, got {kv}")
        return q
    if q not in (1, kv) and kv != 1:
        hint = "; enable_gqa=True groups query heads" if kv and q % kv == 0 else ""
        raise ValueError(f"{OP}: key must have {q} heads as query has, or 1, got {kv}{hint}")
    return kv if q == 1 else q


def _broadcast(
    q: tuple[int, ...], k: tuple[int, ...], v: tuple[int, ...], grouped: bool
) -> tuple[int, tuple[int, ...]]:
    """Heads, and the result's axes before its last two; none of these where no array has heads."""
    q_heads, k_heads, v_heads = (shape[-3] if len(shape) > 2 else 1 for shape in (q, k, v))
    heads = _heads(q_heads, k_heads, v_heads, grouped)
    batch = q[:-3]
    for name, shape in (("key", k), ("value", v)):
        try:
            batch = np.broadcast_shapes(batch, shape[:-3])
        except ValueError:
            raise ValueError(
                f"{OP}: {name} must have batch axes that broadcast with {batch}, got shape {shape}"
            ) from None
    return heads, (*batch, heads) if max(len(q), len(k), len(v)) > 2 else ()


def dense_shapes(
    q: NDArray[Any], k: NDArray[Any], v: NDArray[Any], mask: NDArray[Any] | None, grouped: bool
) -> Dense:
    """The shapes of what (..., heads, length, dim) gives; ValueError where they do not fit each other."""
    for name, array in (("query", q), ("key", k), ("value", v)):
        if array.ndim < 2:
            raise ValueError(f"{OP}: {name} must have shape (..., heads, length, dim), got {array.shape}")
    lq, lk = q.shape[-2], k.shape[-2]
    lead: tuple[int, ...] = q.shape[:-2]
    if k.shape[:-2] == lead and v.shape[:-2] == lead and not grouped:
        heads = lead[-1] if lead else 1
    else:
        heads, lead = _broadcast(q.shape, k.shape, v.shape, grouped)
    if mask is not None:
        _check_mask(mask, (*lead, lq, lk))
    return Dense(heads, (*lead, lq, v.shape[-1]), (*lead, lq, lk), (*lead, lq))


def ragged_shapes(
    q: NDArray[Any],
    k: NDArray[Any],
    v: NDArray[Any],
    mask: NDArray[Any] | None,
    grouped: bool,
    seqlens: Any,
    kv_seqlens: Any = None,
) -> Ragged:
    """The shapes of what rows (tokens, heads, dim) of sequences of these lengths give."""
    for name, array in (("query", q), ("key", k), ("value", v)):
        if array.ndim != 3:
            raise ValueError(
                f"{OP}: {name} must have shape (tokens, heads, dim) with seqlens, got {array.shape}"
            )
    heads = _heads(q.shape[1], k.shape[1], v.shape[1], grouped)
    q_offsets = as_offsets(OP, "seqlens", seqlens, q.shape[0], "query")
    k_name, k_given = ("seqlens", seqlens) if kv_seqlens is None else ("kv_seqlens", kv_seqlens)
    k_offsets = as_offsets(OP, k_name, k_given, k.shape[0], "key")
    if k_offsets.size != q_offsets.size:
        raise ValueError(
            f"{OP}: kv_seqlens must have {q_offsets.size - 1} lengths as seqlens has, got {k_offsets.size - 1}"
        )
    if mask is not None:
        longest = (int(np.diff(offsets).max(initial=0)) for offsets in (q_offsets, k_offsets))
        _check_mask(mask, (q_offsets.size - 1, heads, *longest))
    return Ragged(heads, (q.shape[0], heads, v.shape[2]), q_offsets, k_offsets)


def _check_mask(mask: NDArray[Any], shape: tuple[int, ...]) -> None:
    fits = mask.ndim <= len(shape) and all(
        n in (1, full) for n, full in zip(reversed(mask.shape), reversed(shape), strict=False)
    )
    if not fits:
        raise ValueError(f"{OP}: attn_mask must have a shape that broadcasts to {shape}, got {mask.shape}")
