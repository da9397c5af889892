"""JSON files of a checkpoint, read with limits and one kind of error."""

from __future__ import annotations

import json
import re
from pathlib import Path

from ..errors import CheckpointError
from ..shown import clipped, shown
from .files import read_bytes

__all__ = [
    "CONFIG_BYTES",
    "INDEX_BYTES",
    "TOKENIZER_CONFIG_BYTES",
    "parse_json_object",
    "read_json",
    "read_json_object",
]

MIB = 1 << 20
# The largest files of their kind that are in use have 60 KB, 1.2 MB (Gemma's) and 2 MB.
CONFIG_BYTES = MIB
TOKENIZER_CONFIG_BYTES = 4 * MIB
INDEX_BYTES = 8 * MIB
# Each list or object takes some 70 bytes of memory for two in the file, each number 40: a limit of bytes alone
# would allow a file to take twenty times its size.
_MAX_CONTAINERS = 200_000
_MAX_VALUES = 1_000_000
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {shown(twice)} occurs twice in one object")
    return values


def _parse(data: bytes, source: str) -> object:
    containers, values = data.count(b"[") + data.count(b"{"), data.count(b",")
    if containers > _MAX_CONTAINERS or values > _MAX_VALUES:
        raise CheckpointError(
            f"{source} has too many values: no model has {_MAX_CONTAINERS:,} lists or {_MAX_VALUES:,} values"
        )
    try:
        text = data.decode("utf-8")
        value: object = json.loads(text, object_pairs_hook=_unique)
        if _SURROGATE.search(
            text
        ):  # halves of a pair come together as one character, a lone one stands for none
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except RecursionError:
        raise CheckpointError(f"{source} is not usable: its JSON is nested too deeply") from None
    except UnicodeEncodeError:
        raise CheckpointError(f"{source} is not usable: it has half of a surrogate pair") from None
    except ValueError as error:  # also of integers with more digits than Python reads
        raise CheckpointError(f"{source} is not valid JSON: {clipped(str(error), 300)}") from None
    return value


def read_json(path: Path, limit: int = CONFIG_BYTES) -> object:
    """The value stored in a JSON file.

    Raises ``CheckpointError`` when the file is missing, no regular file, larger than ``limit`` bytes, not
    JSON in UTF-8, or has a key twice.
    """
    return _parse(read_bytes(path, limit), str(path))


def read_json_object(path: Path, limit: int = CONFIG_BYTES) -> dict[str, object]:
    """As `read_json`, for a file that must hold an object."""
    return _as_object(read_json(path, limit), str(path))


def parse_json_object(data: bytes, source: str) -> dict[str, object]:
    """An object from bytes; ``source`` names them in errors."""
    return _as_object(_parse(data, source), source)


def _as_object(value: object, source: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise CheckpointError(f"{source} must hold a JSON object, got {type(value).__name__}")
    return value
