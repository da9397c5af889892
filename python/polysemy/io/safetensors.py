"""One safetensors file: its header, and the tensors that a model needs, kept or passed on.

The format is 8 bytes with the length of the header (little endian), the header (a JSON object: name ->
dtype, shape and byte range), and the data, which the ranges cover without gaps and overlaps.

The file is opened once, and what is wanted is read once through that descriptor: tensors that are kept to memory
of their own, all others piece by piece to a few small buffers, from which they are packed while they are in the
cache. A mapped file would save the memory of the embedding tables, but it stays the file: whoever writes to it
changes the vectors of a loaded model, and whoever truncates it ends the process. So it is mapped only on request.
"""

from __future__ import annotations

import hashlib
import math
import mmap
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import CheckpointError
from ..record import record
from ..shown import shown
from .background import Following
from .files import ForeignFile, note
from .jsonfile import parse_json_object
from .pieces import ROWS, Piece, Ring, Wanted, memory
from .tensor import StoredTensor

__all__ = ["SafetensorsFile", "TensorInfo"]

# Real headers have up to 100 bytes for each of some hundred tensors.
_MAX_HEADER = 8 << 20
_MAX_TENSORS = 10_000
_MAX_NAME = 500
_MAX_RANK = 8
_PREFIX = 8
# Bytes that are read at a time to a buffer: they stay in the second-level cache until they are packed.
_PIECE = 1 << 19
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


