"""`TaskModel`: all that a task reads from a checkpoint."""

from __future__ import annotations

import os

from ..arguments import positive
from ..card import ModelCard
from ..encoding.loading import load_model
from ..encoding.travel import Loaded, Origin
from ..families.config import Config
from ..io.hub import HubOptions
from ..io.sentence import SentenceFolder
from ..model.heads import Head, HeadKind
from ..model.network import Network
from ..text.tokenizer import TextTokenizer

__all__ = ["TaskModel"]


class TaskModel(Loaded):
    """A network with a head, and what stands beside them. Tasks that arrive in a process share one.

    The attributes are those of `Task`, with the same names.
    """

    __slots__ = _parts = ("_card", "_config", "_head", "_network", "_sentence", "_tokenizer")

    _card: ModelCard
    _config: Config
    _head: Head
    _network: Network
    _sentence: SentenceFolder
    _tokenizer: TextTokenizer

    @classmethod
    def from_pretrained(
        cls,
        model: str | os.PathLike[str] | None,
        *,
        kind: str,
        max_length: int | None = None,
        mmap: bool = False,
        revision: str | None = None,
        cache_folder: str | os.PathLike[str] | None = None,
        local_files_only: bool = False,
        token: str | bool | None = None,
        task: str = "from_pretrained",
    ) -> TaskModel:
        """Load a model with the head of a `HeadKind`; arguments as in `Task`, messages begin with ``task``."""
        hub = HubOptions(revision, cache_folder, local_files_only, token)
        loaded = load_model(model, precision="float32", mapped=mmap, kind=HeadKind(kind), hub=hub)
        assert loaded.head is not None  # a kind was asked for
        made = cls()
        made._origin = Origin(
            loaded.model, loaded.files, kind=kind, max_length=max_length, mmap=mmap, **hub.travelling
        )
        made._head = loaded.head
        made._network = Network(loaded.spec, loaded.weights)
        made._tokenizer = loaded.tokenizer
        if max_length is not None:
            name = f"{task}: max_length"
            longest = positive(max_length, name, most=loaded.spec.max_positions)
            made._tokenizer = loaded.tokenizer.limited(longest, name)
        made._sentence = loaded.sentence
        made._config = loaded.config
        made._card = loaded.card
        return made
