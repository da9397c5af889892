"""From the hub into the local cache, by way of the hub's own library.

An interrupted download leaves no model that could be taken for a whole one: weights come after everything else, and a
branch leads to its new commit only when that is complete.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import CheckpointError
from ..progress import bar_class
from .files import ForeignFile

if TYPE_CHECKING:
    from .hub import HubOptions

__all__ = ["download_snapshot"]

_WEIGHTS = "*.safetensors"
# The README states the licence, which `polysemy info` tells.
_OTHERS = ["*.json", "*.txt", "*.model", "README.md"]
_OTHER_FORMATS = ["onnx/*", "openvino/*", "*/onnx/*", "*/openvino/*"]
_SHA256 = re.compile(r"[0-9a-f]{64}")
_HASHED = 1 << 20  # bytes at a time


def download_snapshot(name: str, hub: HubOptions, *, show_progress: bool | None = None) -> Path:
    """The folder of a model's newest snapshot, of which only what is not in the cache is downloaded.

    Raises ``ImportError`` without the hub library, its errors, and ``CheckpointError`` for a file whose hash is not the
    published one; that file is deleted.
    """
    from huggingface_hub import HfApi

    api, bars = HfApi(token=hub.token), bar_class(show_progress)
    commit = api.model_info(name, revision=hub.revision).sha
    folder = Path()
    for patterns in (_OTHERS, [*_OTHERS, _WEIGHTS]):
        path = api.snapshot_download(
            name, revision=commit, cache_dir=hub.root, allow_patterns=patterns, ignore_patterns=_OTHER_FORMATS,
            tqdm_class=bars,
        )  # fmt: skip
        folder = Path(path)
    _check_hashes(folder)
    if commit != hub.revision:
        _write_ref(folder.parents[1] / "refs" / (hub.revision or "main"), str(commit))
    return folder


def _check_hashes(folder: Path) -> None:
    """Large files are links to blobs that are named by their SHA-256."""
    for link in sorted(folder.rglob(_WEIGHTS)):
        blob = link.resolve()
        if not link.is_symlink() or not _SHA256.fullmatch(blob.name):
            continue
        found = _sha256(blob)
        if found != blob.name:
            link.unlink()
            blob.unlink()
            raise CheckpointError(
                f"{link} is not the published file: its sha256 must be {blob.name}, got {found}"
            )


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    file = ForeignFile(path)
    try:
        for place in range(0, file.size, _HASHED):
            digest.update(file.read(place, min(_HASHED, file.size - place)))
    finally:
        file.close()
    return digest.hexdigest()


def _write_ref(path: Path, commit: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(commit, "ascii")
    unfinished.replace(path)
