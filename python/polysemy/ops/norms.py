"""Normalisation of rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polysemy import _core
from polysemy.arguments import number, thread_count, whole
from polysemy.ops.arrays import (
    as_array,
    as_float32,
    contiguous,
    expect_shape,
    output,
    vector,
)
from polysemy.ops.axes import along_axis

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
    x, residual, weight, bias = arrays
    x = as_array(op, "x", x)
    residual = None if residual is None else as_array(op, "residual", residual)
    weight = None if weight is None else as_array(op, "weight", weight)
    bias = None if bias is None else as_array(op, "bias", bias)
    values = as_float32(op, "x", x)
    shape = _row_shape(op, normalized_shape)
    if values.shape[max(0, values.ndim - len(shape)) :] != shape:
        raise ValueError(f"{op}: x must have last axes of shape {shape}, got shape {values.shape}")
    scale, shift = vector(op, "weight", weight, shape), vector(op, "bias", bias, shape)
    added = None
    if residual is not None:
        added = as_float32(op, "residual", residual)
        expect_shape(op, "residual", added, values.shape)
        added = contiguous(added)
    epsilon = number(eps, f"{op}: eps", least=0.0)
    count = thread_count(num_threads, 0, op)
    result = output(op, out, values.shape, (x, residual, weight, bias))
    if values.size:
        rows, target = contiguous(values), result
        if len(shape) > 1:
            flat = (-1, math.prod(shape))
            rows, target = rows.reshape(flat), result.reshape(flat)
            added = None if added is None else added.reshape(flat)
        _core.layer_norm(rows, scale, shift, added, epsilon, target, rms, count)
    return result


def _row_shape(op: str, normalized_shape: int | Sequence[int]) -> tuple[int, ...]:
    name = f"{op}: normalized_shape"
    if type(normalized_shape) is int:  # looking for a sequence takes longer than small rows do
        return (whole(normalized_shape, name, least=0),)
    if isinstance(normalized_shape, Sequence) and not isinstance(normalized_shape, (str, bytes)):
        shape = tuple(whole(n, name, least=0) for n in normalized_shape)
        if not shape:
            raise ValueError(f"{name} must have at least one axis, got {normalized_shape!r}")
        return shape
    return (whole(normalized_shape, name, least=0),)


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
    return along_axis("l2_normalize", _core.l2_normalize, x, axis, out, num_threads)
