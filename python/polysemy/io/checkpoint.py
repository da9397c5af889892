"""The weights of a checkpoint folder: one safetensors file, or several with an index."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np
from numpy.typing import NDArray

from ..errors import CheckpointError, UnsupportedModelError
from .jsonfile import read_json_object
from .safetensors import SafetensorsFile

__all__ = ["INDEX_FILE", "WEIGHTS_FILE", "Checkpoint"]

WEIGHTS_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"
_LONGEST_NAME = 200  # characters; file systems end at 255 bytes
# Pickles: reading one can run any code, so they are never opened.
_PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json")


class Checkpoint:
    """Names and shapes of all stored tensors, and access to each as float32.

    Raises ``CheckpointError`` when the folder has no weights or when they are damaged, and
    ``UnsupportedModelError`` when they exist only in a format that can run code.
    """

    __slots__ = ("_files", "folder")

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files: Mapping[str, SafetensorsFile]
        if (folder / WEIGHTS_FILE).is_file():
            file = SafetensorsFile(folder / WEIGHTS_FILE)
            self._files = dict.fromkeys(file.tensors, file)
        elif (folder / INDEX_FILE).is_file():
            self._files = _open_shards(folder)
        else:
            raise _no_weights(folder)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Stored name -> shape."""
        return {name: file.tensors[name].shape for name, file in self._files.items()}

    def read(self, name: str) -> NDArray[np.float32]:
        """The tensor stored under this name, see `SafetensorsFile.read`."""
        return self._files[name].read(name)

    def is_mapped(self, name: str) -> bool:
        """Whether `read` gives a view of the mapped file."""
        return self._files[name].is_mapped(name)


def _open_shards(folder: Path) -> dict[str, SafetensorsFile]:
    index = folder / INDEX_FILE
    weight_map = read_json_object(index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointError(f"{index} must have a non-empty object 'weight_map'")
    shards: dict[str, SafetensorsFile] = {}
    files: dict[str, SafetensorsFile] = {}
    for name, shard in weight_map.items():
        if not isinstance(shard, str) or not _is_plain_name(shard):
            raise CheckpointError(
                f"{index}: the shard of {name!r} must be the plain name of a .safetensors file in the same "
                f"folder, got {shard!r}"
            )
        if shard not in shards:
            shards[shard] = SafetensorsFile(folder / shard)
        if name not in shards[shard].tensors:
            raise CheckpointError(f"{index}: tensor {name!r} is not in {shard}")
        files[name] = shards[shard]
    for shard, opened in shards.items():
        unlisted = [name for name in opened.tensors if weight_map.get(name) != shard]
        if unlisted:
            raise CheckpointError(
                f"{index}: {shard} holds tensors that the index does not list: {unlisted[:5]}"
            )
    return files


def _is_plain_name(shard: str) -> bool:
    # Both path dialects, so that a checkpoint means the same on every system.
    plain = PurePosixPath(shard).name == shard and PureWindowsPath(shard).name == shard
    return plain and len(shard) <= _LONGEST_NAME and "\0" not in shard and shard.endswith(".safetensors")


def _no_weights(folder: Path) -> CheckpointError | UnsupportedModelError:
    for name in _PICKLES:
        if (folder / name).is_file():
            return UnsupportedModelError(
                f"{folder} has its weights only as {name}, a pickle, which can run code when it is read. "
                f"Convert it once to {WEIGHTS_FILE}, for example by loading it in transformers and calling "
                "save_pretrained(folder, safe_serialization=True)"
            )
    return CheckpointError(f"{folder} has no weights: neither {WEIGHTS_FILE} nor {INDEX_FILE} is there")
