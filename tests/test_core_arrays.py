"""Arrays at the core's border: taken as they are or refused by their dtype, never converted."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import DTypeLike, NDArray
from polysemy import _core

X = np.arange(32, dtype=np.float32).reshape(2, 16)


def mean(offsets: NDArray[np.generic]) -> NDArray[np.float32]:
    out = np.full((1, 16), np.nan, dtype=np.float32)
    _core.pool(X, offsets, "mean", out)
    return out


@pytest.mark.parametrize("dtype", [np.int64, np.longlong, "=i8", "l", "q"])
def test_other_names_of_a_dtype(dtype: DTypeLike) -> None:
    offsets = np.array([0, 2], dtype=dtype)
    assert offsets.itemsize == 8
    np.testing.assert_array_equal(mean(offsets), X.mean(axis=0, keepdims=True))


@pytest.mark.parametrize(
    "dtype", [np.uint64, np.int32, np.float64, np.dtype(np.int64).newbyteorder("S"), "M8[s]"]
)
def test_other_dtypes_of_offsets(dtype: DTypeLike) -> None:
    with pytest.raises(TypeError, match="pool: offsets must have dtype int64"):
        mean(np.array([0, 2]).astype(dtype))


@pytest.mark.parametrize(
    "dtype", [np.float64, np.float16, np.int32, np.uint32, np.dtype(np.float32).newbyteorder("S"), "V4", "S4"]
)
def test_other_dtypes_of_a_weight(dtype: DTypeLike) -> None:
    given = X.astype(dtype) if dtype not in ("V4", "S4") else X.view(dtype)
    with pytest.raises(TypeError, match="PackedWeight: weight must have dtype float32, got"):
        _core.PackedWeight(given, "float32")


def test_the_same_dtype_by_another_object() -> None:
    named = np.dtype(np.float32, metadata={"unit": "m"})
    assert named is not X.dtype
    assert _core.PackedWeight(X.astype(named), "float32").shape == X.shape
