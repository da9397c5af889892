"""Every way in which the same float32 values can lie in memory, or come from somewhere else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from ops_memory import bordered, misaligned

Array = NDArray[Any]


class Interface:
    """An object that is no array but has one's ``__array_interface__``."""

    def __init__(self, array: Array) -> None:
        self._array = array
        self.__array_interface__ = array.__array_interface__


def _read_only(x: Array) -> Array:
    copy = x.copy()
    copy.flags.writeable = False
    return copy


def _every_other(x: Array) -> Array:
    large = np.full((*x.shape[:-1], 2 * x.shape[-1]), np.nan, dtype=x.dtype)
    large[..., ::2] = x
    return large[..., ::2]


LAYOUTS: dict[str, Callable[[Array], Any]] = {
    "c": lambda x: x,
    "fortran": np.asfortranarray,
    "bordered": bordered,
    "negative": lambda x: x[..., ::-1].copy()[..., ::-1],
    "reversed_rows": lambda x: x[::-1].copy()[::-1],
    "every_other": _every_other,
    "misaligned": misaligned,
    "byte_swapped": lambda x: x.astype(x.dtype.newbyteorder("S")),
    "read_only": _read_only,
    "torch": torch.from_numpy,
    "torch_transposed": lambda x: torch.from_numpy(np.ascontiguousarray(np.swapaxes(x, 0, -1))).swapaxes(
        0, -1
    ),
    "memoryview": lambda x: memoryview(np.ascontiguousarray(x)),
    "interface": Interface,
}
