"""Frequencies of rotary position embeddings, with the arithmetic that the models were trained with."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["llama3_frequencies", "ntk_frequencies", "rotary_frequencies", "yarn_factor", "yarn_frequencies"]


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


def yarn_frequencies(
    dim: int, theta: float, *, factor: float, trained: int, fast: float, slow: float, whole: bool
) -> tuple[float, ...]:
    """YaRN's scaling: pairs that turn at most ``slow`` times in ``trained`` tokens are ``factor`` times as slow.

    Those that turn at least ``fast`` times stay, the ones between are a mixture by their number. ``whole`` rounds the
    numbers of the first and the last one between outwards. Peng et al., arXiv:2309.00071.
    """
    if not (1 < theta < math.inf and trained > 0 and 0 < slow < fast < math.inf):
        raise ValueError(
            f"rotary frequencies: yarn must have a base above 1, a trained length and 0 < beta_slow < beta_fast, "
            f"got {theta}, {trained}, {slow} and {fast}"
        )
    first, last = (
        dim * math.log(trained / (turns * 2 * math.pi)) / (2 * math.log(theta)) for turns in (fast, slow)
    )
    if whole:
        first, last = math.floor(first), math.ceil(last)
    first, last = max(first, 0), min(last, dim - 1)
    width = np.float32(last - first if last != first else 0.001)
    plain, one = _frequencies(dim, theta), np.float32(1)
    share = np.clip((np.arange(dim // 2, dtype=np.float32) - np.float32(first)) / width, 0, 1).astype(
        np.float32
    )
    with np.errstate(all="ignore"):
        slowed = one / (np.float32(factor) * _powers(dim, theta))
        kept = one - share
        return _floats(slowed * (one - kept) + plain * kept)


def yarn_factor(factor: float, weight: float = 1.0) -> float:
    """YaRN's factor of sines and cosines for texts ``factor`` times as long."""
    return 0.1 * weight * math.log(factor) + 1.0 if factor > 1 else 1.0


def _frequencies(dim: int, theta: float) -> NDArray[np.float32]:
    with np.errstate(all="ignore"):  # a tiny or huge base gives infinities, which no spec may have
        inverse: NDArray[np.float32] = np.float32(1) / _powers(dim, theta)
    return inverse


def _powers(dim: int, theta: float) -> NDArray[np.float32]:
    if not 0 < theta < math.inf:
        raise ValueError(f"rotary frequencies: theta must be positive, got {theta}")
    exponents = np.arange(0, dim, 2, dtype=np.float32) / np.float32(dim)
    with np.errstate(all="ignore"):
        powers: NDArray[np.float64] = np.power(float(theta), exponents.astype(np.float64))
        return powers.astype(np.float32)


def _floats(frequencies: NDArray[np.floating]) -> tuple[float, ...]:
    return tuple(frequencies.astype(np.float32).tolist())
