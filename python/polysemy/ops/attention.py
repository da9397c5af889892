"""Scaled dot-product attention on arrays, dense or ragged."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polysemy import _core
from polysemy.ops.arrays import (
    F32,
    as_array,
    as_float32,
    expect_shape,
    flag,
    integer,
    number,
    output,
    threads,
)
from polysemy.ops.attention_shapes import OP, Problems, dense_problems, ragged_problems


def scaled_dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
    *,
    seqlens: Any = None,
    kv_seqlens: Any = None,
    window: tuple[int, int] | None = None,
    alibi_slopes: Any = None,
    return_weights: bool = False,
    return_lse: bool = False,
    out: NDArray[np.float32] | None = None,
    num_threads: int | None = None,
) -> Any:
    """softmax(scale * Q K^T + mask) V (Vaswani et al., arXiv:1706.03762) with a streaming softmax.

    Memory grows linearly with the lengths: the scores never exist as a matrix. Arguments mean what they mean
    in ``torch.nn.functional.scaled_dot_product_attention``; those after ``*`` go beyond it.

    Args:
        query: array (..., heads, L, dim), float32 or float16. Two axes alone are one head, (L, dim).
        key: array (..., kv_heads, S, dim). All axes before the last two broadcast.
        value: array (..., kv_heads, S, v_dim).
        attn_mask: array that broadcasts to (..., heads, L, S). bool: True where a key takes part for a query;
            float32 or float16: added to the scaled scores.
        is_causal: key j takes part for query i only if j <= i. Not together with ``attn_mask``.
        scale: factor of the scores, 1/sqrt(dim) by default.
        enable_gqa: let each key head serve heads/kv_heads neighbouring query heads.
        seqlens: lengths of sequences that are packed as rows: query is then (tokens, heads, dim), key and
            value (kv_tokens, kv_heads, ...), and ``attn_mask`` broadcasts to (sequences, heads, longest L,
            longest S).
        kv_seqlens: lengths of the key sequences where they differ from ``seqlens``.
        window: (left, right): key j takes part for query i only if i - left <= j <= i + right; -1 is
            unlimited.
        alibi_slopes: array (heads,); slope * |i - j| is subtracted from the scores (arXiv:2108.12409).
        return_weights: return the probabilities too, (..., heads, L, S); with ``seqlens`` a list of
            (heads, L_i, S_i). This needs memory for all of them.
        return_lse: return the logarithm of the sum of exp(scores) too, (..., heads, L); with ``seqlens``
            (tokens, heads). -inf for a query without keys.
        out: C-contiguous float32 array of the result's shape; must overlap no input.
        num_threads: threads for this call, None for the default.

    Returns:
        float32 array (..., heads, L, v_dim), or (tokens, heads, v_dim) with ``seqlens``; a tuple
        (result, weights, lse) of what was asked for with ``return_weights`` or ``return_lse``. A query for
        which no key takes part gives zeros.

    Raises:
        TypeError: an argument has a wrong type, or a dtype other than those named.
        ValueError: shapes, lengths or options do not fit each other, or ``out`` does not fit.
    """
    names = ("query", "key", "value", "attn_mask", "alibi_slopes")
    given = (query, key, value, attn_mask, alibi_slopes)
    sources = {
        name: as_array(OP, name, array)
        for name, array in zip(names, given, strict=True)
        if array is not None or name in names[:3]
    }
    q, k, v = (as_float32(OP, name, sources[name]) for name in names[:3])
    mask = _mask(sources.get("attn_mask"))
    causal = flag(OP, "is_causal", is_causal)
    if causal and mask is not None:
        raise ValueError(f"{OP}: is_causal: expected False beside an attn_mask, got True")
    grouped = flag(OP, "enable_gqa", enable_gqa)
    if seqlens is None:
        if kv_seqlens is not None:
            raise ValueError(
                f"{OP}: kv_seqlens: expected None without seqlens, got {type(kv_seqlens).__name__}"
            )
        problems = dense_problems(q, k, v, mask, grouped)
    else:
        problems = ragged_problems(q, k, v, mask, grouped, seqlens, kv_seqlens)
    slopes = _slopes(sources.get("alibi_slopes"), problems.heads)
    factor = (1.0 / math.sqrt(problems.dim)) if scale is None else number(OP, "scale", scale)
    band = _window(window)
    want_weights, want_lse = flag(OP, "return_weights", return_weights), flag(OP, "return_lse", return_lse)
    count = threads(OP, num_threads)
    result = output(OP, out, problems.out_shape, (*sources.values(), seqlens, kv_seqlens))
    weights = np.empty(problems.weights_size, dtype=np.float32) if want_weights else None
    lse = np.empty(problems.lse_size, dtype=np.float32) if want_lse else None
    _run(problems, result, weights, lse, slopes, factor, causal, band, count)
    if weights is None and lse is None:
        return result
    extras = []
    if weights is not None:
        extras.append(problems.shape_weights(weights))
    if lse is not None:
        extras.append(problems.shape_lse(lse))
    return (result, *extras)


def _run(
    p: Problems,
    result: NDArray[np.float32],
    weights: NDArray[np.float32] | None,
    lse: NDArray[np.float32] | None,
    slopes: NDArray[np.float32] | None,
    scale: float,
    causal: bool,
    window: tuple[int, int] | None,
    num_threads: int,
) -> None:
    if not result.size and (weights is None or not weights.size) and (lse is None or not lse.size):
        return
    _core.attention(
        p.query.flat,
        p.key.flat,
        p.value.flat,
        result.reshape(-1),
        q_offsets=p.query.offsets,
        k_offsets=p.key.offsets,
        v_offsets=p.value.offsets,
        out_offsets=p.out_offsets,
        q_lens=p.q_lens,
        k_lens=p.k_lens,
        heads=p.heads,
        kv_heads=p.kv_heads,
        dim=p.dim,
        v_dim=p.v_dim,
        q_strides=p.query.strides[:2],
        k_strides=p.key.strides[:2],
        v_strides=p.value.strides[:2],
        out_strides=p.out_strides,
        scale=scale,
        causal=causal,
        window=window,
        alibi_slopes=slopes,
        mask=None if p.mask is None else p.mask.flat,
        mask_offsets=None if p.mask is None else p.mask.offsets,
        mask_strides=(0, 0, 0) if p.mask is None else p.mask.strides,
        weights=weights,
        weights_offsets=None if weights is None else p.weights_offsets,
        lse=lse,
        lse_offsets=None if lse is None else p.lse_offsets,
        num_threads=num_threads,
    )


def _mask(source: NDArray[Any] | None) -> NDArray[Any] | None:
    """The mask as the core reads it: bytes, where nonzero takes part, or float32 to add."""
    if source is None:
        return None
    if source.dtype == np.bool_:
        return source.view(np.uint8)
    native = source.dtype.newbyteorder("=")
    if native not in (F32, np.float16):
        raise TypeError(f"{OP}: attn_mask: expected dtype bool, float32 or float16, got {source.dtype}")
    return as_float32(OP, "attn_mask", source)


def _slopes(source: NDArray[Any] | None, heads: int) -> NDArray[np.float32] | None:
    if source is None:
        return None
    slopes = as_float32(OP, "alibi_slopes", source)
    expect_shape(OP, "alibi_slopes", slopes, (heads,))
    return np.ascontiguousarray(slopes)


def _window(window: Any) -> tuple[int, int] | None:
    if window is None:
        return None
    if not isinstance(window, (tuple, list)):
        raise TypeError(f"{OP}: window: expected a pair (left, right) of int, got {type(window).__name__}")
    if len(window) != 2:
        raise ValueError(f"{OP}: window: expected a pair (left, right), got {len(window)} items")
    left, right = (integer(OP, "window", side, least=-1) for side in window)
    return left, right
