"""JSON files of a checkpoint, read with limits and one kind of error."""

from __future__ import annotations

import json
from pathlib import Path

from ..errors import CheckpointError

__all__ = ["parse_json_object", "read_json", "read_json_object"]

# The largest JSON files read here are shard indices: a few MB for the largest models that exist.
_MAX_BYTES = 64 << 20


def _parse(data: bytes, source: str) -> object:
    try:
        value: object = json.loads(data)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CheckpointError(f"{source} is not valid JSON: {error}") from None
    except RecursionError:
        raise CheckpointError(f"{source} is not usable: its JSON is nested too deeply") from None
    return value


def read_json(path: Path) -> object:
    """The value stored in a JSON file.

    Raises ``CheckpointError`` when the file is missing, too large, or not JSON.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise CheckpointError(f"{path} is missing") from None
    if len(data) > _MAX_BYTES:
        raise CheckpointError(f"{path} is larger than {_MAX_BYTES >> 20} MiB, too large for a JSON file")
    return _parse(data, str(path))


def read_json_object(path: Path) -> dict[str, object]:
    """As `read_json`, for a file that must hold an object."""
    return _as_object(read_json(path), str(path))


def parse_json_object(data: bytes, source: str) -> dict[str, object]:
    """An object from bytes; ``source`` names them in errors."""
    return _as_object(_parse(data, source), source)


def _as_object(value: object, source: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise CheckpointError(f"{source} must hold a JSON object, got {type(value).__name__}")
    return value
