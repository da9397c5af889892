"""Texts, one per line."""

from __future__ import annotations

import re
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

__all__ = ["open_texts"]

# The byte order mark that some programs put in front of UTF-8.
_MARK = b"\xef\xbb\xbf"
# Files whose lines are no texts, by ending and by first bytes.
_RECORDS = {
    ".jsonl": "JSON", ".ndjson": "JSON", ".json": "JSON", ".csv": "a table", ".tsv": "a table",
    ".parquet": "a Parquet file", ".arrow": "an Arrow file", ".feather": "an Arrow file",
    ".gz": "compressed", ".zst": "compressed", ".bz2": "compressed", ".xz": "compressed", ".zip": "compressed",
}  # fmt: skip
_MAGIC = {
    b"PAR1": "a Parquet file", b"ARROW1": "an Arrow file", b"\x1f\x8b": "compressed", b"\x28\xb5\x2f\xfd": "compressed",
    b"BZh": "compressed", b"\xfd7zXZ\0": "compressed", b"PK\3\4": "compressed",
}  # fmt: skip
_HEAD = 4096
# An object's or an array's first line; a text may begin with a bracket, but hardly so.
_JSON_LINE = re.compile(rb'\s*(\{\s*("[^"\n]*"\s*:|\}|$)|\[\s*(\{\s*"|"[^"\n]*"\s*[,\]]|$))')


class _FileTexts:
    """The lines of a regular file, read as they are needed; it may be larger than memory."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with path.open("rb") as file:
            self._count = sum(1 for _ in file)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[str]:
        with self._path.open("rb") as file:
            yield from _decoded(file, str(self._path), any_lines=True)


def open_texts(name: str, *, any_lines: bool = False) -> Iterable[str]:
    """The texts of a file, or of standard input for "-", read as they are needed.

    A text ends at a line feed (a carriage return before it is dropped) or at the end of the input; other
    characters that some programs take for line ends are part of the text. The texts of a regular file are
    counted and can be read again, those of standard input and of pipes can't. Raises ``OSError``, and ``ValueError``
    for what is not UTF-8 and, unless ``any_lines``, for what is hardly texts by its ending or by how it begins: for
    what can be read only once both come on reading.
    """
    if not any_lines and (kind := _RECORDS.get(Path(name).suffix.lower())):
        raise _no_texts(name, kind)
    if name == "-":
        if sys.stdin is None:
            raise ValueError("standard input is closed")
        return _decoded(sys.stdin.buffer, "standard input", any_lines=any_lines)
    path = Path(name)
    if not stat.S_ISREG(path.stat().st_mode):
        return _closing(path.open("rb"), name, any_lines=any_lines)
    if not any_lines:
        with path.open("rb") as file:
            _refuse_records(name, file.read(_HEAD))
    return _FileTexts(path)


def _refuse_records(name: str, head: bytes) -> None:
    kind = next((kind for begins, kind in _MAGIC.items() if head.startswith(begins)), None)
    if kind is None and _JSON_LINE.match(head.removeprefix(_MARK)):
        kind = "JSON"
    if kind is not None:
        raise _no_texts(name, kind)


def _no_texts(name: str, kind: str) -> ValueError:
    return ValueError(
        f"{name}: this is {kind}, not one text per line; take the texts out of it first, or give --lines to "
        "take each line as it stands"
    )


def _closing(file: BinaryIO, name: str, *, any_lines: bool) -> Iterator[str]:
    with file:
        yield from _decoded(file, name, any_lines=any_lines)


def _decoded(file: BinaryIO, name: str, *, any_lines: bool) -> Iterator[str]:
    for number, line in enumerate(file, start=1):
        if number == 1 and not any_lines:
            _refuse_records(name, line[:_HEAD])
        text = line.removesuffix(b"\n").removesuffix(b"\r")
        if number == 1:
            text = text.removeprefix(_MARK)
        try:
            yield text.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{name}: line {number} is not UTF-8 ({error.reason} at byte {error.start})"
            ) from None
