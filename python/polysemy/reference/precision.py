"""What a matrix product makes of its numbers in each precision."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from polysemy.reference.arrays import FloatArray

PRECISIONS = ("float32", "bfloat16", "float16", "int8", "int16")

#: Inputs that share a scale in int8 and int16, and inputs whose sums are added to the result at once.
GROUP = 192
#: Inputs that are rotated together in int8.
ROTATED = 64
#: The largest integer for which a sum of GROUP products fits into 32 bits.
INT16_MOST = 3344
#: Keys that attention visits at once, and whose values share a scale in each feature.
KEYS = 512
#: The largest integer of a value in attention, and the integer of a probability of one.
VALUE_MOST, PROBABILITY_ONE = 2047, 1 << 14
#: Scales below it are as good as zero: their inverse might be infinite.
LEAST_SCALE = np.float32(2.0**-120)
#: Adding it rounds a float32 to a whole number, ties to even.
_MAGIC = np.float32(1.5 * 2**23)

Float32s = NDArray[np.float32]


class Quantized(NamedTuple):
    """Rows of numbers, in int8 rotated ones, as integers: x ~ scale * (integers - zero), group by group.

    ``integers`` is (rows, groups, GROUP), filled up with zeros in the last group; ``scale`` and ``zero`` are
    (rows, groups). A group with a number that is not finite has a scale of NaN.
    """

    integers: NDArray[np.int64]
    scale: Float32s
    zero: NDArray[np.int64]


def to_bfloat16(x: NDArray[Any]) -> Float32s:
    """float32 rounded to the nearest bfloat16, ties to even; subnormal numbers become zeros."""
    values = np.ascontiguousarray(x, np.float32)
    bits = values.view(np.uint32)
    with np.errstate(over="ignore"):
        rounded = (bits + 0x7FFF + (bits >> 16 & 1)) & np.uint32(0xFFFF0000)
    rounded = np.where(np.isnan(values), bits & 0xFFFF0000 | 0x400000, rounded)
    tiny = np.abs(values) < np.finfo(np.float32).tiny
    chosen: Float32s = np.where(tiny, bits & 0x80000000, rounded).astype(np.uint32).view(np.float32)
    return chosen


def rotate(x: NDArray[Any]) -> Float32s:
    """x H / ROTATED for x (..., n ROTATED) and the Hadamard matrix H of ROTATED inputs at a time.

    H is its own inverse but for a factor: rotated twice, x is x / ROTATED.
    """
    values = np.asarray(x, np.float32) * np.float32(1 / ROTATED)
    a, b, c, d = np.moveaxis(values.reshape(*values.shape[:-1], -1, 4, 16), -2, 0)
    a, b, c, d = a + b, a - b, c + d, c - d
    turned = np.stack([a + c, b + d, a - c, b - d], -2)
    lanes = np.arange(16)
    for distance in (1, 2, 4, 8):
        turned = turned[..., lanes ^ distance] + np.where(lanes & distance, -turned, turned)
    rotated: Float32s = turned.reshape(values.shape)
    return rotated


def quantize_rows(x: NDArray[Any]) -> Quantized:
    """Activations, rotated, as integers 0 to 255."""
    groups, finite = _groups(x)
    groups = rotate(groups)
    low, high = groups.min(-1, initial=0.0), groups.max(-1, initial=0.0)
    scale = high * np.float32(1 / np.float32(255)) - low * np.float32(1 / np.float32(255))
    scale, inverse = _inverse(scale)
    zero = _MAGIC - (low * inverse + _MAGIC)
    centered = np.minimum(groups * inverse[..., None], (np.float32(255) - zero)[..., None])
    zeros = zero.astype(np.int64)
    integers = (centered + _MAGIC - _MAGIC).astype(np.int64) + zeros[..., None]
    return Quantized(integers, np.where(finite, scale, np.float32(np.nan)), zeros)


def quantize_weight(weight: NDArray[Any]) -> Quantized:
    """Weights, rotated, as integers -127 to 127, with a zero point of 0."""
    groups, finite = _groups(weight)
    return _symmetric(rotate(groups) * np.float32(ROTATED), finite, 127)


def quantize_int16(x: NDArray[Any]) -> Quantized:
    """Weights or activations, not rotated, as integers -INT16_MOST to INT16_MOST, with a zero point of 0."""
    return _symmetric(*_groups(x), INT16_MOST)


def integer_rows(x: NDArray[Any]) -> Float32s:
    """x (..., features), queries or keys, as the numbers that their integers stand for."""
    rows = quantize_int16(np.asarray(x).reshape(-1, x.shape[-1]))
    numbers = rows.integers.astype(np.float32) * rows.scale[..., None]
    return numbers.reshape(len(numbers), -1)[:, : x.shape[-1]].reshape(x.shape)


def integer_values(x: NDArray[Any]) -> Float32s:
    """Values (heads, keys, features) as the numbers that their integers stand for."""
    columns = np.swapaxes(np.asarray(x, np.float32), 1, 2)
    finite: NDArray[np.bool_] = np.all(np.isfinite(columns), axis=-1)
    held = _symmetric(np.where(finite[..., None], columns, np.float32(0)), finite, VALUE_MOST)
    return np.swapaxes(held.integers.astype(np.float32) * held.scale[..., None], 1, 2)


def _symmetric(groups: Float32s, finite: NDArray[np.bool_], most: int) -> Quantized:
    scale, inverse = _inverse(np.abs(groups).max(-1, initial=0.0) * np.float32(1 / np.float32(most)))
    integers = (groups * inverse[..., None] + _MAGIC - _MAGIC).astype(np.int64)
    return Quantized(
        np.clip(integers, -most, most),
        np.where(finite, scale, np.float32(np.nan)),
        np.zeros(scale.shape, np.int64),
    )


def _groups(x: NDArray[Any]) -> tuple[Float32s, NDArray[np.bool_]]:
    values = np.asarray(x, np.float32)
    rows, columns = values.shape
    count = -(-columns // GROUP)
    padded = np.zeros((rows, count * GROUP), np.float32)
    padded[:, :columns] = values
    finite: NDArray[np.bool_] = np.all(np.isfinite(padded).reshape(rows, count, GROUP), axis=-1)
    return np.where(finite[..., None], padded.reshape(rows, count, GROUP), np.float32(0)), finite


def _inverse(scale: Float32s) -> tuple[Float32s, Float32s]:
    scale = np.where(scale < LEAST_SCALE, np.float32(0), scale.astype(np.float32))
    inverse = np.divide(np.float32(1), scale, out=np.zeros_like(scale), where=scale > 0)
    return scale, inverse


def product(x: FloatArray, weight: FloatArray, precision: str) -> FloatArray:
    """x W^T for x (..., in) and weight (out, in) in one of PRECISIONS.

    In int8 and int16 the sums and all that follows are those of the core, bit by bit; in the others the numbers are
    rounded as there, and summed in the precision of the arrays.
    """
    if not isinstance(precision, str) or precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, got {precision!r}")
    if precision not in ("int8", "int16"):
        left, right = x, weight
        if precision == "bfloat16":
            left, right = to_bfloat16(x).astype(x.dtype), to_bfloat16(weight).astype(x.dtype)
        if precision == "float16":
            right = weight.astype(np.float16).astype(x.dtype)
        result: FloatArray = np.matmul(left, right.T)
        return result
    flat = x.reshape(-1, x.shape[-1])
    if precision == "int8":
        rows, columns = quantize_rows(flat), quantize_weight(weight)
    else:
        rows, columns = quantize_int16(flat), quantize_int16(weight)
    centered = (rows.integers - rows.zero[..., None]).astype(np.float64)  # exact, as sums stay below 2**53
    total = np.zeros((len(rows.scale), len(weight)), np.float32)
    for group in range(rows.scale.shape[1]):
        sums = np.matmul(centered[:, group], columns.integers[:, group].T.astype(np.float64)).astype(
            np.float32
        )
        total = total + sums * columns.scale[:, group] * rows.scale[:, group, None]
    shaped: FloatArray = total.reshape(*x.shape[:-1], len(weight)).astype(x.dtype)
    return shaped
