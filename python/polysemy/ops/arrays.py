"""The border between anybody's arrays and the core.

The core takes float32 in native byte order, aligned, with plain layouts. Here every other array is looked
through without a copy where that is possible, converted where it is not, or refused by name. All errors read
``operation: argument: expected this, got that``.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

F32 = np.dtype(np.float32)
F16 = np.dtype(np.float16)
_F32_MAX = float(np.finfo(np.float32).max)
# Whether strided arrays share an element is found by a search; past this effort they count as overlapping.
# (NumPy's stubs know only its two special values.)
_OVERLAP_EFFORT: Any = 10_000


def as_array(op: str, argument: str, value: Any) -> NDArray[Any]:
    """``value`` as an ndarray over the same memory: NumPy, buffer protocol, array interface or DLPack."""
    if type(value) is np.ndarray:
        return value
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{op}: {argument}: expected an array without a mask, got {type(value).__name__}")
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
            f"{op}: {argument}: expected an array in memory that the CPU can read, "
            f"got {_describe(value)}: {error}"
        ) from error
    raise TypeError(f"{op}: {argument}: expected an array, got {type(value).__name__}")


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


def as_float32(op: str, argument: str, value: Any) -> NDArray[np.float32]:
    """``value`` as aligned native float32 of any strides; float16 and foreign byte order are converted."""
    array = as_array(op, argument, value)
    if array.dtype is F32 and array.flags.aligned:
        return array
    native = array.dtype.newbyteorder("=")
    if native not in (F32, F16):
        raise TypeError(f"{op}: {argument}: expected dtype float32 or float16, got {array.dtype}")
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
    """``value`` (an array, or a sequence of int) as integers that all lie in ``low .. high``."""
    if isinstance(value, (list, tuple, range)):
        if not all(isinstance(item, (int, np.integer)) and not isinstance(item, bool) for item in value):
            raise TypeError(f"{op}: {argument}: expected a sequence of int, got other things in it")
        outside = [item for item in value if not low <= item <= high]
        if outside:
            raise ValueError(f"{op}: {argument}: expected integers from {low} to {high}, got {outside[0]}")
        return np.array(value, dtype=np.int64)
    array = as_array(op, argument, value)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{op}: {argument}: expected an integer dtype, got {array.dtype}")
    if array.size:
        least, most = int(array.min()), int(array.max())
        if least < low or most > high:
            raise ValueError(
                f"{op}: {argument}: expected integers from {low} to {high}, "
                f"got {least if least < low else most}"
            )
    return array


def as_lengths(op: str, argument: str, value: Any, rows: int, of: str) -> NDArray[np.int64]:
    """Sequence lengths, 1-D, whose sum is the number of rows of the argument named ``of``."""
    lengths = as_integers(op, argument, value, 0, rows)
    if lengths.ndim != 1:
        raise ValueError(f"{op}: {argument}: expected one dimension, got shape {lengths.shape}")
    # Every length is at most `rows`, which is memory that exists, so this sum can't wrap.
    result = np.ascontiguousarray(lengths, dtype=np.int64)
    total = int(result.sum())
    if total != rows:
        raise ValueError(
            f"{op}: {argument}: expected lengths that add up to the {rows} rows of {of}, got {total}"
        )
    return result


def expect_shape(op: str, argument: str, array: NDArray[Any], shape: tuple[int, ...]) -> None:
    """ValueError unless the array has exactly this shape."""
    if array.shape != shape:
        raise ValueError(f"{op}: {argument}: expected shape {shape}, got {array.shape}")


def vector(op: str, argument: str, value: Any, shape: tuple[int, ...]) -> NDArray[np.float32] | None:
    """An optional float32 parameter of a known shape, flattened to one contiguous row; None stays None."""
    if value is None:
        return None
    array = as_float32(op, argument, value)
    expect_shape(op, argument, array, shape)
    row = contiguous(array)
    return row if row.ndim == 1 else row.reshape(-1)


def number(op: str, argument: str, value: Any, *, least: float = -math.inf) -> float:
    """``value`` as a float that float32 can hold and that is not below ``least``."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{op}: {argument}: expected a number, got {type(value).__name__}")
    try:
        result = float(value)
    except OverflowError:
        result = math.inf
    if not abs(result) <= _F32_MAX or result < least:
        bound = "a finite float32 number" if least == -math.inf else f"a finite float32 number >= {least}"
        raise ValueError(f"{op}: {argument}: expected {bound}, got {result}")
    return result


def integer(op: str, argument: str, value: Any, *, least: int) -> int:
    """``value`` as an int, not below ``least``; bool is no number here."""
    try:
        if isinstance(value, (bool, np.bool_)):
            raise TypeError
        result = operator.index(value)
    except TypeError:
        raise TypeError(f"{op}: {argument}: expected an int, got {type(value).__name__}") from None
    if not least <= result < 2**31:
        raise ValueError(f"{op}: {argument}: expected an int from {least} to {2**31 - 1}, got {result}")
    return result


def flag(op: str, argument: str, value: Any) -> bool:
    """``value`` as a bool; nothing else passes, so that a misplaced positional argument can't."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{op}: {argument}: expected a bool, got {type(value).__name__}")
    return bool(value)


def threads(op: str, num_threads: Any) -> int:
    """The thread count for the core, where 0 means its default."""
    return 0 if num_threads is None else integer(op, "num_threads", num_threads, least=1)


def new(op: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """A new C-contiguous float32 array; MemoryError also where NumPy can't even count the elements."""
    try:
        return np.empty(shape, F32)
    except ValueError as error:
        raise MemoryError(
            f"{op}: expected a result that fits into memory, got shape {shape}: {error}"
        ) from None


def output(op: str, out: Any, shape: tuple[int, ...], inputs: Iterable[Any]) -> NDArray[np.float32]:
    """A new C-contiguous float32 array, or ``out`` after it was checked against shape and inputs."""
    if out is None:
        return new(op, shape)
    if not isinstance(out, np.ndarray) or isinstance(out, np.ma.MaskedArray):
        raise TypeError(f"{op}: out: expected a NumPy array or None, got {type(out).__name__}")
    if out.dtype != F32:
        raise ValueError(f"{op}: out: expected dtype float32 in native byte order, got {out.dtype}")
    expect_shape(op, "out", out, shape)
    if not out.flags.c_contiguous or not out.flags.aligned:
        raise ValueError(f"{op}: out: expected a C-contiguous aligned array, got strides {out.strides}")
    if not out.flags.writeable:
        raise ValueError(f"{op}: out: expected a writeable array, got a read-only one")
    for other in inputs:
        if isinstance(other, np.ndarray) and _overlap(out, other):
            raise ValueError(f"{op}: out: expected memory of its own, got an array that overlaps an input")
    return out


def _overlap(a: NDArray[Any], b: NDArray[Any]) -> bool:
    return bool(np.may_share_memory(a, b, max_work=_OVERLAP_EFFORT))