@record
class TensorInfo:
    """Place and form of a stored tensor: bytes ``begin .. end`` of the file."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


class SafetensorsFile:
    """A validated safetensors file, open until `load` or `close`.

    ``mapped=True`` maps the file instead of reading it: its pages are shared with other processes and leave
    memory when it is short, and its tensors are only as constant as the file is. Raises ``CheckpointError``
    when the file is truncated or damaged. Arrays that `read` returns outlive this object.
    """

    __slots__ = ("_file", "_head", "_kept", "_read", "mapped", "path", "tensors")

    def __init__(self, path: Path, *, mapped: bool = False) -> None:
        self.path = path
        self.mapped = mapped
        self._file = ForeignFile(path)
        self._read = note(self._file)
        self._kept: dict[str, memoryview] = {}
        try:
            self.tensors = self._read_header()
        except BaseException:
            self._file.close()
            raise

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self._file.size

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

    def load(self, wanted: Wanted, *, hashed: bool = False) -> str | None:
        """Read what is wanted in the order of the file, and close it. Once, before `read`.

        With ``hashed`` all else is read, too, and the result is the SHA-256 of the file, in hexadecimal: of the bytes
        that are used. Without it every value must be finite. Raises ``CheckpointError``.
        """
        try:
            return self._load(wanted, hashed=hashed)
        finally:
            self.close()

    def _load(self, wanted: Wanted, *, hashed: bool) -> str | None:
        if self.mapped or not hashed:
            wanted.busy.set()
        self._keep([name for name in wanted.keep if name in self.tensors])
        most = max(map(len, self._kept.values()), default=0)
        cut = [name for name in wanted.cuts if name in self.tensors]
        ring = Ring(max([_PIECE, *(self._row_bytes(name) * self._most_rows(name) for name in cut)]))
        pieces = self._pieces(wanted, ring, hashed=hashed)
        if not hashed:
            for piece in pieces:
                ring.release(piece)
            return None
        digest = hashlib.sha256(self._head)

        def follow(piece: Piece) -> None:
            try:
                digest.update(piece.data)
            finally:
                ring.release(piece)

        following = Following(follow)  # hashing takes as long as all else
        try:
            for piece in pieces:
                following.put(piece)
                if len(piece.data) >= most:  # which is hashed for long
                    wanted.busy.set()
        finally:
            following.wait()
        self._read.found(digest.hexdigest())
        return digest.hexdigest()

    def _keep(self, names: Iterable[str]) -> None:
        """Bring what is kept to where it stays, before all else.

        The largest first: whoever reads lets go of the interpreter, which the tokenizer then has until it is made, and
        as long only this one read goes on.
        """
        if self.mapped:
            try:
                whole = mmap.mmap(self._file.descriptor, self._file.size, access=mmap.ACCESS_READ)
            except ValueError:
                raise CheckpointError(f"{self.path} became shorter while it was read") from None
        infos = {name: self.tensors[name] for name in names}
        for name, info in sorted(infos.items(), key=lambda item: item[1].begin - item[1].end):
            if self.mapped:
                self._kept[name] = memoryview(whole)[info.begin : info.end]
            else:
                self._kept[name] = memory(info.end - info.begin)
                self._file.read_into(self._kept[name], info.begin)

    def _pieces(self, wanted: Wanted, ring: Ring, *, hashed: bool) -> Iterator[Piece]:
        """Every piece after it was read and used: of what is wanted, checked, or, if ``hashed``, of all the file."""
        for name, info in sorted(self.tensors.items(), key=lambda item: item[1].begin):
            kept, check = name in self._kept, not hashed
            if name in wanted.cuts:
                yield from self._passed_on(name, wanted, ring, check)
            elif kept and not self.mapped:
                yield self._checked(Piece(self._kept[name]), name, check)
            elif kept or hashed:
                # Mapped tensors are read as well: a look at their pages would bring all of them into memory.
                for place in range(info.begin, info.end, _PIECE):
                    piece = self._filled(ring.take(min(_PIECE, info.end - place)), place)
                    yield self._checked(piece, name, check)

    def _passed_on(self, name: str, wanted: Wanted, ring: Ring, check: bool) -> Iterator[Piece]:
        info, row, most = self.tensors[name], self._row_bytes(name), self._most_rows(name)
        for begin, end in pairwise(wanted.cuts[name]):
            for first in range(begin, end, most):
                count = min(most, end - first)
                piece = self._filled(ring.take(count * row), info.begin + first * row)
                self._checked(piece, name, check)
                wanted.take(name, first, self._stored(name, piece.data, (count, *info.shape[1:])))
                yield piece

    def _filled(self, piece: Piece, place: int) -> Piece:
        self._file.read_into(piece.data, place)
        return piece

    def _checked(self, piece: Piece, name: str, check: bool) -> Piece:
        if check and not self._stored(name, piece.data, (-1,)).is_finite():
            raise CheckpointError(f"{self.path}: tensor {shown(name)} has a NaN or an infinite value")
        return piece

    def _row_bytes(self, name: str) -> int:
        info = self.tensors[name]
        return (info.end - info.begin) // max(1, info.shape[0])

    def _most_rows(self, name: str) -> int:
        """Of one piece: as many times `ROWS` as `_PIECE` holds, at least one."""
        return max(1, _PIECE // max(1, ROWS * self._row_bytes(name))) * ROWS

    def read(self, name: str) -> StoredTensor:
        """A tensor that is kept, as it is stored, aligned: a view of its memory, where that is possible.

        float64 is rounded to float32. Other dtypes than floating point raise ``CheckpointError``.
        """
        return self._stored(name, self._kept[name], self.tensors[name].shape)

    def _stored(self, name: str, data: memoryview, shape: tuple[int, ...]) -> StoredTensor:
        info = self.tensors[name]
        if info.dtype not in _READ:
            raise CheckpointError(
                f"{self.path}: tensor {shown(name)} must be one of {', '.join(_READ)}, got {info.dtype}"
            )
        stored, dtype = _READ[info.dtype]
        flat: NDArray[Any] = np.frombuffer(data, dtype=stored)
        if info.dtype == "F64":
            with np.errstate(over="ignore"):  # what is too large becomes infinite, which the model refuses
                flat = flat.astype(np.float32)
        if not flat.flags.aligned:  # in a mapped file a header of odd length shifts all that follows
            flat = flat.copy()
        flat.flags.writeable = False
        return StoredTensor(flat.reshape(shape), dtype)

    def close(self) -> None:
        """Close the file. What is kept stays."""
        self._file.close()
