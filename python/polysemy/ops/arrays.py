"""The border between anybody's arrays and the core.

The core takes float32 in native byte order, aligned, with plain layouts. Here every other array is looked
through without a copy where that is possible, converted where it is not, or refused by name.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

F32 = np.dtype(np.float32)
F16 = np.dtype(np.float16)
# Of integers with a sign: the same bits without it, and the largest value, above which the signed are negative.
_UNSIGNED = {np.dtype(f"i{n}"): (np.dtype(f"u{n}"), (1 << (8 * n - 1)) - 1) for n in (1, 2, 4, 8)}
# Whether strided arrays share an element is found by a search; past this effort they count as overlapping.
# (NumPy's stubs know only its two special values.)
_OVERLAP_EFFORT: Any = 10_000


def as_array(op: str, argument: str, value: Any) -> NDArray[Any]:
    """``value`` as an ndarray over the same memory: NumPy, buffer protocol, array interface or DLPack."""
    if type(value) is np.ndarray:
        return value
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{op}: {argument} must be an array without a mask, got {type(value).__name__}")
    try:
        if isinstance(value, np.ndarray) or hasattr(value, "__array_interface__"):
            return np.asarray(value)
        if hasattr(value, "__dlpack__"):
            if hasattr(value, "is_neg") and value.is_neg():  # a mark of torch's that the protocol loses
                raise BufferError("its memory holds the negated values, resolve_neg() gives a copy without")
            return np.from_dlpack(value)
        if hasattr(value, "__array__"):
            return np.asarray(value)
        if _has_buffer(value):
            return np.asarray(memoryview(value))
    except Exception as error:
        raise TypeError(
            f"{op}: {argument} must be an array in memory that the CPU can read, "
            f"got {_describe(value)}: {error}"
        ) from error
    raise TypeError(f"{op}: {argument} must be an array, got {type(value).__name__}")


def _has_buffer(value: Any) -> bool:
    try:
        memoryview(value).release()
    except TypeError:
        return False
    return True


def _describe(value: Any) -> str:
    """The type, with the dtype and device that arrays of other libraries have."""
    about = [f"{name} {getattr(value, name)}" for name in ("dtype", "device") if hasattr(value, name)]
    return type(value).__name__ + (f" ({', '.join(about)})" if about else "")


def as_float32(op: str, argument: str, value: Any, *, also: str = "") -> NDArray[np.float32]:
    """``value`` as aligned native float32 of any strides; float16 and foreign byte order are converted.

    ``also``: dtypes that the caller takes besides, for the message.
    """
    array = value if type(value) is np.ndarray else as_array(op, argument, value)
    if array.dtype is F32 and array.flags.aligned:
        return array
    native = array.dtype.newbyteorder("=")
    if native not in (F32, F16):
        hint = f": numpy.asarray({argument}, numpy.float32) converts it" if array.dtype.kind in "fi" else ""
        raise TypeError(f"{op}: {argument} must have dtype {also}float32 or float16, got {array.dtype}{hint}")
    if array.dtype == F32 and array.flags.aligned:
        return array
    return array.astype(np.float32, order="C")


def contiguous(array: NDArray[Any]) -> NDArray[Any]:
    """The array if it lies in C order, otherwise a copy that does; what has no axis stays so."""
    if array.flags.c_contiguous:
        return array
    return np.array(array, order="C")


def plain_rows(array: NDArray[Any]) -> NDArray[Any]:
    """The array if the elements of its last axis follow each other, otherwise a copy in C order."""
    if array.shape[-1] <= 1 or array.strides[-1] == array.itemsize:
        return array
    return np.array(array, order="C")


def as_given(op: str, argument: str, value: Any) -> Any:
    """What may be a sequence or an array: an array as an ndarray over the same memory, a sequence as it is."""
    return value if isinstance(value, (list, tuple, range)) else as_array(op, argument, value)


def as_integers(op: str, argument: str, value: Any, low: int, high: int) -> NDArray[Any]:
    """A copy of ``value`` (an array, or a sequence of int) as integers that all lie in ``low .. high``.

    A copy, so that they still do when another thread writes to ``value`` meanwhile.
    """
    if isinstance(value, (list, tuple, range)):
        if not all(isinstance(item, (int, np.integer)) and not isinstance(item, bool) for item in value):
            raise TypeError(f"{op}: {argument} must be a sequence of int, got other things in it")
        outside = [item for item in value if not low <= item <= high]
        if outside:
            raise ValueError(f"{op}: {argument} must be integers from {low} to {high}, got {outside[0]}")
        return np.array(value, dtype=np.int64)
    given = as_array(op, argument, value)
    if given.dtype.kind not in "iu":
        raise TypeError(f"{op}: {argument} must have an integer dtype, got {given.dtype}")
    # Not copy(): memcpy is slow on a Zen 3 for some distances of two arrays. A single one must not become a scalar.
    array: NDArray[Any] = np.asarray(np.positive(given))
    if array.size:
        unsigned, largest = _UNSIGNED.get(array.dtype, (None, 0))
        if low == 0 and unsigned is not None and int(array.view(unsigned).max()) <= min(high, largest):
            return array
        least, most = int(array.min()), int(array.max())
        if least < low or most > high:
            raise ValueError(
                f"{op}: {argument} must be integers from {low} to {high}, "
                f"got {least if least < low else most}"
            )
    return array


def as_offsets(op: str, argument: str, value: Any, rows: int, of: str) -> NDArray[np.int64]:
    """Where sequences of these lengths begin, and where the last one ends; their sum is the rows of ``of``."""
    lengths = as_integers(op, argument, value, 0, rows)
    if lengths.ndim != 1:
        raise ValueError(f"{op}: {argument} must have one dimension, got shape {lengths.shape}")
    # Every length is at most `rows`, which is memory that exists, so these sums can't wrap.
    offsets = np.zeros(lengths.size + 1, dtype=np.int64)
    np.cumsum(lengths.astype(np.int64), out=offsets[1:])
    if offsets[-1] != rows:
        raise ValueError(
            f"{op}: {argument} must add up to the {rows} rows of {of}, got a sum of {int(offsets[-1])}"
        )
    return offsets


def expect_shape(op: str, argument: str, array: NDArray[Any], shape: tuple[int, ...]) -> None:
    """ValueError unless the array has exactly this shape."""
    if array.shape != shape:
        raise ValueError(f"{op}: {argument} must have shape {shape}, got {array.shape}")


def vector(op: str, argument: str, value: Any, shape: tuple[int, ...]) -> NDArray[np.float32] | None:
    """An optional float32 parameter of a known shape, flattened to one contiguous row; None stays None."""
    if value is None:
        return None
    array = as_float32(op, argument, value)
    expect_shape(op, argument, array, shape)
    row = contiguous(array)
    return row if row.ndim == 1 else row.reshape(-1)


def new(op: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """A new C-contiguous float32 array."""
    return output(op, None, shape, ())


def output(op: str, out: Any, shape: tuple[int, ...], inputs: Iterable[Any]) -> NDArray[np.float32]:
    """A new C-contiguous float32 array, or ``out`` after it was checked against shape and inputs.

    MemoryError also where NumPy can't even count the elements of a new one.
    """
    if out is None:
        try:
            return np.empty(shape, F32)
        except ValueError as error:
            raise MemoryError(f"{op}: result must fit into memory, got shape {shape}: {error}") from None
    if not isinstance(out, np.ndarray) or isinstance(out, np.ma.MaskedArray):
        raise TypeError(f"{op}: out must be a NumPy array or None, got {type(out).__name__}")
    if out.dtype != F32:
        raise TypeError(f"{op}: out must have dtype float32 in native byte order, got {out.dtype}")
    expect_shape(op, "out", out, shape)
    if not out.flags.c_contiguous or not out.flags.aligned:
        raise ValueError(f"{op}: out must be C-contiguous and aligned, got strides {out.strides}")
    if not out.flags.writeable:
        raise ValueError(f"{op}: out must be writeable, got a read-only array")
    for other in inputs:
        if isinstance(other, np.ndarray) and _overlap(out, other):
            raise ValueError(f"{op}: out must have memory of its own, got an array that overlaps an input")
    return out


def _overlap(a: NDArray[Any], b: NDArray[Any]) -> bool:
    return bool(np.may_share_memory(a, b, max_work=_OVERLAP_EFFORT))
