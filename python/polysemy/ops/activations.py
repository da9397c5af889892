"""Functions of one number, applied to every element, and the softmax of a row."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from polysemy import _core
from polysemy.arguments import is_one_of, thread_count
from polysemy.ops.arrays import as_array, as_float32, contiguous, output
from polysemy.ops.axes import along_axis
from polysemy.shown import shown


def gelu(
    x: Any,
    approximate: str = "none",
    *,
    out: NDArray[np.float32] | None = None,
    num_threads: int | None = None,
) -> NDArray[np.float32]:
    """Gaussian error linear unit, x * Phi(x), of every element (Hendrycks and Gimpel, arXiv:1606.08415).

    Args:
        x: array of any shape, float32 or float16.
        approximate: "none" for the exact form with erf, "tanh" for the tanh form of the paper.
        out: C-contiguous float32 array of the shape of ``x`` that takes the result; must not overlap ``x``.
        num_threads: threads for this call, None for the default.

    Returns:
        float32 array of the shape of ``x``. gelu(-0) = -0, gelu(-inf) = -0.

    Raises:
        TypeError: ``x`` is no array, or its dtype is neither float32 nor float16.
        ValueError: ``approximate`` or ``out`` does not fit.
    """
    if not is_one_of(approximate, ("none", "tanh")):
        raise ValueError(f"gelu: approximate must be 'none' or 'tanh', got {shown(approximate)}")
    return _apply("gelu", "gelu" if approximate == "none" else "gelu_tanh", x, out, num_threads)


def silu(
    x: Any, *, out: NDArray[np.float32] | None = None, num_threads: int | None = None
) -> NDArray[np.float32]:
    """x / (1 + exp(-x)) of every element, also called swish. Arguments and errors as for :func:`gelu`."""
    return _apply("silu", "silu", x, out, num_threads)


def relu(
    x: Any, *, out: NDArray[np.float32] | None = None, num_threads: int | None = None
) -> NDArray[np.float32]:
    """max(x, 0) of every element; NaN stays NaN. Arguments and errors as for :func:`gelu`."""
    return _apply("relu", "relu", x, out, num_threads)


def tanh(
    x: Any, *, out: NDArray[np.float32] | None = None, num_threads: int | None = None
) -> NDArray[np.float32]:
    """Hyperbolic tangent of every element. Arguments and errors as for :func:`gelu`."""
    return _apply("tanh", "tanh", x, out, num_threads)


def quick_gelu(
    x: Any, *, out: NDArray[np.float32] | None = None, num_threads: int | None = None
) -> NDArray[np.float32]:
    """x / (1 + exp(-1.702 x)) of every element. Arguments and errors as for :func:`gelu`."""
    return _apply("quick_gelu", "quick_gelu", x, out, num_threads)


def _apply(op: str, kind: str, x: Any, out: Any, num_threads: int | None) -> NDArray[np.float32]:
    values = as_float32(op, "x", x)
    count = thread_count(num_threads, 0, op)
    result = output(op, out, values.shape, () if out is None else (as_array(op, "x", x),))
    if values.size:
        _core.activation(contiguous(values), kind, result, count)
    return result


def softmax(
    x: Any, axis: int = -1, *, out: NDArray[np.float32] | None = None, num_threads: int | None = None
) -> NDArray[np.float32]:
    """exp(x - max(x)) / sum(exp(x - max(x))) along one axis.

    Args:
        x: array with at least one dimension, float32 or float16.
        axis: the axis whose elements add up to one.
        out: C-contiguous float32 array of the shape of ``x`` that takes the result; must not overlap ``x``.
        num_threads: threads for this call, None for the default.

    Returns:
        float32 array of the shape of ``x``. A row of nothing but -inf gives zeros; one +inf gives a one at
        its place; two of them, or a NaN, give a row of NaN.

    Raises:
        TypeError: ``x`` is no array, or its dtype is neither float32 nor float16.
        ValueError: there is no such axis, or ``out`` does not fit.
    """
    return along_axis("softmax", _core.softmax, x, axis, out, num_threads)
