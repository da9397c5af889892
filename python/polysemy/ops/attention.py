"""Scaled dot-product attention on arrays, dense or ragged."""

from __future__ import annotations

import math
from typing import Any, Literal, TypeAlias, overload

import numpy as np
from numpy.typing import NDArray

from polysemy import _core
from polysemy.arguments import flag, number, thread_count, whole
from polysemy.ops.arrays import as_array, as_float32, as_given, new, output, plain_rows, vector
from polysemy.ops.attention_shapes import OP, Dense, Ragged, dense_shapes, ragged_shapes

Floats: TypeAlias = NDArray[np.float32]
_Window: TypeAlias = tuple[int, int] | None


# fmt: off
@overload
def scaled_dot_product_attention(
    query: Any, key: Any, value: Any, attn_mask: Any = ..., dropout_p: float = ..., is_causal: bool = ...,
    scale: float | None = ..., enable_gqa: bool = ..., *, seqlens: Any = ..., kv_seqlens: Any = ...,
    window: _Window = ..., alibi_slopes: Any = ..., return_weights: Literal[False] = ...,
    return_lse: Literal[False] = ..., out: Floats | None = ..., num_threads: int | None = ...,
) -> Floats: ...
@overload
def scaled_dot_product_attention(
    query: Any, key: Any, value: Any, attn_mask: Any = ..., dropout_p: float = ..., is_causal: bool = ...,
    scale: float | None = ..., enable_gqa: bool = ..., *, seqlens: Any = ..., kv_seqlens: Any = ...,
    window: _Window = ..., alibi_slopes: Any = ..., return_weights: Literal[False] = ...,
    return_lse: Literal[True], out: Floats | None = ..., num_threads: int | None = ...,
) -> tuple[Floats, Floats]: ...
@overload
def scaled_dot_product_attention(
    query: Any, key: Any, value: Any, attn_mask: Any = ..., dropout_p: float = ..., is_causal: bool = ...,
    scale: float | None = ..., enable_gqa: bool = ..., *, seqlens: None = ..., kv_seqlens: None = ...,
    window: _Window = ..., alibi_slopes: Any = ..., return_weights: Literal[True],
    return_lse: Literal[False] = ..., out: Floats | None = ..., num_threads: int | None = ...,
) -> tuple[Floats, Floats]: ...
@overload
def scaled_dot_product_attention(
    query: Any, key: Any, value: Any, attn_mask: Any = ..., dropout_p: float = ..., is_causal: bool = ...,
    scale: float | None = ..., enable_gqa: bool = ..., *, seqlens: None = ..., kv_seqlens: None = ...,
    window: _Window = ..., alibi_slopes: Any = ..., return_weights: Literal[True],
    return_lse: Literal[True], out: Floats | None = ..., num_threads: int | None = ...,
) -> tuple[Floats, Floats, Floats]: ...
@overload
def scaled_dot_product_attention(
    query: Any, key: Any, value: Any, attn_mask: Any = ..., dropout_p: float = ..., is_causal: bool = ...,
    scale: float | None = ..., enable_gqa: bool = ..., *, seqlens: object, kv_seqlens: Any = ...,
    window: _Window = ..., alibi_slopes: Any = ..., return_weights: Literal[True],
    return_lse: Literal[False] = ..., out: Floats | None = ..., num_threads: int | None = ...,
) -> tuple[Floats, list[Floats]]: ...
@overload
def scaled_dot_product_attention(
    query: Any, key: Any, value: Any, attn_mask: Any = ..., dropout_p: float = ..., is_causal: bool = ...,
    scale: float | None = ..., enable_gqa: bool = ..., *, seqlens: object, kv_seqlens: Any = ...,
    window: _Window = ..., alibi_slopes: Any = ..., return_weights: Literal[True],
    return_lse: Literal[True], out: Floats | None = ..., num_threads: int | None = ...,
) -> tuple[Floats, list[Floats], Floats]: ...
@overload
def scaled_dot_product_attention(
    query: Any, key: Any, value: Any, attn_mask: Any = ..., dropout_p: float = ..., is_causal: bool = ...,
    scale: float | None = ..., enable_gqa: bool = ..., *, seqlens: Any = ..., kv_seqlens: Any = ...,
    window: _Window = ..., alibi_slopes: Any = ..., return_weights: bool = ...,
    return_lse: bool = ..., out: Floats | None = ..., num_threads: int | None = ...,
) -> Any: ...
# fmt: on


