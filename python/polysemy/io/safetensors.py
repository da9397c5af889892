"""One safetensors file: its header, and the tensors that a model needs, in memory of our own.

The format is 8 bytes with the length of the header (little endian), the header (a JSON object: name ->
dtype, shape and byte range), and the data, which the ranges cover without gaps and overlaps.

The file is opened once. What is kept is read through that descriptor into private memory with the layout of
the file: ranges that nobody asks for are never touched and take none. A mapped file would save the memory of
the embedding tables and the time to read them, but it stays the file: whoever writes to it changes the vectors
of a loaded model, and whoever truncates it ends the process. So it is mapped only on request.
"""

from __future__ import annotations

import hashlib
import math
import mmap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import CheckpointError
from ..shown import shown
from .background import Following
from .files import ForeignFile, note
from .jsonfile import parse_json_object
from .tensor import StoredTensor

__all__ = ["SafetensorsFile", "TensorInfo"]

# Real headers have up to 100 bytes for each of some hundred tensors.
_MAX_HEADER = 8 << 20
_MAX_TENSORS = 10_000
_MAX_NAME = 500
_MAX_RANK = 8
_PREFIX = 8
_BLOCK = 1 << 20
_PIECE = 4 << 20
_BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
    "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32,
    "F32": 32, "F64": 64, "I64": 64, "U64": 64, "C64": 64,
}  # fmt: skip
_READ: dict[str, tuple[np.dtype[Any], Literal["float32", "float16", "bfloat16"]]] = {
    "F32": (np.dtype("<f4"), "float32"),
    "F16": (np.dtype("<f2"), "float16"),
    "BF16": (np.dtype("<u2"), "bfloat16"),
    "F64": (np.dtype("<f8"), "float32"),  # rounded: no encoder computes in float64
}


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """Place and form of a stored tensor: bytes ``begin .. end`` of the file."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


class SafetensorsFile:
    """A validated safetensors file, open until `close`.

    ``mapped=True`` maps the file instead of reading it: its pages are shared with other processes and leave
    memory when it is short, and its tensors are only as constant as the file is. Raises ``CheckpointError``
    when the file is truncated or damaged. Arrays that `read` returns outlive this object.
    """

    __slots__ = ("_data", "_file", "_head", "_read", "mapped", "path", "tensors")

    def __init__(self, path: Path, *, mapped: bool = False) -> None:
        self.path = path
        self.mapped = mapped
        self._file = ForeignFile(path)
        self._read = note(self._file)
        self._data: mmap.mmap | None = None
        try:
            self.tensors = self._read_header()
        except BaseException:
            self._file.close()
            raise

    def _read_header(self) -> dict[str, TensorInfo]:
        size = self._file.size
        if size < _PREFIX:
            raise CheckpointError(f"{self.path} is not a usable safetensors file: it has {size} bytes")
        length = int.from_bytes(self._file.read(0, _PREFIX), "little")
        start = _PREFIX + length
        if start > size:
            raise CheckpointError(f"{self.path} is truncated: its header ends at byte {start} of {size}")
        if length > _MAX_HEADER:
            raise CheckpointError(
                f"{self.path}: the header has {length:,} bytes; no model has more than {_MAX_HEADER:,}"
            )
        self._head = self._file.read(0, start)
        header = parse_json_object(self._head[_PREFIX:], f"the header of {self.path}")
        header.pop("__metadata__", None)
        if len(header) > _MAX_TENSORS:
            raise CheckpointError(
                f"{self.path} has {len(header):,} tensors; no model has more than {_MAX_TENSORS:,}"
            )
        tensors = {name: self._info(name, entry, start) for name, entry in header.items()}
        self._check_cover(tensors, start, size)
        return tensors

    def _info(self, name: str, entry: object, start: int) -> TensorInfo:
        match entry:
            case {"dtype": str(dtype), "shape": list(shape), "data_offsets": [int(begin), int(end)]} if (
                len(name) <= _MAX_NAME
                and len(shape) <= _MAX_RANK
                and dtype in _BITS
                and all(type(n) is int and 0 <= n < 1 << 62 for n in shape)
                and 0 <= begin <= end
            ):
                info = TensorInfo(dtype, tuple(shape), start + begin, start + end)
            case _:
                raise CheckpointError(
                    f"{self.path}: the header entry of tensor {shown(name)} is malformed: {shown(entry)}"
                )
        bits = math.prod(info.shape) * _BITS[dtype]
        if bits != 8 * (end - begin):
            raise CheckpointError(
                f"{self.path}: tensor {shown(name)} of shape {info.shape} and dtype {dtype} must take "
                f"{shown(-(-bits // 8))} bytes, got {end - begin}"
            )
        return info

    def _check_cover(self, tensors: dict[str, TensorInfo], start: int, size: int) -> None:
        place = start
        for name, info in sorted(tensors.items(), key=lambda item: (item[1].begin, item[1].end)):
            if info.begin != place or info.end > size:
                raise CheckpointError(
                    f"{self.path}: tensor {shown(name)} must begin at byte {place} and end by byte {size}, "
                    f"got {shown(info.begin)} to {shown(info.end)}"
                )
            place = info.end
        if place != size:
            raise CheckpointError(f"{self.path}: the tensors must end at byte {size}, got {place}")

    def load(self, names: Iterable[str]) -> None:
        """Bring the bytes of these tensors into memory, in the order of the file. Once, before `read`."""
        if self.mapped:
            try:
                self._data = mmap.mmap(self._file.descriptor, self._file.size, access=mmap.ACCESS_READ)
            except ValueError:
                raise CheckpointError(f"{self.path} became shorter while it was read") from None
            return
        for _ in self._pieces(_merged([self.tensors[name] for name in names])):
            pass

    def load_all(self) -> str:
        """Bring all tensors into memory. Gives the SHA-256 of the file, in hexadecimal: of the bytes that are used."""
        digest = hashlib.sha256(self._head)
        if self.mapped:  # read, so that hashing doesn't bring all of it into this process's memory
            self.load(())
            block = memoryview(bytearray(_BLOCK))
            for place in range(len(self._head), self._file.size, _BLOCK):
                part = block[: min(_BLOCK, self._file.size - place)]
                self._file.read_into(part, place)
                digest.update(part)
        else:  # the hash follows the reading: it takes twice as long
            following = Following(digest.update)
            try:
                for part in self._pieces([(len(self._head), self._file.size)]):
                    following.put(part)
            finally:
                following.wait()
        self._read.found(digest.hexdigest())
        return digest.hexdigest()

    def _pieces(self, ranges: Iterable[tuple[int, int]]) -> Iterator[memoryview]:
        """Read these ranges of the file to their places in new memory, a piece at a time."""
        memory = mmap.mmap(-1, self._file.size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        # Not on huge pages: they save 0.04 s where the system has some at hand, and cost 0.3 s where it has none, as in
        # a virtual machine after a large process has ended.
        view = memoryview(memory)
        for begin, end in ranges:
            for place in range(begin, end, _PIECE):
                piece = view[place : min(place + _PIECE, end)]
                self._file.read_into(piece, place)
                yield piece
        self._data = memory

    def rest(self) -> None:
        """Take the pages of a mapped file out of this process's memory until they are read again."""
        if self.mapped and self._data is not None and hasattr(mmap, "MADV_DONTNEED"):
            self._data.madvise(mmap.MADV_DONTNEED)

    def forget(self, name: str) -> None:
        """Give up the whole pages of a tensor. Arrays that are views of it are zeros afterwards, or read again."""
        info, page = self.tensors[name], mmap.PAGESIZE
        begin, end = -(-info.begin // page) * page, info.end // page * page
        if begin < end and self._data is not None and hasattr(mmap, "MADV_DONTNEED"):
            self._data.madvise(mmap.MADV_DONTNEED, begin, end - begin)

    def read(self, name: str) -> StoredTensor:
        """A tensor as it is stored, aligned: a view of the memory that `load` filled, where that is possible.

        float64 is rounded to float32. Other dtypes than floating point raise ``CheckpointError``.
        """
        info = self.tensors[name]
        if info.dtype not in _READ:
            raise CheckpointError(
                f"{self.path}: tensor {shown(name)} must be one of {', '.join(_READ)}, got {info.dtype}"
            )
        stored, dtype = _READ[info.dtype]
        flat: NDArray[Any] = np.empty(0, dtype=stored)
        if info.end > info.begin:
            assert self._data is not None
            count = (info.end - info.begin) // stored.itemsize
            flat = np.frombuffer(self._data, dtype=stored, count=count, offset=info.begin)
        if info.dtype == "F64":
            with np.errstate(over="ignore"):  # what is too large becomes infinite, which the model refuses
                flat = flat.astype(np.float32)
        if not flat.flags.aligned:  # a header of odd length shifts all that follows
            flat = flat.copy()
        flat.flags.writeable = False
        return StoredTensor(flat.reshape(info.shape), dtype)

    def close(self) -> None:
        """Close the file. What was loaded stays."""
        self._file.close()


def _merged(infos: Sequence[TensorInfo]) -> list[tuple[int, int]]:
    """The ranges of these tensors, in order, neighbours joined."""
    ranges: list[tuple[int, int]] = []
    for info in sorted(infos, key=lambda info: info.begin):
        if ranges and ranges[-1][1] == info.begin:
            ranges[-1] = (ranges[-1][0], info.end)
        else:
            ranges.append((info.begin, info.end))
    return ranges
