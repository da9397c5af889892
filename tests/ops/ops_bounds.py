"""How far a float32 result may lie from its float64 oracle: formulas of length and magnitude."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

U = 2.0**-24
"""Unit roundoff of float32."""
TINY = float(np.finfo(np.float32).tiny)


def ulp(x: NDArray[Any]) -> NDArray[np.float64]:
    """The distance between float32 neighbours at x."""
    return np.spacing(np.abs(x).astype(np.float32)).astype(np.float64)


def gated(x: NDArray[Any], oracle: NDArray[np.float64]) -> NDArray[np.float64]:
    """GELU and its kin: 4 ULP, or 1e-7 |x| where the result is a small difference."""
    return np.maximum(4 * ulp(oracle), 1e-7 * np.abs(x.astype(np.float64)))


def product(a: NDArray[Any], b: NDArray[Any], *added: Any) -> NDArray[np.float64]:
    """a @ b plus further terms: 8u times the sum of all magnitudes."""
    total = np.abs(a.astype(np.float64)) @ np.abs(b.astype(np.float64))
    for term in added:
        if term is not None:
            total = total + np.abs(np.asarray(term, dtype=np.float64))
    return 8 * U * total + TINY


def softmax(x: NDArray[np.float64], oracle: NDArray[np.float64]) -> NDArray[np.float64]:
    """8u (1 + n) relative, and the rounding of x - max, which exp turns into a relative error."""
    with np.errstate(invalid="ignore", over="ignore"):
        gap = np.minimum(np.nan_to_num(np.max(x, axis=-1, keepdims=True) - x, posinf=0.0), 104.0)
    return (8 * U * (1 + x.shape[-1]) + 2 * U * gap) * oracle + TINY


def attention(
    oracle: NDArray[np.float64], weights: NDArray[np.float64], value: NDArray[Any]
) -> NDArray[np.float64]:
    """8u (1 + n) relative or 4u sum(p |v|) absolute, whichever is larger; n is the number of keys."""
    spread = np.matmul(weights, np.abs(value.astype(np.float64)))
    return np.maximum(8 * U * (1 + weights.shape[-1]) * np.abs(oracle), 4 * U * spread) + TINY


def score_error(
    query: NDArray[Any], key: NDArray[Any], scale: float, weights: NDArray[np.float64], value: NDArray[Any]
) -> NDArray[np.float64]:
    """What the rounding of the scores (a product of length dim: 8u sum|q||k|) may do to the result."""
    magnitude = np.abs(query.astype(np.float64)) @ np.swapaxes(np.abs(key.astype(np.float64)), -1, -2)
    worst = 8 * U * abs(scale) * np.max(magnitude, axis=-1, keepdims=True, initial=0.0)
    return 2 * worst * np.matmul(weights, np.abs(value.astype(np.float64)))


def layer_norm(
    oracle: NDArray[np.float64], weight: ArrayLike | None, bias: ArrayLike | None
) -> NDArray[np.float64]:
    """3e-7 of the normalised value (at least of one), scaled by the weight, and of what bias is added."""
    gain = 1.0 if weight is None else np.abs(np.asarray(weight, dtype=np.float64))
    shift = 0.0 if bias is None else np.abs(np.asarray(bias, dtype=np.float64))
    return 3e-7 * (np.maximum(np.abs(oracle) + shift, gain) + shift)


def within(result: NDArray[Any], oracle: NDArray[Any], bound: NDArray[Any] | float) -> None:
    """Assert that NaN and infinity stand where the oracle has them, and all else within the bound."""
    assert result.shape == oracle.shape
    assert result.dtype == np.float32
    finite = np.isfinite(oracle)
    np.testing.assert_array_equal(result[~finite], oracle[~finite].astype(np.float32))
    allowed = np.broadcast_to(bound, oracle.shape)[finite]
    excess = np.abs(result[finite].astype(np.float64) - oracle[finite]) - allowed
    # A NaN in the result must not slip through the comparison.
    assert np.all(excess <= 0.0), (
        f"largest excess over the bound {np.nanmax(excess)}, NaN {np.isnan(excess).sum()}"
    )