def scaled_dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
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
        value: array (..., kv_heads, S, value_dim).
        attn_mask: array that broadcasts to (..., heads, L, S). bool: True where a key takes part for a query;
            float32 or float16: added to the scaled scores.
        dropout_p: must be 0: nothing is dropped in inference.
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
        float32 array (..., heads, L, value_dim), or (tokens, heads, value_dim) with ``seqlens``; a tuple
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
    if dropout_p != 0.0 or type(dropout_p) is not float:
        _refuse_dropout(dropout_p)
    causal = flag(is_causal, f"{OP}: is_causal")
    if causal and mask is not None:
        raise ValueError(f"{OP}: is_causal must be False beside an attn_mask, got True")
    grouped = flag(enable_gqa, f"{OP}: enable_gqa")
    shapes: Dense | Ragged
    if seqlens is not None:
        lengths = [as_given(OP, "seqlens", seqlens)]
        if kv_seqlens is not None:
            lengths.append(as_given(OP, "kv_seqlens", kv_seqlens))
        inputs += [given for given in lengths if isinstance(given, np.ndarray)]
        shapes = ragged_shapes(q, k, v, mask, grouped, *lengths)
    elif kv_seqlens is None:
        shapes = dense_shapes(q, k, v, mask, grouped)
    else:
        raise ValueError(f"{OP}: kv_seqlens must be None without seqlens, got {type(kv_seqlens).__name__}")
    if alibi_slopes is not None:
        inputs.append(as_array(OP, "alibi_slopes", alibi_slopes))
        slopes = vector(OP, "alibi_slopes", inputs[-1], (shapes.heads,))
    factor = 1.0 / math.sqrt(max(q.shape[-1], 1)) if scale is None else number(scale, f"{OP}: scale")
    band = None if window is None else _window(window)
    count = thread_count(num_threads, 0, OP)
    weights = _new_weights(shapes) if flag(return_weights, f"{OP}: return_weights") else None
    lse = new(OP, shapes.lse) if flag(return_lse, f"{OP}: return_lse") else None
    result = output(OP, out, shapes.out, inputs)
    _core.attention(
        plain_rows(q),
        plain_rows(k),
        plain_rows(v),
        result,
        factor,
        shapes.q_offsets if isinstance(shapes, Ragged) else None,
        shapes.k_offsets if isinstance(shapes, Ragged) else None,
        causal,
        band,
        slopes,
        mask,
        weights,
        lse,
        count,
    )
    if weights is None and lse is None:
        return result
    parts = _split(weights, shapes) if isinstance(shapes, Ragged) and weights is not None else weights
    return (result, *(part for part in (parts, lse) if part is not None))


def _refuse_dropout(dropout_p: Any) -> None:
    probability = number(dropout_p, f"{OP}: dropout_p")
    if probability:
        raise ValueError(f"{OP}: dropout_p must be 0, got {probability}")


def _new_weights(shapes: Dense | Ragged) -> Floats:
    """Room for the probabilities; those of ragged sequences lie one after the other."""
    if isinstance(shapes, Dense):
        return new(OP, shapes.weights)
    # In Python's integers: it may be more than any memory holds.
    return new(OP, (sum(math.prod(shape) for shape in shapes.weights),))


def _split(weights: Floats, shapes: Ragged) -> list[Floats]:
    """The probabilities of each sequence: (heads, L_i, S_i)."""
    found, first = [], 0
    for shape in shapes.weights:
        last = first + math.prod(shape)
        found.append(weights[first:last].reshape(shape))
        first = last
    return found


def _mask(source: NDArray[Any]) -> NDArray[Any]:
    """The mask as the core reads it: bytes, where nonzero takes part, or float32 to add."""
    if source.dtype == np.bool_:
        return source.view(np.uint8)
    return as_float32(OP, "attn_mask", source, also="bool, ")


def _window(window: Any) -> tuple[int, int]:
    if not isinstance(window, (tuple, list)):
        raise TypeError(f"{OP}: window must be a pair (left, right) of int, got {type(window).__name__}")
    if len(window) != 2:
        raise ValueError(f"{OP}: window must be a pair (left, right), got {len(window)} items")
    left, right = (whole(side, f"{OP}: window", least=-1, most=2**31 - 1) for side in window)
    return left, right
