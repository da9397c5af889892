"""Normalisation of rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polysemy import _core
from polysemy.ops.activations import axis_of
from polysemy.ops.arrays import (
    as_array,
    as_float32,
    contiguous,
    expect_shape,
    integer,
    number,
    output,
    threads,
    vector,
)

_F32_EPS = float(np.finfo(np.float32).eps)


def layer_norm(
    x: Any,
    normalized_shape: int | Sequence[int],
    weight: Any = None,
    bias: Any = None,
    eps: float = 1e-5,
    *,
    residual: Any = None,
    out: NDArray[np.float32] | None = None,
    num_threads: int | None = None,
) -> NDArray[np.float32]:
    """(y - mean(y)) / sqrt(var(y) + eps) * weight + bias for y = x + residual (Ba et al., arXiv:1607.06450).

    Mean and biased variance are those of each row, a row being the trailing axes that ``normalized_shape``
    names.

    Args:
        x: array, float32 or float16; its last axes have the shape ``normalized_shape``.
        normalized_shape: an int, or a sequence of them.
        weight: array of shape ``normalized_shape``, or None for ones.
        bias: array of shape ``normalized_shape``, or None for zeros.
        eps: added to the variance, not negative.
        residual: array of the shape of ``x``, added before; None for nothing.
        out: C-contiguous float32 array of the shape of ``x`` that takes the result; must overlap no input.
        num_threads: threads for this call, None for the default.

    Returns:
        float32 array of the shape of ``x``. A row of equal finite values gives exactly ``bias``.

    Raises:
        TypeError: an argument is no array, or its dtype is neither float32 nor float16.
        ValueError: a shape, ``eps`` or ``out`` does not fit.
    """
    arrays = (x, residual, weight, bias)
    return _norm("layer_norm", arrays, normalized_shape, eps, out, num_threads, rms=False)


def rms_norm(
    x: Any,
    normalized_shape: int | Sequence[int],
    weight: Any = None,
    eps: float | None = None,
    *,
    residual: Any = None,
    out: NDArray[np.float32] | None = None,
    num_threads: int | None = None,
) -> NDArray[np.float32]:
    """y / sqrt(mean(y^2) + eps) * weight, with y = x + residual (Zhang and Sennrich, arXiv:1910.07467).

    ``eps=None`` is the machine epsilon of float32. Everything else as for :func:`layer_norm`.
    """
    epsilon = _F32_EPS if eps is None else eps
    return _norm(
        "rms_norm", (x, residual, weight, None), normalized_shape, epsilon, out, num_threads, rms=True
    )


def _norm(
    op: str,
    arrays: tuple[Any, Any, Any, Any],
    normalized_shape: int | Sequence[int],
    eps: float,
    out: Any,
    num_threads: int | None,
    *,
    rms: bool,
) -> NDArray[np.float32]:
    sources = [
        None if array is None and name != "x" else as_array(op, name, array)
        for name, array in zip(("x", "residual", "weight", "bias"), arrays, strict=True)
    ]
    x, residual, weight, bias = sources
    values = as_float32(op, "x", x)
    shape = _row_shape(op, normalized_shape)
    if values.shape[max(0, values.ndim - len(shape)) :] != shape:
        raise ValueError(f"{op}: x: expected last axes of shape {shape}, got shape {values.shape}")
    scale, shift = vector(op, "weight", weight, shape), vector(op, "bias", bias, shape)
    added = None if residual is None else as_float32(op, "residual", residual)
    if added is not None:
        expect_shape(op, "residual", added, values.shape)
    epsilon = number(op, "eps", eps, least=0.0)
    count = threads(op, num_threads)
    result = output(op, out, values.shape, sources)
    if values.size:
        length = int(np.prod(shape, dtype=np.int64))
        rows = (values.size // length, length)
        _core.layer_norm(
            contiguous(values, rows),
            scale,
            shift,
            None if added is None else contiguous(added, rows),
            epsilon,
            result.reshape(rows),
            rms=rms,
            num_threads=count,
        )
    return result


def _row_shape(op: str, normalized_shape: int | Sequence[int]) -> tuple[int, ...]:
    if isinstance(normalized_shape, Sequence) and not isinstance(normalized_shape, (str, bytes)):
        shape = tuple(integer(op, "normalized_shape", n, least=0) for n in normalized_shape)
        if not shape:
            raise ValueError(f"{op}: normalized_shape: expected at least one axis, got {normalized_shape!r}")
        return shape
    return (integer(op, "normalized_shape", normalized_shape, least=0),)


def l2_normalize(
    x: Any, axis: int = -1, *, out: NDArray[np.float32] | None = None, num_threads: int | None = None
) -> NDArray[np.float32]:
    """x / sqrt(sum(x^2)) along one axis; a zero vector stays zero.

    Args:
        x: array with at least one dimension, float32 or float16.
        axis: the axis along which the vectors lie.
        out: C-contiguous float32 array of the shape of ``x`` that takes the result; must not overlap ``x``.
        num_threads: threads for this call, None for the default.

    Returns:
        float32 array of the shape of ``x``.

    Raises:
        TypeError: ``x`` is no array, or its dtype is neither float32 nor float16.
        ValueError: there is no such axis, or ``out`` does not fit.
    """
    source = as_array("l2_normalize", "x", x)
    values = as_float32("l2_normalize", "x", source)
    where = axis_of("l2_normalize", axis, values.ndim)
    count = threads("l2_normalize", num_threads)
    result = output("l2_normalize", out, values.shape, (source,))
    if not values.size:
        return result
    rows = np.moveaxis(values, where, -1)
    length = rows.shape[-1]
    flat = contiguous(rows, (rows.size // length, length))
    if where == values.ndim - 1:
        _core.l2_normalize(flat, result.reshape(flat.shape), num_threads=count)
    else:
        scratch = np.empty_like(flat)
        _core.l2_normalize(flat, scratch, num_threads=count)
        np.moveaxis(result, where, -1)[...] = scratch.reshape(rows.shape)
    return result
