"""How the attention kernel finds packed sequences: a flat buffer, offsets of sequences, strides inside them.

Broadcast axes have stride zero and transposed ones keep their strides, so an operand is copied only when its
innermost axis is not contiguous, or an axis runs backwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Located:
    """An operand as the core takes it; offsets and strides count elements."""

    flat: NDArray[Any]
    offsets: NDArray[np.int64]
    strides: tuple[int, ...]


def element_strides(array: NDArray[Any], *, inner_contiguous: bool) -> tuple[int, ...] | None:
    """The strides in elements, axes of size one having zero; None if the kernel can't walk the array so."""
    if not array.size:
        return (0,) * array.ndim
    size = array.itemsize
    strides = []
    for length, stride in zip(array.shape, array.strides, strict=True):
        if length == 1:
            strides.append(0)
        elif stride < 0 or stride % size:
            return None
        else:
            strides.append(stride // size)
    if inner_contiguous and array.shape[-1] > 1 and strides[-1] != 1:
        return None
    return tuple(strides)


def walkable(array: NDArray[Any], *, inner_contiguous: bool) -> tuple[NDArray[Any], tuple[int, ...]]:
    """The array, or a C-contiguous copy where its layout does not suit, and its strides in elements."""
    strides = element_strides(array, inner_contiguous=inner_contiguous)
    if strides is not None:
        return array, strides
    return walkable(np.ascontiguousarray(array), inner_contiguous=inner_contiguous)


def flat_view(array: NDArray[Any], strides: tuple[int, ...]) -> NDArray[Any]:
    """One dimension over the memory from the first to the last element; strides must not be negative."""
    if array.flags.c_contiguous:
        return array.reshape(-1)
    if not array.size:
        return np.empty(0, dtype=array.dtype)
    span = 1 + sum((length - 1) * stride for length, stride in zip(array.shape, strides, strict=True))
    return as_strided(array, (span,), (array.itemsize,), writeable=False)


def locate_mask(mask: NDArray[Any], sequences: int) -> Located:
    """A mask that broadcasts to (sequences, heads, length, length): axes of size one have stride zero."""
    padded = mask.reshape((1,) * (4 - mask.ndim) + mask.shape)
    array, (step, *strides) = walkable(padded, inner_contiguous=False)
    starts = np.arange(sequences, dtype=np.int64) * step
    return Located(flat_view(array, (step, *strides)), starts, tuple(strides))


def locate_rows(array: NDArray[Any], starts: NDArray[np.int64]) -> Located:
    """Operand of packed sequences, (tokens, heads, dim), whose problems begin at the rows ``starts``."""
    array, (row, head, _) = walkable(array, inner_contiguous=True)
    return Located(flat_view(array, (row, head, 1)), starts * row, (head, row))


def dense_offsets(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where blocks of these sizes begin when they lie one after another."""
    offsets = np.zeros(sizes.size, dtype=np.int64)
    np.cumsum(sizes[:-1], out=offsets[1:])
    return offsets
