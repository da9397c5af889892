"""Scaled dot-product attention on arrays, dense or ragged."""

from __future__ import annotations

import math
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from polysemy import _core
from polysemy.ops.arrays import (
    F32,
    as_array,
    as_float32,
    as_given,
    flag,
    integer,
    new,
    number,
    output,
    plain_rows,
    threads,
    vector,
)
from polysemy.ops.attention_shapes import OP, Dense, Ragged, dense_shapes, featured, ragged_problems


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
    inputs = [as_array(OP, "query", query), as_array(OP, "key", key), as_array(OP, "value", value)]
    q = as_float32(OP, "query", inputs[0])
    k = as_float32(OP, "key", inputs[1])
    v = as_float32(OP, "value", inputs[2])
    mask = slopes = None
    if attn_mask is not None:
        inputs.append(as_array(OP, "attn_mask", attn_mask))
        mask = _mask(inputs[-1])
    causal = flag(OP, "is_causal", is_causal)
    if causal and mask is not None:
        raise ValueError(f"{OP}: is_causal: expected False beside an attn_mask, got True")
    grouped = flag(OP, "enable_gqa", enable_gqa)
    problem: Dense | Ragged
    if seqlens is not None:
        lengths = [as_given(OP, "seqlens", seqlens)]
        if kv_seqlens is not None:
            lengths.append(as_given(OP, "kv_seqlens", kv_seqlens))
        inputs += [given for given in lengths if isinstance(given, np.ndarray)]
        problem = ragged_problems(q, k, v, mask, grouped, *lengths)
    elif kv_seqlens is None:
        problem = dense_shapes(q, k, v, mask, grouped)
    else:
        raise ValueError(f"{OP}: kv_seqlens: expected None without seqlens, got {type(kv_seqlens).__name__}")
    if alibi_slopes is not None:
        inputs.append(as_array(OP, "alibi_slopes", alibi_slopes))
        slopes = vector(OP, "alibi_slopes", inputs[-1], (problem.heads,))
    options: Options = {
        "scale": 1.0 / math.sqrt(max(q.shape[-1], 1)) if scale is None else number(OP, "scale", scale),
        "causal": causal,
        "window": None if window is None else _window(window),
        "alibi_slopes": slopes,
        "num_threads": threads(OP, num_threads),
    }
    wanted = flag(OP, "return_weights", return_weights), flag(OP, "return_lse", return_lse)
    result = output(OP, out, problem.out, inputs)
    if isinstance(problem, Dense):
        extras = _run_dense(problem, q, k, v, mask, result, wanted, options)
    else:
        extras = _run_ragged(problem, result, wanted, options)
    return (result, *extras) if extras else result


class Options(TypedDict):
    """What both forms of the core's attention take by name."""

    scale: float
    causal: bool
    window: tuple[int, int] | None
    alibi_slopes: NDArray[np.float32] | None
    num_threads: int


def _run_dense(
    p: Dense,
    q: NDArray[Any],
    k: NDArray[Any],
    v: NDArray[Any],
    mask: NDArray[Any] | None,
    result: NDArray[np.float32],
    wanted: tuple[bool, bool],
    options: Options,
) -> list[Any]:
    weights = new(OP, p.weights) if wanted[0] else None
    lse = new(OP, p.lse) if wanted[1] else None
    extras = [array for array in (weights, lse) if array is not None]
    if result.size or any(array.size for array in extras):
        q, k = featured(q, k)
        _core.attention_dense(
            plain_rows(q),
            plain_rows(k),
            plain_rows(v),
            result,
            p.kv_heads,
            mask=mask,
            weights=weights,
            lse=lse,
            **options,
        )
    return extras


def _run_ragged(
    p: Ragged, result: NDArray[np.float32], wanted: tuple[bool, bool], options: Options
) -> list[Any]:
    weights = new(OP, (p.weights_size,)) if wanted[0] else None
    lse = new(OP, (result.shape[0] * p.heads,)) if wanted[1] else None
    if result.size or (weights is not None and weights.size) or (lse is not None and lse.size):
        _core.attention(
            p.query.flat,
            p.key.flat,
            p.value.flat,
            result.reshape(-1),
            q_offsets=p.query.offsets,
            k_offsets=p.key.offsets,
            v_offsets=p.value.offsets,
            out_offsets=p.starts * (p.heads * p.v_dim),
            q_lens=p.q_lens,
            k_lens=p.k_lens,
            heads=p.heads,
            kv_heads=p.kv_heads,
            dim=p.dim,
            v_dim=p.v_dim,
            q_strides=p.query.strides,
            k_strides=p.key.strides,
            v_strides=p.value.strides,
            out_strides=(p.v_dim, p.heads * p.v_dim),
            mask=None if p.mask is None else p.mask.flat,
            mask_offsets=None if p.mask is None else p.mask.offsets,
            mask_strides=(0, 0, 0) if p.mask is None else p.mask.strides,
            weights=weights,
            weights_offsets=None if weights is None else p.weights_starts,
            lse=lse,
            lse_offsets=None if lse is None else p.starts * p.heads,
            **options,
        )
    extras: list[Any] = []
    if weights is not None:
        extras.append(p.split_weights(weights))
    if lse is not None:
        extras.append(p.join_lse(lse))
    return extras


def _mask(source: NDArray[Any]) -> NDArray[Any]:
    """The mask as the core reads it: bytes, where nonzero takes part, or float32 to add."""
    if source.dtype == np.bool_:
        return source.view(np.uint8)
    native = source.dtype.newbyteorder("=")
    if native not in (F32, np.float16):
        raise TypeError(f"{OP}: attn_mask: expected dtype bool, float32 or float16, got {source.dtype}")
    return as_float32(OP, "attn_mask", source)


def _window(window: Any) -> tuple[int, int]:
    if not isinstance(window, (tuple, list)):
        raise TypeError(f"{OP}: window: expected a pair (left, right) of int, got {type(window).__name__}")
    if len(window) != 2:
        raise ValueError(f"{OP}: window: expected a pair (left, right), got {len(window)} items")
    left, right = (integer(OP, "window", side, least=-1) for side in window)
    return left, right
