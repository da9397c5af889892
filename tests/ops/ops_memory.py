"""Buffers that notice a step outside: a page without access behind (or before), or a border of NaN."""

from __future__ import annotations

import ctypes
import mmap
import os
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

_PAGE = mmap.PAGESIZE
_PROT_NONE = 0


def guarded(source: NDArray[Any], *, at_end: bool = True) -> NDArray[Any]:
    """A contiguous copy whose last byte (or first) touches a page that nobody may read or write.

    An access outside kills the process, so a test with it can only pass without one.
    """
    body = max(1, -(-source.nbytes // _PAGE)) * _PAGE
    region = mmap.mmap(-1, body + 2 * _PAGE)
    anchor = ctypes.c_char.from_buffer(region)
    start = ctypes.addressof(anchor)
    libc = ctypes.CDLL(None, use_errno=True)
    for page in (start, start + _PAGE + body):
        if libc.mprotect(ctypes.c_void_p(page), ctypes.c_size_t(_PAGE), _PROT_NONE):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    offset = _PAGE + (body - source.nbytes if at_end else 0)
    flat = np.frombuffer(region, dtype=source.dtype, count=source.size, offset=offset)
    flat.reshape(source.shape)[...] = source
    return flat.reshape(source.shape)


def guarded_output(shape: tuple[int, ...], *, at_end: bool = True) -> NDArray[np.float32]:
    """A guarded array full of NaN, so that an element never written is seen."""
    return guarded(np.full(shape, np.nan, dtype=np.float32), at_end=at_end)


def bordered(source: NDArray[Any], margin: int = 3, fill: Any = np.nan) -> NDArray[Any]:
    """A view of the same values inside a larger array that holds ``fill`` all around: not contiguous."""
    shape = tuple(n + 2 * margin for n in source.shape)
    inner = tuple(slice(margin, margin + n) for n in source.shape)
    large = np.full(shape, fill, dtype=source.dtype)
    large[inner] = source
    return large[inner]


def misaligned(source: NDArray[Any], dtype: DTypeLike | None = None) -> NDArray[Any]:
    """The same values at an odd address."""
    kind = np.dtype(dtype or source.dtype)
    raw = np.empty(source.size * kind.itemsize + 1, dtype=np.uint8)
    view = raw[1:].view(kind).reshape(source.shape)
    view[...] = source
    return view
