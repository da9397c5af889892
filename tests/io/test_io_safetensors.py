"""One safetensors file: exact values in memory of our own, and one clear error for every kind of damage."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import struct
import threading
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from polysemy.errors import CheckpointError
from polysemy.io import safetensors
from polysemy.io.checkpoint import Checkpoint
from polysemy.io.pieces import ROWS, Ring, Wanted
from polysemy.io.safetensors import SafetensorsFile
from polysemy.io.tensor import StoredTensor
from safetensors.numpy import save_file


def raw(path: Path, header: object, data: bytes) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def entry(dtype: str, shape: list[int], begin: int, end: int) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def loaded(path: Path, name: str) -> StoredTensor:
    file = SafetensorsFile(path)
    file.load(Wanted([name]), hashed=True)  # whatever the values are
    return file.read(name)


@pytest.fixture
def good(tmp_path: Path) -> Path:
    arrays = {"a": np.arange(12, dtype=np.float32).reshape(3, 4), "b": np.array([1.5, -2], np.float32)}
    save_file(arrays, tmp_path / "good.safetensors")
    return tmp_path / "good.safetensors"


def test_values(good: Path) -> None:
    array = loaded(good, "a").data
    np.testing.assert_array_equal(array, np.arange(12).reshape(3, 4))
    assert not array.flags.writeable and array.flags.c_contiguous


def test_nothing_is_read_that_was_not_loaded(good: Path) -> None:
    file = SafetensorsFile(good)
    file.load(Wanted(["a"]))
    with pytest.raises(KeyError):
        file.read("b")


@pytest.mark.parametrize("change", ["write", "truncate", "delete"])
def test_what_was_loaded_stays(good: Path, change: str) -> None:
    file = SafetensorsFile(good)
    file.load(Wanted(["a", "b"]))
    file.close()
    if change == "delete":
        good.unlink()
    else:
        with good.open("r+b") as other:
            other.truncate(0)
            other.write(bytes(1000) if change == "write" else b"")
    np.testing.assert_array_equal(file.read("a").data, np.arange(12).reshape(3, 4))
    np.testing.assert_array_equal(file.read("b").data, [1.5, -2])


@pytest.mark.parametrize("mapped", [False, True])
def test_truncated_between_header_and_data(good: Path, mapped: bool) -> None:
    file = SafetensorsFile(good, mapped=mapped)
    os.truncate(good, good.stat().st_size - 4)
    with pytest.raises(CheckpointError, match="became shorter while it was read"):
        file.load(Wanted(["a", "b"]))


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("piece", [8, 64, 1 << 20])
@pytest.mark.parametrize("wanted", [Wanted(["a", "b"]), Wanted(["b"], {"a": [0, 3]}), Wanted([])])
def test_hash_of_all_of_the_file(
    good: Path, monkeypatch: pytest.MonkeyPatch, piece: int, mapped: bool, wanted: Wanted
) -> None:
    monkeypatch.setattr(safetensors, "_PIECE", piece)
    file = SafetensorsFile(good, mapped=mapped)
    assert file.load(wanted, hashed=True) == hashlib.sha256(good.read_bytes()).hexdigest()
    expected = {"a": np.arange(12).reshape(3, 4), "b": [1.5, -2]}
    for name in wanted.keep:
        np.testing.assert_array_equal(file.read(name).data, expected[name])


@pytest.mark.parametrize("mapped", [False, True])
def test_truncated_while_it_is_hashed(good: Path, mapped: bool) -> None:
    file, threads = SafetensorsFile(good, mapped=mapped), threading.active_count()
    os.truncate(good, good.stat().st_size - 4)
    with pytest.raises(CheckpointError, match="became shorter while it was read"):
        file.load(Wanted([]), hashed=True)
    assert threading.active_count() == threads


@pytest.mark.parametrize("sha256", [None, "", "0" * 64])
@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("keep", [["a"], []])
def test_whoever_waits_for_a_busy_time_goes_on(
    good: Path, mapped: bool, sha256: str | None, keep: list[str]
) -> None:
    """Also where nothing is kept, and where the file is not the one that was meant."""
    path = good.rename(good.with_name("model.safetensors"))
    wanted = Wanted(keep)
    with contextlib.suppress(CheckpointError):
        Checkpoint(path.parent, mapped=mapped).load(
            wanted, hashlib.sha256(path.read_bytes()).hexdigest() if sha256 == "" else sha256
        )
    assert wanted.busy.is_set()


CUTS = {"a": [0, 40, 80, 203], "b": [0, 5]}


@pytest.mark.parametrize("hashed", [False, True])
@pytest.mark.parametrize("piece", [8, 1000, 1 << 20])
@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.float64])
def test_what_is_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: type, piece: int, hashed: bool
) -> None:
    """Every row once, in order, in pieces of whole panels that cross no cut; buffers are used again."""
    monkeypatch.setattr(safetensors, "_PIECE", piece)
    arrays = {"a": np.arange(203 * 7, dtype=dtype).reshape(203, 7), "b": np.arange(5, dtype=dtype)}
    save_file(arrays, tmp_path / "m.safetensors")
    got: dict[str, list[NDArray[np.float32]]] = {"a": [], "b": []}

    def take(name: str, first: int, rows: StoredTensor) -> None:
        last = first + len(rows.data)
        assert first == sum(map(len, got[name])) and len(rows.data) > 0
        begin, end = max(c for c in CUTS[name] if c <= first), min(c for c in CUTS[name] if c > first)
        assert last <= end and ((last - first) % ROWS == 0 or last == end) and (first - begin) % ROWS == 0
        got[name].append(rows.float32().copy())

    SafetensorsFile(tmp_path / "m.safetensors").load(Wanted([], CUTS, take), hashed=hashed)
    for name, array in arrays.items():
        np.testing.assert_array_equal(np.concatenate(got[name]), array.astype(np.float32))
    assert (len(got["a"]) > 3) == (piece < 1 << 20)


def test_buffers_are_used_again() -> None:
    """As many as are in use, and a few that are left over."""
    ring = Ring(100)
    pieces = [ring.take(60) for _ in range(8)]
    assert len({id(piece.buffer) for piece in pieces}) == 8
    assert {len(piece.data) for piece in pieces} == {60}
    buffers = {id(piece.buffer) for piece in pieces}
    for piece in pieces:
        ring.release(piece)
    again = [ring.take(100) for _ in range(8)]  # the first ones are alive all the time, so that ids tell
    assert 1 <= len({id(piece.buffer) for piece in again} & buffers) < 8


@pytest.mark.parametrize("hashed", [False, True])
def test_an_error_of_who_takes_ends_the_reading(good: Path, hashed: bool) -> None:
    def take(name: str, first: int, rows: StoredTensor) -> None:
        raise MemoryError(name)

    threads = threading.active_count()
    with pytest.raises(MemoryError, match="a"):
        SafetensorsFile(good).load(Wanted([], {"a": [0, 3]}, take), hashed=hashed)
    assert threading.active_count() == threads


@pytest.mark.parametrize("keep", [False, True])
def test_what_is_read_must_be_finite(tmp_path: Path, keep: bool) -> None:
    save_file({"a": np.array([[1.0, np.inf]], np.float32), "b": np.ones(3)}, tmp_path / "m.safetensors")
    wanted = Wanted(["a"]) if keep else Wanted([], {"a": [0, 1]}, lambda *piece: pytest.fail("taken"))
    with pytest.raises(CheckpointError, match="tensor 'a' has a NaN or an infinite value"):
        SafetensorsFile(tmp_path / "m.safetensors").load(wanted)


def test_another_file_under_the_name(good: Path) -> None:
    """One descriptor serves the header and the data."""
    file = SafetensorsFile(good)
    good.unlink()
    good.write_bytes(bytes(1000))
    file.load(Wanted(["a"]))
    np.testing.assert_array_equal(file.read("a").data, np.arange(12).reshape(3, 4))


def test_mapped(good: Path) -> None:
    file = SafetensorsFile(good, mapped=True)
    file.load(Wanted(["a", "b"]))
    with good.open("r+b") as other:
        other.seek(-4, 2)
        other.write(np.float32(7).tobytes())
    np.testing.assert_array_equal(file.read("b").data[-1], 7)  # it is the file, that is the bargain


def test_what_nobody_wants_takes_no_memory(tmp_path: Path) -> None:
    count = 16 << 20
    save_file({"a": np.ones(count, np.float32), "b": np.ones(8, np.float32)}, tmp_path / "m.safetensors")
    file = SafetensorsFile(tmp_path / "m.safetensors")

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    before = resident()
    file.load(Wanted(["b"]))
    assert file.read("b").data.sum() == 8
    assert resident() - before < 4 * count / 4


@pytest.mark.parametrize("padding", range(8))
def test_a_shifted_header_still_gives_aligned_arrays(tmp_path: Path, padding: int) -> None:
    values = np.arange(5, dtype=np.float32)
    text = json.dumps({"x": entry("F32", [5], 0, 20)}).encode() + b" " * padding
    array = loaded(raw(tmp_path / "m.safetensors", text, values.tobytes()), "x").data
    assert array.flags.aligned and array.dtype == np.float32
    np.testing.assert_array_equal(array, values)


def test_every_bfloat16(tmp_path: Path) -> None:
    bits = np.arange(1 << 16, dtype=np.uint16)
    path = raw(tmp_path / "m.safetensors", {"x": entry("BF16", [256, 256], 0, 1 << 17)}, bits.tobytes())
    stored = loaded(path, "x")
    assert stored.dtype == "bfloat16" and stored.data.dtype == np.uint16 and stored.shape == (256, 256)
    got = stored.float32().reshape(-1).view(np.uint32)
    np.testing.assert_array_equal(got, bits.astype(np.uint32) << 16)


def test_every_float16(tmp_path: Path) -> None:
    values = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    path = raw(tmp_path / "m.safetensors", {"x": entry("F16", [1 << 16], 0, 1 << 17)}, values.tobytes())
    stored = loaded(path, "x")
    assert stored.dtype == "float16" and stored.data.dtype == np.float16
    np.testing.assert_array_equal(stored.float32(), values.astype(np.float32))


def test_float64_is_rounded(tmp_path: Path) -> None:
    values = np.array([1 / 3, -1e-300, 1e300, 2.0**-149], np.float64)
    path = raw(tmp_path / "m.safetensors", {"x": entry("F64", [4], 0, 32)}, values.tobytes())
    stored = loaded(path, "x")
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(stored.data, values.astype(np.float32))
    assert stored.dtype == "float32" and not stored.is_finite()


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("bad", [np.nan, -np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite(dtype: Literal["float32", "float16", "bfloat16"], bad: float) -> None:
    """At every place of a vector, and at the ends of what is checked in one step."""
    for size in (1, 17, (1 << 17) + 1):
        values = np.full(size, 3e4, np.float32)
        for place in {0, size // 2, size - 1}:
            broken = values.copy()
            broken[place] = bad
            assert not as_stored(broken, dtype).is_finite()
        assert as_stored(values, dtype).is_finite()


def as_stored(values: NDArray[np.float32], dtype: Literal["float32", "float16", "bfloat16"]) -> StoredTensor:
    if dtype == "bfloat16":
        return StoredTensor((values.view(np.uint32) >> 16).astype(np.uint16), dtype)
    return StoredTensor(values.astype(dtype), dtype)


def test_large_values_are_finite() -> None:
    """Their sum is not."""
    assert StoredTensor(np.full(100, 3e38, np.float32), "float32").is_finite()


def test_empty_tensor(tmp_path: Path) -> None:
    path = raw(tmp_path / "m.safetensors", {"x": entry("F32", [0, 3], 0, 0)}, b"")
    assert loaded(path, "x").shape == (0, 3)


@pytest.mark.parametrize("dtype", ["I64", "BOOL", "U8"])
def test_other_dtypes_are_refused_when_read(tmp_path: Path, dtype: str) -> None:
    size = {"I64": 8, "BOOL": 1, "U8": 1}[dtype]
    path = raw(tmp_path / "m.safetensors", {"x": entry(dtype, [1], 0, size)}, bytes(size))
    with pytest.raises(CheckpointError, match=f"tensor 'x' must be one of F32, F16, BF16, F64, got {dtype}"):
        loaded(path, "x")


def test_truncated_at_every_length(good: Path, tmp_path: Path) -> None:
    data = good.read_bytes()
    for length in range(len(data)):
        path = tmp_path / "cut.safetensors"
        path.write_bytes(data[:length])
        with pytest.raises(CheckpointError, match=r"cut\.safetensors"):
            SafetensorsFile(path)


HUGE = 1 << 62


@pytest.mark.parametrize(
    ("header", "data"),
    [
        (b"", b""),
        (b"null", b""),
        (b"[]", b""),
        (b'{"x": 3}', b""),
        (b'{"x":' * 5000, b""),
        (b"\xff\xfe", b""),
        ({"x": entry("F32", [2], 0, 4)}, bytes(4)),
        ({"x": entry("F32", [2], 0, 8)}, bytes(4)),
        ({"x": entry("F32", [1], 4, 8)}, bytes(8)),
        ({"x": entry("F32", [1], 4, 0)}, bytes(8)),
        ({"x": entry("F32", [-1], 0, 4)}, bytes(4)),
        ({"x": entry("F32", [HUGE, HUGE], 0, 4)}, bytes(4)),
        ({"x": entry("F32", [HUGE, 4], 0, 0)}, b""),
        ({"x": entry("F99", [1], 0, 4)}, bytes(4)),
        ({"x": entry("F32", [1], 0, HUGE)}, bytes(4)),
        ({"x": entry("F32", [1], 0, 4), "y": entry("F32", [1], 0, 4)}, bytes(4)),
        ({"x": entry("F32", [1], 0, 4), "y": entry("F32", [1], 8, 12)}, bytes(12)),
        ({"x": entry("F32", [1], 0, 4)}, bytes(8)),
        ({"x": entry("F32", [True], 0, 4)}, bytes(4)),
        ({"x" * 501: entry("F32", [1], 0, 4)}, bytes(4)),
        ({"x": entry("F32", [1] * 9, 0, 4)}, bytes(4)),
        ({"x": entry("F4", [1], 0, 1)}, bytes(1)),
        (b'{"x": {"dtype": "F32", "shape": [1], "data_offsets": [0, ' + b"4" * 5000 + b"]}}", bytes(4)),
        (b'{"x": 1, "x": 1}', b""),
    ],
)
def test_damaged(tmp_path: Path, header: object, data: bytes) -> None:
    with pytest.raises(CheckpointError, match=r"m\.safetensors"):
        SafetensorsFile(raw(tmp_path / "m.safetensors", header, data))


def test_header_length_beyond_the_file(tmp_path: Path) -> None:
    for length in (1, 100, 1 << 30, (1 << 64) - 1):
        (tmp_path / "m.safetensors").write_bytes(struct.pack("<Q", length))
        with pytest.raises(CheckpointError, match=r"m\.safetensors"):
            SafetensorsFile(tmp_path / "m.safetensors")


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"m\.safetensors is missing"):
        SafetensorsFile(tmp_path / "m.safetensors")


def test_a_header_that_no_model_has(tmp_path: Path) -> None:
    """Its size alone is refused: it is not read."""
    with (tmp_path / "m.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", 9 << 20))
        file.truncate(100 << 20)
    with pytest.raises(CheckpointError, match="no model has more than 8,388,608"):
        SafetensorsFile(tmp_path / "m.safetensors")
