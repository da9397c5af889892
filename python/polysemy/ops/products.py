"""Products of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from polysemy import _core
from polysemy.arguments import flag, is_one_of, thread_count
from polysemy.ops.arrays import as_array, as_float32, contiguous, expect_shape, output, vector
from polysemy.ops.packed import PackedWeight, known_precision, pack
from polysemy.shown import shown


def linear(
    x: Any,
    weight: Any,
    bias: Any = None,
    *,
    activation: str | None = None,
    residual: Any = None,
    out: NDArray[np.float32] | None = None,
    precision: str | None = None,
    num_threads: int | None = None,
) -> NDArray[np.float32]:
    """activation(x W^T + bias) + residual, in one pass.

    Args:
        x: array (..., in), float32 or float16.
        weight: array (out, in), or a :class:`PackedWeight`, which spares the packing in every call.
        bias: array (out,), or None.
        activation: None, "gelu", "gelu_tanh", "relu", "silu", "tanh", "quick_gelu", "exp", "erf" or "sigmoid".
        residual: array of the shape of the result, added last; None for nothing.
        out: C-contiguous float32 array (..., out) that takes the result; must overlap no input.
        precision: that of the product with a weight that was not packed, see :class:`PackedWeight`; None is
            float32.
        num_threads: threads for this call, None for the default.

    Returns:
        float32 array (..., out). Each element is the same whatever the other rows are.

    Raises:
        TypeError: an argument is no array, or its dtype is neither float32 nor float16.
        ValueError: a shape, ``activation``, ``precision`` or ``out`` does not fit.
    """
    op = "linear"
    if precision is not None:
        known_precision(op, precision)
        if isinstance(weight, PackedWeight) and precision != weight.precision:
            raise ValueError(
                f"{op}: precision must be {weight.precision!r} as the weight was packed, got {precision!r}"
            )
    inputs = [as_array(op, "x", x)]
    values = as_float32(op, "x", inputs[0])
    matrix = None
    if not isinstance(weight, PackedWeight):
        inputs.append(as_array(op, "weight", weight))
        matrix = as_float32(op, "weight", inputs[-1])
    shape: tuple[int, ...] = weight.shape if matrix is None else matrix.shape
    if len(shape) != 2:
        raise ValueError(f"{op}: weight must have shape (out, in), got {shape}")
    if values.ndim < 1 or values.shape[-1] != shape[1]:
        turned = ""
        if values.ndim and values.shape[-1] == shape[0]:
            turned = f": weight is (out, in) and has shape {shape}; weight.T would fit"
        raise ValueError(f"{op}: x must have shape (..., {shape[1]}), got {values.shape}{turned}")
    if activation is not None and not is_one_of(activation, _core.ACTIVATIONS):
        known = ", ".join(map(repr, _core.ACTIVATIONS))
        raise ValueError(f"{op}: activation must be None or one of {known}, got {shown(activation)}")
    shift = added = None
    if bias is not None:
        inputs.append(as_array(op, "bias", bias))
        shift = vector(op, "bias", inputs[-1], (shape[0],))
    target = (*values.shape[:-1], shape[0])
    if residual is not None:
        inputs.append(as_array(op, "residual", residual))
        added = as_float32(op, "residual", inputs[-1])
        expect_shape(op, "residual", added, target)
        added = contiguous(added)
    count = thread_count(num_threads, 0, op)
    result = output(op, out, target, inputs)
    if result.size:
        _core.linear(
            contiguous(values) if shape[1] else np.zeros((*values.shape[:-1], 1), dtype=np.float32),
            weight.packed if matrix is None else pack(matrix, precision or "float32"),
            shift,
            added,
            activation,
            result,
            count,
        )
    return result


def matmul(
    a: Any,
    b: Any,
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
    out: NDArray[np.float32] | None = None,
    num_threads: int | None = None,
) -> NDArray[np.float32]:
    """The matrix product with the shapes of ``numpy.matmul``.

    Args:
        a: array (..., m, k), or (k,); float32 or float16. Leading axes of a and b broadcast.
        b: array (..., k, n), or (k,); float32 or float16.
        transpose_a: take a as (..., k, m).
        transpose_b: take b as (..., n, k).
        out: C-contiguous float32 array of the result's shape; must overlap no input.
        num_threads: threads for this call, None for the default.

    Returns:
        float32 array (..., m, n), without m for a 1-D a and without n for a 1-D b. Each product is the same
        whatever the others are.

    Raises:
        TypeError: an argument is no array, or its dtype is neither float32 nor float16.
        ValueError: the shapes or ``out`` do not fit, or a 1-D operand was to be transposed.
    """
    op = "matmul"
    sources = (as_array(op, "a", a), as_array(op, "b", b))
    left = _operand(op, "a", sources[0], flag(transpose_a, f"{op}: transpose_a"), row=True)
    right = _operand(op, "b", sources[1], flag(transpose_b, f"{op}: transpose_b"), row=False)
    (m, k), n = left.shape[-2:], right.shape[-1]
    if right.shape[-2] != k:
        raise ValueError(
            f"{op}: b must have {k} rows as a has columns, got {right.shape[-2]}"
            f"{_turned(left, right, transpose_a, transpose_b)}"
        )
    try:
        batch = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    except ValueError:
        raise ValueError(
            f"{op}: b must have leading axes that broadcast with {left.shape[:-2]}, got {right.shape[:-2]}"
        ) from None
    shape = (*batch, *((m,) if sources[0].ndim > 1 else ()), *((n,) if sources[1].ndim > 1 else ()))
    count = thread_count(num_threads, 0, op)
    result = output(op, out, shape, sources)
    if result.size:
        _core.matmul(left, right, np.asarray(result).reshape(*batch, m, n), count)
    return result


def _turned(left: NDArray[Any], right: NDArray[Any], transpose_a: bool, transpose_b: bool) -> str:
    """What to say where the transposed operand would fit."""
    if right.shape[-1] == left.shape[-1] and right.shape[-1] > 1:
        return f": transpose_b={not transpose_b} would fit"
    if left.shape[-2] == right.shape[-2] and left.shape[-2] > 1:
        return f": transpose_a={not transpose_a} would fit"
    return ""


def _operand(
    op: str, argument: str, array: NDArray[Any], transpose: bool, *, row: bool
) -> NDArray[np.float32]:
    """An operand with at least two axes: a vector becomes one row (of a) or one column (of b)."""
    values = as_float32(op, argument, array)
    if values.ndim == 0:
        raise ValueError(f"{op}: {argument} must have at least one dimension, got a 0-d array")
    if values.ndim == 1:
        if transpose:
            raise ValueError(f"{op}: transpose_{argument} must be False for a 1-D array, got True")
        return values[None, :] if row else values[:, None]
    return np.swapaxes(values, -1, -2) if transpose else values
