"""Functions of one number, applied to every element, and the softmax of a row."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from polysemy.reference.arrays import FloatArray, finish, floats


def exp(x: ArrayLike) -> FloatArray:
    """e to the power of x."""
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(np.exp(floats(x)))


def erf(x: ArrayLike) -> FloatArray:
    """The error function, 2/sqrt(pi) times the integral of exp(-t^2) from 0 to x; evaluated in float64."""
    values = floats(x)
    exact = np.fromiter(map(math.erf, values.ravel().tolist()), dtype=np.float64, count=values.size)
    return exact.reshape(values.shape).astype(values.dtype)


def tanh(x: ArrayLike, *, out: FloatArray | None = None, num_threads: int | None = None) -> FloatArray:
    """The hyperbolic tangent."""
    return finish(np.asarray(np.tanh(floats(x))), out)


def sigmoid(x: ArrayLike) -> FloatArray:
    """1 / (1 + exp(-x)), written so that no exponential overflows."""
    values = floats(x)
    small = np.exp(-np.abs(values))
    return np.asarray(np.where(values >= 0, 1.0, small) / (1.0 + small)).astype(values.dtype)


def gelu(
    x: ArrayLike,
    approximate: str = "none",
    *,
    out: FloatArray | None = None,
    num_threads: int | None = None,
) -> FloatArray:
    """Gaussian error linear unit, x * Phi(x) (Hendrycks and Gimpel, arXiv:1606.08415).

    ``approximate="none"`` takes Phi from erf; ``"tanh"`` takes the paper's tanh form of it. The limits are
    those of the function: gelu(-inf) = -0, gelu(+inf) = +inf.
    """
    values = floats(x)
    if approximate == "none":
        gate = 0.5 * (1.0 + erf(values * math.sqrt(0.5)))
        # For large negative x the sum above cancels; erfc keeps every digit of the small result.
        low = np.fromiter(
            (0.5 * math.erfc(-v * math.sqrt(0.5)) for v in values.ravel().tolist()), np.float64, values.size
        ).reshape(values.shape)
        gate = np.where(values < 0, low, gate)
    elif approximate == "tanh":
        with np.errstate(over="ignore"):
            inner = math.sqrt(2.0 / math.pi) * (values + 0.044715 * values * values * values)
        # 0.5 * (1 + tanh(y)) is the sigmoid of 2y, without the cancellation at negative y.
        gate = sigmoid(2.0 * inner)
    else:
        raise ValueError(f"gelu: approximate must be 'none' or 'tanh', got {approximate!r}")
    return finish(_gated(values, gate), out)


def silu(x: ArrayLike, *, out: FloatArray | None = None, num_threads: int | None = None) -> FloatArray:
    """x * sigmoid(x), also called swish."""
    values = floats(x)
    return finish(_gated(values, sigmoid(values)), out)


def quick_gelu(x: ArrayLike, *, out: FloatArray | None = None, num_threads: int | None = None) -> FloatArray:
    """x * sigmoid(1.702 * x), the cheap GELU of CLIP and some BERT descendants."""
    values = floats(x)
    with np.errstate(over="ignore"):
        gate = sigmoid(values * values.dtype.type(1.702))
    return finish(_gated(values, gate), out)


def relu(x: ArrayLike, *, out: FloatArray | None = None, num_threads: int | None = None) -> FloatArray:
    """max(x, 0); NaN stays NaN."""
    values = floats(x)
    return finish(np.maximum(values, values.dtype.type(0)), out)


def _gated(values: FloatArray, gate: FloatArray) -> FloatArray:
    """x * gate with the limit -0 at -inf, where the product alone would be NaN."""
    with np.errstate(invalid="ignore", under="ignore"):
        product = values * gate
    return np.where(np.isneginf(values), -0.0, product).astype(values.dtype)


def softmax(
    x: ArrayLike, axis: int = -1, *, out: FloatArray | None = None, num_threads: int | None = None
) -> FloatArray:
    """exp(x - max) / sum(exp(x - max)) along ``axis``.

    A row of nothing but -inf gives zeros. One +inf gives a one there and zeros elsewhere; two give NaN, as
    does a NaN anywhere in the row.
    """
    return finish(softmax_and_lse(floats(x), axis)[0], out)


def softmax_and_lse(scores: FloatArray, axis: int = -1) -> tuple[FloatArray, FloatArray]:
    """The softmax, and the logarithm of the sum of the exponentials (-inf for a row of nothing but -inf)."""
    with np.errstate(invalid="ignore", over="ignore", under="ignore", divide="ignore"):
        top = np.max(scores, axis=axis, keepdims=True, initial=-np.inf)
        # The largest entry is shifted to zero even when it is +inf, where inf - inf would be NaN.
        shifted = np.where(scores == top, 0.0, scores - top)
        raised = np.where(np.isneginf(scores), 0.0, np.exp(shifted))
        total = raised.sum(axis=axis, keepdims=True)
        undecided = np.isposinf(top) & (np.isposinf(scores).sum(axis=axis, keepdims=True) > 1)
        weights = raised / np.where(total == 0.0, 1.0, total)
        weights = np.where(undecided, np.nan, weights)
        lse = np.where(total == 0.0, -np.inf, top + np.log(total))
    return weights.astype(scores.dtype), np.squeeze(lse, axis=axis).astype(scores.dtype)


BY_NAME: dict[str, Callable[..., FloatArray]] = {
    "none": floats,
    "gelu": gelu,
    "gelu_tanh": lambda x: gelu(x, "tanh"),
    "relu": relu,
    "silu": silu,
    "tanh": tanh,
    "quick_gelu": quick_gelu,
    "exp": exp,
    "erf": erf,
    "sigmoid": sigmoid,
}
"""The names that ``linear(activation=...)`` takes."""


def activate(x: FloatArray, activation: str | None) -> FloatArray:
    """``x`` after the activation of that name; None leaves it as it is."""
    if activation is None:
        return x
    if not isinstance(activation, str) or activation not in BY_NAME:
        raise ValueError(f"linear: activation must be None or one of {sorted(BY_NAME)}, got {activation!r}")
    function: Callable[..., Any] = BY_NAME[activation]
    return np.asarray(function(x))
