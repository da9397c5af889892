"""One safetensors file: exact values, no copies, and one clear error for every kind of damage."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from polysemy.errors import CheckpointError
from polysemy.io.safetensors import SafetensorsFile
from safetensors.numpy import save_file


def raw(path: Path, header: object, data: bytes) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def entry(dtype: str, shape: list[int], begin: int, end: int) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


@pytest.fixture
def good(tmp_path: Path) -> Path:
    arrays = {"a": np.arange(12, dtype=np.float32).reshape(3, 4), "b": np.array([1.5, -2], np.float32)}
    save_file(arrays, tmp_path / "good.safetensors")
    return tmp_path / "good.safetensors"


def test_float32_is_a_view_of_the_file(good: Path) -> None:
    file = SafetensorsFile(good)
    array = file.read("a")
    np.testing.assert_array_equal(array, np.arange(12).reshape(3, 4))
    assert not array.flags.owndata and not array.flags.writeable and array.flags.c_contiguous
    assert np.shares_memory(array, file.read("a"))


def test_views_outlive_the_file_object(good: Path) -> None:
    array = SafetensorsFile(good).read("b")
    good.unlink()
    np.testing.assert_array_equal(array, [1.5, -2])


@pytest.mark.parametrize("padding", range(8))
def test_a_shifted_header_still_gives_aligned_arrays(tmp_path: Path, padding: int) -> None:
    values = np.arange(5, dtype=np.float32)
    text = json.dumps({"x": entry("F32", [5], 0, 20)}).encode() + b" " * padding
    array = SafetensorsFile(raw(tmp_path / "m.safetensors", text, values.tobytes())).read("x")
    assert array.flags.aligned and array.dtype == np.float32
    np.testing.assert_array_equal(array, values)


def test_every_bfloat16(tmp_path: Path) -> None:
    bits = np.arange(1 << 16, dtype=np.uint16)
    path = raw(tmp_path / "m.safetensors", {"x": entry("BF16", [256, 256], 0, 1 << 17)}, bits.tobytes())
    got = SafetensorsFile(path).read("x").reshape(-1).view(np.uint32)
    np.testing.assert_array_equal(got, bits.astype(np.uint32) << 16)


def test_every_float16(tmp_path: Path) -> None:
    values = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    path = raw(tmp_path / "m.safetensors", {"x": entry("F16", [1 << 16], 0, 1 << 17)}, values.tobytes())
    np.testing.assert_array_equal(SafetensorsFile(path).read("x"), values.astype(np.float32))


def test_empty_tensor(tmp_path: Path) -> None:
    path = raw(tmp_path / "m.safetensors", {"x": entry("F32", [0, 3], 0, 0)}, b"")
    assert SafetensorsFile(path).read("x").shape == (0, 3)


@pytest.mark.parametrize("dtype", ["I64", "F64", "BOOL", "U8"])
def test_other_dtypes_are_refused_when_read(tmp_path: Path, dtype: str) -> None:
    size = {"I64": 8, "F64": 8, "BOOL": 1, "U8": 1}[dtype]
    file = SafetensorsFile(raw(tmp_path / "m.safetensors", {"x": entry(dtype, [1], 0, size)}, bytes(size)))
    with pytest.raises(CheckpointError, match=f"tensor 'x' must be one of F32, F16, BF16, got {dtype}"):
        file.read("x")


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
