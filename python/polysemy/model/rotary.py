"""Frequencies of rotary position embeddings, with the arithmetic that the models were trained with."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["llama3_frequencies", "ntk_frequencies", "rotary_frequencies"]


def rotary_frequencies(dim: int, theta: float, *, factor: float = 1.0) -> tuple[float, ...]:
    """``theta ** (-2 i / dim) / factor`` in radians per token, for each of ``dim / 2`` pairs.

    The exponent, the power, its inverse and the quotient are each rounded to float32: an angle is a product with
    a position, so that at position 8,000 a last bit of the frequency shows.
    """
    return _floats(_frequencies(dim, theta) / np.float32(factor))


def ntk_frequencies(dim: int, theta: float, factor: float) -> tuple[float, ...]:
    """Frequencies for texts ``factor`` times as long: the lowest divided by it, the highest hardly changed.

    https://kexue.fm/archives/9706, equation 6.
    """
    return _floats(_frequencies(dim, theta * factor) / np.float32(factor ** (2 / dim)))


def llama3_frequencies(
    dim: int, theta: float, *, factor: float, low: float, high: float, trained: int
) -> tuple[float, ...]:
    """Llama 3.1's scaling: waves longer than ``trained / low`` tokens are ``factor`` times as long.

    Those shorter than ``trained / high`` stay, the ones between are a mixture.
    """
    plain, one = _frequencies(dim, theta), np.float32(1)
    length = one / plain * np.float32(2 * math.pi)
    share = (one / length * np.float32(trained) - np.float32(low)) / np.float32(high - low)
    slow = np.where(length > np.float32(trained / low), plain / np.float32(factor), plain)
    mixed = (one - share) * slow / np.float32(factor) + share * slow
    between = (length >= np.float32(trained / high)) & (length <= np.float32(trained / low))
    return _floats(np.where(between, mixed, slow))


def _frequencies(dim: int, theta: float) -> NDArray[np.float32]:
    if not 0 < theta < math.inf:
        raise ValueError(f"rotary frequencies: theta must be positive, got {theta}")
    exponents = np.arange(0, dim, 2, dtype=np.float32) / np.float32(dim)
    with np.errstate(all="ignore"):  # a tiny or huge base gives infinities, which no spec may have
        powers: NDArray[np.float64] = np.power(float(theta), exponents.astype(np.float64))
        inverse: NDArray[np.float32] = np.float32(1) / powers.astype(np.float32)
    return inverse


def _floats(frequencies: NDArray[np.floating]) -> tuple[float, ...]:
    return tuple(frequencies.astype(np.float32).tolist())
