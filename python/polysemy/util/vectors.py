"""Vectors from whatever holds them, and results in the form of the argument."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["as_tensor", "holds_tensors", "is_tensor", "like", "matrix", "rows"]

Floats = NDArray[np.float32]


def rows(value: Any, name: str) -> NDArray[Any]:
    """An array of numbers, of a list of vectors the array of them. ``TypeError`` for what is none."""
    try:
        if isinstance(value, (list, tuple)):
            value = (
                np.stack([np.asarray(_plain(row)) for row in value])
                if len(value)
                else np.empty((0, 0), np.float32)
            )
        array = np.asarray(_plain(value))
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"{name} can't be read as an array: {error}") from None
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} must hold numbers, got dtype {array.dtype}")
    return array


def _plain(value: Any) -> Any:
    """What NumPy can read: of sparse rows all elements; of a tensor its values, float32 where they were bfloat16."""
    if not is_tensor(value):
        return value.toarray() if hasattr(value, "toarray") else value
    value = value.detach()
    value = value.to_dense() if value.is_sparse else value
    return value.float() if str(value.dtype) == "torch.bfloat16" else value


def is_tensor(value: Any) -> bool:
    """Whether it is a tensor of torch."""
    return type(value).__module__.partition(".")[0] == "torch"


def holds_tensors(value: Any) -> bool:
    """Whether it is a tensor of torch, or a list of them."""
    return is_tensor(value[0] if isinstance(value, (list, tuple)) and value else value)


def matrix(value: Any, name: str) -> Floats:
    """(n, dim) float32, C-contiguous; a vector is one row."""
    array = rows(value, name)
    if array.ndim == 1:
        array = array[None]
    if array.ndim != 2:
        raise ValueError(f"{name} must have shape (n, dim) or (dim,), got {array.shape}")
    return np.ascontiguousarray(array, dtype=np.float32)


def as_tensor(array: NDArray[Any], name: str) -> Any:
    """The array as a tensor of torch. ``ValueError`` where torch is not installed."""
    try:
        torch = import_module("torch")
    except ImportError:
        raise ValueError(f"{name} needs torch, which is not installed; results are NumPy arrays") from None
    return torch.from_numpy(array)


def like(value: Any, result: NDArray[Any]) -> Any:
    """The result as a tensor where the argument was one, or a list of them."""
    return as_tensor(result, "a tensor") if holds_tensors(value) else result
