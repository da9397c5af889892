"""Positions of tokens, angles of rotary embeddings, biases by distance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polysemy.reference.arrays import FloatArray


def token_positions(
    ids: NDArray[Any], seqlens: NDArray[np.int64], offset: int, padding_id: int
) -> NDArray[np.int64]:
    """The row of the position table for each token: tokens count up from ``offset``, sequence by sequence.

    A token with ``padding_id`` has the row of that number and is not counted, as in RoBERTa.
    """
    rows = []
    start = 0
    for length in seqlens.tolist():
        counted = ids[start : start + length] != padding_id
        rows.append(np.where(counted, np.cumsum(counted) - 1 + offset, padding_id))
        start += length
    return np.concatenate([*rows, np.empty(0, dtype=np.int64)]).astype(np.int64)


def rotary_angles(frequencies: Sequence[float], seqlens: NDArray[np.int64]) -> tuple[FloatArray, FloatArray]:
    """Cosine and sine of every token's angles, (tokens, pairs) float64.

    An angle is position * frequency in float32, as the models were trained; its cosine and sine are exact.
    """
    starts = np.cumsum(seqlens) - seqlens
    positions = np.arange(int(seqlens.sum())) - np.repeat(starts, seqlens)
    angles = positions.astype(np.float32)[:, None] * np.array(frequencies, dtype=np.float32)
    wide = angles.astype(np.float64)
    return np.cos(wide), np.sin(wide)


def distance_buckets(distances: NDArray[Any], buckets: int, max_distance: int) -> NDArray[np.int64]:
    """The bucket of each distance, key minus query (Raffel et al., arXiv:1910.10683).

    The logarithm is in float32, as the models were trained: borders fall where that arithmetic puts them.
    """
    half = buckets // 2
    exact = half // 2
    n = np.abs(distances)
    with np.errstate(divide="ignore"):
        ratio = np.log(n.astype(np.float32) / np.float32(exact)) / np.float32(math.log(max_distance / exact))
    grown = np.where(n < exact, 0, ratio * np.float32(half - exact)).astype(np.int64)
    side = np.where(distances > 0, half, 0)
    return np.asarray(side + np.where(n < exact, n, np.minimum(exact + grown, half - 1)))


def disentangled_buckets(distances: NDArray[Any], buckets: int, max_distance: int) -> NDArray[np.int64]:
    """The bucket of each distance, query minus key, in disentangled attention (He et al., arXiv:2006.03654).

    The logarithms are in float32, as the models were trained.
    """
    half, exact = buckets // 2, buckets // 4
    n = np.abs(distances)
    far = np.maximum(n, exact).astype(np.float32) / np.float32(exact)
    log = [
        np.log(x.astype(np.float64)).astype(np.float32) for x in (far, np.float32((max_distance - 1) / exact))
    ]
    grown = np.ceil(log[0] / log[1] * np.float32(exact - 1)).astype(np.int64) + exact
    steps = np.where(n > exact, grown, n)
    return np.asarray(np.clip(half + np.sign(distances) * steps, 0, buckets - 1), dtype=np.int64)


def bucket_bias(table: FloatArray, length: int, max_distance: int) -> FloatArray:
    """What a table of biases (buckets, heads) adds to scores, (heads, length, length)."""
    distances = np.arange(length)[None, :] - np.arange(length)[:, None]
    return np.moveaxis(table[distance_buckets(distances, len(table), max_distance)], -1, 0)


def turn(x: FloatArray, cosine: FloatArray, sine: FloatArray) -> FloatArray:
    """x (tokens, heads, dim): features d and d + pairs turn by their angles (tokens, pairs); further ones stay."""
    pairs = cosine.shape[-1]
    a, b, rest = x[..., :pairs], x[..., pairs : 2 * pairs], x[..., 2 * pairs :]
    c, s = (angles.astype(x.dtype)[:, None, :] for angles in (cosine, sine))
    return np.concatenate([a * c - b * s, b * c + a * s, rest], axis=-1)
