"""Normalisation of rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from polysemy.reference.arrays import FloatArray, finish, floats


def layer_norm(
    x: ArrayLike,
    normalized_shape: int | Sequence[int],
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    eps: float = 1e-5,
    *,
    residual: ArrayLike | None = None,
    out: FloatArray | None = None,
    num_threads: int | None = None,
) -> FloatArray:
    """(y - mean) / sqrt(variance + eps) * weight + bias for y = x + residual (Ba et al., arXiv:1607.06450).

    Mean and (biased) variance are taken over the trailing axes that ``normalized_shape`` names.
    """
    rows, axes = _rows(x, residual, normalized_shape)
    first = rows
    for axis in axes:
        first = first.take([0], axis=axis) if rows.size else first
    constant = (rows == first).all(axis=axes, keepdims=True) & np.isfinite(first)
    with np.errstate(invalid="ignore", over="ignore"):
        # The mean of equal numbers need not be one of them once its sum is rounded.
        centred = np.where(constant, rows.dtype.type(0), rows - rows.mean(axis=axes, keepdims=True))
        variance = np.square(centred).mean(axis=axes, keepdims=True)
        result = centred / _deviation(variance, eps)
        return finish(_affine(result, weight, bias), out)


def rms_norm(
    x: ArrayLike,
    normalized_shape: int | Sequence[int],
    weight: ArrayLike | None = None,
    eps: float | None = None,
    *,
    residual: ArrayLike | None = None,
    out: FloatArray | None = None,
    num_threads: int | None = None,
) -> FloatArray:
    """y / sqrt(mean(y^2) + eps) * weight for y = x + residual (Zhang and Sennrich, arXiv:1910.07467).

    ``eps=None`` is the machine epsilon of float32, in both precisions.
    """
    rows, axes = _rows(x, residual, normalized_shape)
    epsilon = float(np.finfo(np.float32).eps) if eps is None else eps
    with np.errstate(invalid="ignore"):
        power = np.square(rows).mean(axis=axes, keepdims=True)
        return finish(_affine(rows / _deviation(power, epsilon), weight, None), out)


def l2_normalize(
    x: ArrayLike, axis: int = -1, *, out: FloatArray | None = None, num_threads: int | None = None
) -> FloatArray:
    """x divided by its Euclidean norm along ``axis``; a zero vector stays zero."""
    values = floats(x)
    norm = np.sqrt(np.square(values).sum(axis=axis, keepdims=True))
    return finish(values / np.where(norm == 0.0, values.dtype.type(1), norm), out)


def _rows(
    x: ArrayLike, residual: ArrayLike | None, normalized_shape: int | Sequence[int]
) -> tuple[FloatArray, tuple[int, ...]]:
    values = floats(x)
    shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    if not shape or values.shape[-len(shape) :] != shape:
        raise ValueError(f"normalized_shape must be the last axes of {values.shape}, got {shape}")
    if residual is not None:
        values = values + floats(residual)
    return values, tuple(range(-len(shape), 0))


def _deviation(variance: FloatArray, eps: float) -> FloatArray:
    """sqrt(variance + eps), and 1 for rows of zeros without an eps: zeros stay zeros."""
    total = variance + variance.dtype.type(eps)
    return np.asarray(np.sqrt(np.where(total == 0.0, variance.dtype.type(1), total)))


def _affine(values: FloatArray, weight: ArrayLike | None, bias: ArrayLike | None) -> FloatArray:
    if weight is not None:
        values = values * floats(weight)
    if bias is not None:
        values = values + floats(bias)
    return values
