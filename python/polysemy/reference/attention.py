"""Scaled dot-product attention, written out: all scores, one softmax per row, one product."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polysemy.reference.activations import softmax_and_lse
from polysemy.reference.arrays import FloatArray, finish, floats, sequence_bounds


def scaled_dot_product_attention(
    query: ArrayLike,
    key: ArrayLike,
    value: ArrayLike,
    attn_mask: ArrayLike | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
    *,
    seqlens: ArrayLike | None = None,
    kv_seqlens: ArrayLike | None = None,
    window: tuple[int, int] | None = None,
    alibi_slopes: ArrayLike | None = None,
    return_weights: bool = False,
    return_lse: bool = False,
    out: FloatArray | None = None,
    num_threads: int | None = None,
) -> Any:
    """softmax(scale * Q K^T + mask) V (Vaswani et al., arXiv:1706.03762), as ``polysemy.ops`` has it.

    Shapes: query (..., heads, L, dim), key (..., heads, S, dim), value (..., heads, S, value_dim); or, with
    ``seqlens``, rows of all sequences one after another: (tokens, heads, dim).
    """
    q, k, v = floats(query), floats(key), floats(value)
    slopes = None if alibi_slopes is None else floats(alibi_slopes)
    if dropout_p != 0.0:
        raise ValueError(f"scaled_dot_product_attention: dropout_p must be 0, got {dropout_p}")
    if is_causal and attn_mask is not None:
        raise ValueError(
            "scaled_dot_product_attention: is_causal must be False beside an attn_mask, got True"
        )
    factor = (1.0 / math.sqrt(q.shape[-1]) if q.shape[-1] else 1.0) if scale is None else scale

    def attend(
        q: FloatArray, k: FloatArray, v: FloatArray, mask: NDArray[Any] | None
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        if enable_gqa:
            k, v = (np.repeat(a, q.shape[-3] // a.shape[-3], axis=-3) for a in (k, v))
        scores = factor * np.matmul(q, np.swapaxes(k, -1, -2))
        scores = _modify(scores, mask, is_causal, window, slopes)
        weights, lse = softmax_and_lse(scores.astype(q.dtype))
        return np.matmul(weights, v), weights, lse

    weights: Any
    if seqlens is None:
        mask = None if attn_mask is None else np.asarray(attn_mask)
        result, weights, lse = attend(q, k, v, mask)
        weights = np.broadcast_to(weights, (*result.shape[:-1], k.shape[-2])).copy()
        lse = np.broadcast_to(lse, result.shape[:-1]).copy()
    else:
        result, weights, lse = _ragged(attend, q, k, v, attn_mask, seqlens, kv_seqlens)
    answer = (finish(result, out), *([weights] if return_weights else []), *([lse] if return_lse else []))
    return answer if len(answer) > 1 else answer[0]


def _modify(
    scores: FloatArray,
    mask: NDArray[Any] | None,
    is_causal: bool,
    window: tuple[int, int] | None,
    slopes: FloatArray | None,
) -> FloatArray:
    """The scores after masks and biases; -inf where query i and key j do not meet."""
    i = np.arange(scores.shape[-2])[:, None]
    j = np.arange(scores.shape[-1])[None, :]
    if slopes is not None:
        scores = scores - slopes[:, None, None] * np.abs(i - j)
    if mask is not None:
        scores = np.where(mask, scores, -np.inf) if mask.dtype == np.bool_ else scores + mask
    if is_causal:
        scores = np.where(j <= i, scores, -np.inf)
    if window is not None:
        left, right = window
        meet = np.ones(np.broadcast_shapes(i.shape, j.shape), dtype=np.bool_)
        meet &= (j >= i - left) if left >= 0 else True
        meet &= (j <= i + right) if right >= 0 else True
        scores = np.where(meet, scores, -np.inf)
    return scores


def _ragged(
    attend: Any,
    query: FloatArray,
    key: FloatArray,
    value: FloatArray,
    attn_mask: ArrayLike | None,
    seqlens: ArrayLike,
    kv_seqlens: ArrayLike | None,
) -> tuple[FloatArray, list[FloatArray], FloatArray]:
    """One sequence after another; a mask is (sequences, heads, longest query, longest key), broadcast."""
    q_bounds = sequence_bounds(seqlens)
    k_bounds = q_bounds if kv_seqlens is None else sequence_bounds(kv_seqlens)
    longest_q = max((end - start for start, end in q_bounds), default=0)
    longest_k = max((end - start for start, end in k_bounds), default=0)
    masks = None
    if attn_mask is not None:
        shape = (len(q_bounds), query.shape[1], longest_q, longest_k)
        masks = np.broadcast_to(np.asarray(attn_mask), shape)
    result = np.zeros((query.shape[0], query.shape[1], value.shape[2]), dtype=query.dtype)
    lse = np.zeros(query.shape[:2], dtype=query.dtype)
    weights = []
    for n, ((q0, q1), (k0, k1)) in enumerate(zip(q_bounds, k_bounds, strict=True)):
        mask = None if masks is None else masks[n, :, : q1 - q0, : k1 - k0]
        q, k, v = (np.swapaxes(a, 0, 1) for a in (query[q0:q1], key[k0:k1], value[k0:k1]))
        o, w, s = attend(q, k, v, mask)
        result[q0:q1], lse[q0:q1] = np.swapaxes(o, 0, 1), s.T
        weights.append(w)
    return result, weights, lse
