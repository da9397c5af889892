"""Foreign files: every kind of thing that a name can lead to, and JSON that is larger or odder than it should be."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from polysemy.errors import CheckpointError
from polysemy.io.files import ForeignFile, read_bytes
from polysemy.io.jsonfile import CONFIG_BYTES, read_json
from polysemy.shown import MESSAGE_LENGTH, clipped, shown


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(path.parent)  # the name of a socket has at most 107 bytes
        server.bind(path.name)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "is missing"),
        (lambda path: path.symlink_to("nowhere"), "is missing"),
        (lambda path: path.symlink_to(path), "can't be read: Too many levels of symbolic links"),
        (lambda path: path.mkdir(), "is not a regular file"),
        (os.mkfifo, "is not a regular file"),
        (lambda path: path.symlink_to("/dev/zero"), "is not a regular file"),
        (lambda path: path.symlink_to("/dev/tty"), "can't be read|is not a regular file"),
        (lambda path: path.symlink_to("/proc/self/mem"), "can't be read|is not valid JSON"),
        (a_socket, "can't be read: No such device or address"),
    ],
)
def test_what_is_no_file(tmp_path: Path, make: object, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "config.json"
    make(path)  # type: ignore[operator]
    with pytest.raises(CheckpointError, match=message):
        read_json(path)


@pytest.mark.parametrize("name", ["a\0b", "a\ud800b", "x" * 300])
def test_impossible_names(tmp_path: Path, name: str) -> None:
    with pytest.raises(CheckpointError, match=r"can't be (read|the name of a file)"):
        read_bytes(tmp_path / name, 10)


def test_a_name_that_is_no_utf8(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    path.write_bytes(b"x")
    assert read_bytes(path, 1) == b"x"


def test_sizes(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"x" * 10)
    assert read_bytes(path, 10) == b"x" * 10
    with pytest.raises(CheckpointError, match="has 10 bytes; no model has more than 9"):
        read_bytes(path, 9)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', "the key 'c' occurs twice"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not valid JSON: Exceeds the limit"),
        (b'{"a": "\\ud800"}', "half of a surrogate pair"),
        (b'{"\\uDC00\\uD800": 1}', "half of a surrogate pair"),
        (b'\xef\xbb\xbf{"a": 1}', "not valid JSON"),
        ('{"a": 1}'.encode("utf-16"), "not valid JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[" + b"[]," * 210_000 + b"1]", "too many values"),
        (b'"' + b"x" * CONFIG_BYTES + b'"', "no model has more than"),
    ],
)
def test_json_that_no_model_has(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=message):
        read_json(path)


def test_a_pair_of_surrogates_is_a_character(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(b'{"a": "\\ud83d\\ude00"}')
    assert read_json(path) == {"a": "\U0001f600"}


@pytest.mark.parametrize(
    "value",
    ["x" * 10**6, ["x" * 10**6] * 10**3, {"x" * 10**6: "y" * 10**6}, 10**4000, [[[[[[1] * 999] * 99]]]]],
)
def test_a_message_never_shows_all_of_it(value: object) -> None:
    assert len(shown(value)) <= 400
    assert len(str(CheckpointError("x" * 10**6))) == MESSAGE_LENGTH


def test_the_end_of_a_message_stays() -> None:
    assert clipped("begin" + "x" * 9999 + "end", 100).startswith("begin")
    assert clipped("begin" + "x" * 9999 + "end", 100).endswith("end")
    assert shown("short") == "'short'"


def test_a_file_that_is_forgotten_is_closed(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"text")
    file = ForeignFile(tmp_path / "file")
    number = file.descriptor
    with pytest.warns(ResourceWarning, match="unclosed"):
        del file
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(number)
