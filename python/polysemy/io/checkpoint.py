"""The weights of a checkpoint folder: one safetensors file, or several with an index."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath

from ..errors import CheckpointError, UnsupportedModelError
from ..shown import shown
from .files import is_there
from .jsonfile import INDEX_BYTES, read_json_object
from .pieces import Wanted
from .safetensors import SafetensorsFile
from .tensor import StoredTensor

__all__ = ["INDEX_FILE", "WEIGHTS_FILE", "Checkpoint"]

WEIGHTS_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"
_MOST_SHARDS = 256  # each is an open file while a model loads
_LONGEST_NAME = 200  # characters; file systems end at 255 bytes
# Pickles: reading one can run any code, so they are never opened.
_PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json")


class Checkpoint:
    """Names and shapes of all stored tensors, and access to each.

    ``mapped`` maps the files, see `SafetensorsFile`. They are open until `load` or `close`; ``with`` closes them, too.
    Raises ``CheckpointError`` when the folder has no weights or when they are damaged, and
    ``UnsupportedModelError`` when they exist only in a format that can run code.
    """

    __slots__ = ("_files", "_places", "folder")

    def __init__(self, folder: Path, *, mapped: bool = False) -> None:
        self.folder = folder
        self._files: list[SafetensorsFile] = []
        self._places: Mapping[str, SafetensorsFile]
        try:
            if is_there(folder / WEIGHTS_FILE):
                file = self._open(WEIGHTS_FILE, mapped)
                self._places = dict.fromkeys(file.tensors, file)
            elif is_there(folder / INDEX_FILE):
                self._places = self._open_shards(mapped)
            else:
                raise _no_weights(folder)
        except BaseException:
            self.close()
            raise

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Stored name -> shape."""
        return {name: file.tensors[name].shape for name, file in self._places.items()}

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self._files)

    def __enter__(self) -> Checkpoint:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the files. What is kept stays."""
        for file in self._files:
            file.close()

    def load(self, wanted: Wanted, sha256: str | None = None) -> None:
        """Read what is wanted, file by file, and close the files.

        With ``sha256`` the bytes that were read must be those of one file with this hash; without it every
        value must be finite. Raises ``CheckpointError`` when they are not: what was passed on must not be used then.
        """
        with self:
            try:
                for file in self._files:
                    found = file.load(wanted, hashed=sha256 is not None)
                    if found != sha256:
                        raise CheckpointError(
                            f"{file.path} is not the published file: its sha256 must be {sha256}, got {found}"
                        )
            finally:
                wanted.busy.set()

    def read(self, name: str) -> StoredTensor:
        """The tensor stored under this name, which was kept, see `SafetensorsFile.read`."""
        return self._places[name].read(name)

    def _open(self, name: str, mapped: bool) -> SafetensorsFile:
        file = SafetensorsFile(self.folder / name, mapped=mapped)
        self._files.append(file)
        return file

    def _open_shards(self, mapped: bool) -> dict[str, SafetensorsFile]:
        index = self.folder / INDEX_FILE
        weight_map = read_json_object(index, INDEX_BYTES).get("weight_map")
        if not isinstance(weight_map, dict) or not weight_map:
            raise CheckpointError(f"{index} must have a non-empty object 'weight_map'")
        shards: dict[str, SafetensorsFile] = {}
        files: dict[str, SafetensorsFile] = {}
        for name, shard in weight_map.items():
            if not isinstance(shard, str) or not _is_plain_name(shard):
                raise CheckpointError(
                    f"{index}: the shard of {shown(name)} must be the plain name of a .safetensors file in the same "
                    f"folder, got {shown(shard)}"
                )
            if shard not in shards:
                if len(shards) == _MOST_SHARDS:
                    raise CheckpointError(f"{index} names more than {_MOST_SHARDS} files")
                shards[shard] = self._open(shard, mapped)
            if name not in shards[shard].tensors:
                raise CheckpointError(f"{index}: tensor {shown(name)} is not in {shard}")
            files[name] = shards[shard]
        for shard, opened in shards.items():
            unlisted = [name for name in opened.tensors if weight_map.get(name) != shard]
            if unlisted:
                raise CheckpointError(
                    f"{index}: {shard} holds tensors that the index does not list: {shown(unlisted[:5])}"
                )
        return files


def _is_plain_name(shard: str) -> bool:
    # Both path dialects, so that a checkpoint means the same on every system.
    plain = PurePosixPath(shard).name == shard and PureWindowsPath(shard).name == shard
    return plain and len(shard) <= _LONGEST_NAME and "\0" not in shard and shard.endswith(".safetensors")


def _no_weights(folder: Path) -> CheckpointError | UnsupportedModelError:
    for name in _PICKLES:
        if is_there(folder / name):
            return UnsupportedModelError(
                f"{folder} has its weights only as {name}, a pickle, which can run code when it is read. "
                f"Convert it once to {WEIGHTS_FILE}, for example by loading it in transformers and calling "
                "save_pretrained(folder, safe_serialization=True)"
            )
    return CheckpointError(f"{folder} has no weights: neither {WEIGHTS_FILE} nor {INDEX_FILE} is there")
