"""One safetensors file: its header, and its tensors as float32 arrays.

The format is 8 bytes with the length of the header (little endian), the header (a JSON object: name ->
dtype, shape and byte range), and the data. The `safetensors` library validates the file; the data is then
mapped, so that a float32 tensor is a view of the page cache and costs no copy.
"""

from __future__ import annotations

import math
import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CheckpointError
from .jsonfile import parse_json_object

__all__ = ["SafetensorsFile", "TensorInfo"]

# Stored dtype -> NumPy dtype of its bytes. bfloat16 has no NumPy dtype; its bits are the upper half of a
# float32.
_FLOATS: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "BF16": np.dtype("<u2")}


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """Place and form of a stored tensor: bytes ``begin .. end`` of the file."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


class SafetensorsFile:
    """A validated, mapped safetensors file.

    Raises ``CheckpointError`` when the file is truncated or damaged. The arrays that `read` returns keep the
    mapping alive.
    """

    __slots__ = ("_bytes", "path", "tensors")

    def __init__(self, path: Path) -> None:
        self.path = path
        _validate(path)
        try:
            with path.open("rb") as file:
                self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError as error:  # an empty file can't be mapped
            raise CheckpointError(f"{path} is not a usable safetensors file: {error}") from None
        self.tensors = self._read_header()

    def _read_header(self) -> dict[str, TensorInfo]:
        size = len(self._bytes)
        start = 8 + int.from_bytes(self._bytes[:8], "little")
        if start > size:
            raise CheckpointError(f"{self.path} is truncated: its header ends at byte {start} of {size}")
        header = parse_json_object(self._bytes[8:start], f"the header of {self.path}")
        header.pop("__metadata__", None)
        return {name: self._info(name, entry, start, size) for name, entry in header.items()}

    def _info(self, name: str, entry: object, start: int, size: int) -> TensorInfo:
        match entry:
            case {"dtype": str(dtype), "shape": list(shape), "data_offsets": [int(begin), int(end)]}:
                info = TensorInfo(dtype, tuple(shape), start + begin, start + end)
            case _:
                raise CheckpointError(f"{self.path}: the header entry of tensor {name!r} is malformed")
        if not start <= info.begin <= info.end <= size:
            raise CheckpointError(f"{self.path}: tensor {name!r} lies outside of the file")
        return info

    def read(self, name: str) -> NDArray[np.float32]:
        """The tensor as a C-contiguous float32 array: read-only and without a copy where it is stored so.

        float16 and bfloat16 are widened, which is exact. Other dtypes raise ``CheckpointError``.
        """
        info = self.tensors[name]
        stored = _FLOATS.get(info.dtype)
        if stored is None:
            raise CheckpointError(
                f"{self.path}: tensor {name!r} must be one of {', '.join(_FLOATS)}, got {info.dtype}"
            )
        count = math.prod(info.shape)
        if count * stored.itemsize != info.end - info.begin:
            raise CheckpointError(
                f"{self.path}: tensor {name!r} of shape {info.shape} and dtype {info.dtype} must take "
                f"{count * stored.itemsize} bytes, got {info.end - info.begin}"
            )
        if not count:
            return np.empty(info.shape, dtype=np.float32)
        flat = np.frombuffer(self._bytes, dtype=stored, count=count, offset=info.begin)
        wide: NDArray[np.float32]
        if info.dtype == "BF16":
            wide = np.left_shift(flat, 16, dtype=np.uint32).view(np.float32)
        else:
            wide = flat.astype(np.float32, copy=False)
        if not wide.flags.aligned:  # a header of odd length shifts all that follows
            wide = wide.copy()
        return wide.reshape(info.shape)

    def is_mapped(self, name: str) -> bool:
        """Whether `read` gives a view: a float32 tensor that is aligned in the file."""
        info = self.tensors[name]
        return info.dtype == "F32" and info.begin % np.dtype(np.float32).alignment == 0


def _validate(path: Path) -> None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np"):
            pass
    except SafetensorError as error:
        raise CheckpointError(f"{path} is not a usable safetensors file: {error}") from None
    except FileNotFoundError:
        raise CheckpointError(f"{path} is missing") from None
