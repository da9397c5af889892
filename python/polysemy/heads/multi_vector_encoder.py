"""`MultiVectorEncoder`: a vector for every token, as ColBERT makes them, and scores of these (late interaction)."""

from __future__ import annotations

import os
import string
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arguments import check_device, flag, is_one_of, positive, switch
from ..compat import Comparing, refuse_unknown
from ..encoding.lengths import with_length
from ..errors import CheckpointError, TokenizerError, UnsupportedModelError
from ..families.config import Config
from ..io.files import is_there
from ..io.jsonfile import read_json_object
from ..io.modules import list_modules
from ..model.heads import HeadKind
from ..model.spec import PositionBias
from ..model.steps import Normalize
from ..record import record
from ..shown import shown
from ..text.batch import RaggedBatch
from ..text.pairs import Encoded
from ..text.tokenizer import TextTokenizer
from ..util.late_interaction import MAXSIMS
from ..util.vectors import as_tensor
from .task import Part, Task

__all__ = ["MultiVectorEncoder"]

Floats = NDArray[np.float32]

_TASKS = ("query", "document")
_WIDTH = 32  # tokens of an expanded query where a folder doesn't say


@record
class _Expansion:
    """Queries are filled up with mask tokens, whose vectors count, too."""

    token: int
    length: int
    exact: bool
    """Whether longer queries are cut to ``length``."""
    attend: bool
    """Whether other tokens look at those that were added."""


@record
class _Side:
    """What is done with queries, with documents, or with a text of which neither is said."""

    tokenizer: TextTokenizer
    marked: TextTokenizer
    """The same for one token less: a marker comes first."""
    expansion: _Expansion | None = None
    skipped: frozenset[int] = frozenset()
    """Tokens that have no vector."""

    def arranged(
        self, marker: int | None, encodings: Sequence[Encoded]
    ) -> tuple[RaggedBatch, NDArray[np.int64] | None]:
        """The tokens that the model reads, and how many of each text are looked at."""
        rows: list[list[int]] = []
        seen = []
        for encoding in encodings:
            ids = encoding.ids
            if marker is not None:
                special = encoding.special_tokens_mask
                place = special.index(0) if 0 in special else min(1, len(ids))
                ids = [*ids[:place], marker, *ids[place:]]
            seen.append(max(len(ids), 1))
            if self.expansion is not None:
                ids = ids + [self.expansion.token] * (self.expansion.length - len(ids))
            rows.append(ids)
        offsets = np.cumsum([0, *map(len, rows)], dtype=np.int64)
        batch = RaggedBatch(np.array([token for ids in rows for token in ids], dtype=np.int32), offsets)
        hidden = self.expansion is not None and not self.expansion.attend
        return batch, np.minimum(seen, batch.lengths) if hidden else None


class MultiVectorEncoder(Task, Comparing):
    """A model that gives a vector for every token of a text, with the signature of sentence-transformers' class.

    Folders are those of sentence-transformers, of PyLate, and of ColBERT's authors (``artifact.metadata``).
    ``device`` may be None or "cpu". ``similarity_fn_name`` is "maxsim" or "meanmaxsim". With
    ``convert_to_numpy=False`` vectors are tensors of torch wherever a call doesn't say what they are. Raises
    `ModelNotFoundError`, `UnsupportedModelError`, `CheckpointError` or `TokenizerError`.
    """

    kind = HeadKind.VECTORS
    _similarities = MAXSIMS

    def __init__(
        self,
        model_name_or_path: str | os.PathLike[str],
        *,
        device: object = None,
        prompts: Mapping[str, str] | None = None,
        default_prompt_name: str | None = None,
        similarity_fn_name: str | None = None,
        convert_to_numpy: bool = True,
        num_threads: int | None = None,
        mmap: bool = False,
        revision: str | None = None,
        cache_folder: str | os.PathLike[str] | None = None,
        local_files_only: bool = False,
        token: str | bool | None = None,
        **others: object,
    ) -> None:
        check_device(device, "MultiVectorEncoder")
        refuse_unknown(others, "MultiVectorEncoder")
        super().__init__(
            model_name_or_path, num_threads=num_threads, mmap=mmap, revision=revision, cache_folder=cache_folder,
            local_files_only=local_files_only, token=token,
        )  # fmt: skip
        self._as_arrays = flag(convert_to_numpy, "MultiVectorEncoder: convert_to_numpy")
        self._settings = settings = _read_settings(Path(self._card.folder or ""))
        self._layers = (*self._head.layers, *((Normalize(),) if settings.normalize else ()))
        self._markers = {text: self._marker(text) for text in settings.markers.values() if text}
        saved = {
            task: text + self._card.prompts.get(task, "").removeprefix(text)
            for task, text in settings.markers.items()
        }
        self._take_prompts(
            self._card.prompts | saved, self._card.default_prompt, prompts, default_prompt_name
        )
        self._sides = {task: self._side(settings, task) for task in (None, *_TASKS)}
        self._choose_similarity(similarity_fn_name, settings.similarity, "maxsim")

    @property
    def dim(self) -> int:
        """Length of a vector."""
        widths = [layer.shape[0] for layer in self._layers if hasattr(layer, "shape")]
        return int(widths[-1]) if widths else self._network.spec.hidden

    def get_embedding_dimension(self) -> int:
        """The same as ``dim``."""
        return self.dim

    @property
    def max_seq_length(self) -> int:
        """Longest text in tokens, where the model has no other length for queries or documents. May be set."""
        return self._tokenizer.max_length

    @max_seq_length.setter
    def max_seq_length(self, length: int) -> None:
        self._tokenizer = with_length(self._tokenizer, length, self._network.spec, type(self).__name__)
        self._sides = {task: self._side(self._settings, task) for task in self._sides}

    def encode(
        self,
        inputs: object,
        prompt_name: str | None = None,
        prompt: str | None = None,
        batch_size: int = 32,
        show_progress_bar: bool | None = None,
        output_value: str = "token_embeddings",
        convert_to_numpy: bool | None = None,
        device: object = None,
        normalize_embeddings: bool = False,
        *,
        task: str | None = None,
        **others: object,
    ) -> Any:
        """An array (vectors, dim) float32 for each text in a list, of a text alone one array.

        ``task`` is "query" or "document": it decides the length, which tokens are left out and whether a query is
        filled up with mask tokens. ``prompt``, a text, or the one that ``prompt_name`` names is put before each text;
        a marker of the model, such as "[Q] ", is part of it and read as one token. ``convert_to_numpy=False`` gives
        tensors of torch; ``batch_size`` has no effect.
        """
        check_device(device, "encode")
        refuse_unknown(others, "encode")
        positive(batch_size, "encode: batch_size")
        if not is_one_of(output_value, ("token_embeddings",)):
            raise ValueError(f"encode: output_value must be 'token_embeddings', got {shown(output_value)}")
        if task is not None and not is_one_of(task, _TASKS):
            raise ValueError(f"encode: task must be one of {', '.join(_TASKS)} or None, got {shown(task)}")
        side = self._sides[task]
        scaled = flag(normalize_embeddings, "encode: normalize_embeddings")
        texts, single = self._texts(self._given(inputs), "encode")
        marker, before = self._divided(self._prompt(prompt, prompt_name, "encode"))
        parts = self._parts(
            texts, "encode", prompt=before, tokenizer=side.tokenizer if marker is None else side.marked,
            arranged=partial(side.arranged, marker),
            show_progress=bool(switch(show_progress_bar, "encode: show_progress_bar")),
        )  # fmt: skip
        vectors: list[Any] = [array for part in parts for array in self._vectors(part, side, scaled)]
        arrays = switch(convert_to_numpy, "encode: convert_to_numpy")
        if not (self._as_arrays if arrays is None else arrays):
            vectors = [as_tensor(array, "encode: convert_to_numpy=False") for array in vectors]
        return vectors[0] if single else vectors

    def similarity(self, embeddings1: Any, embeddings2: Any, **others: Any) -> Any:
        """Scores of all documents (the second) for all queries, (n, m) float32; see `polysemy.util.maxsim`."""
        return MAXSIMS[self._similarity][0](embeddings1, embeddings2, **others)

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any, **others: Any) -> Any:
        """The score of each document for the query in its place, (n,) float32."""
        return MAXSIMS[self._similarity][1](embeddings1, embeddings2, **others)

    def _vectors(self, part: Part, side: _Side, scaled: bool) -> list[Floats]:
        """Of the tokens that count, text by text."""
        counts = ~np.isin(part.batch.ids, list(side.skipped))
        rows = part.hidden[counts]
        for layer in (*self._layers, *((Normalize(),) if scaled else ())):
            rows = layer(rows, self._num_threads)
        kept = np.concatenate([[0], np.cumsum(counts)])[part.batch.offsets]
        return [rows[start:stop].copy() for start, stop in pairwise(kept)]

    def _side(self, settings: _Settings, task: str | None) -> _Side:
        """What a folder's settings mean for this tokenizer."""
        tokenizer, skipped = self._tokenizer, frozenset[int]()
        if (task or "document") in settings.skipped_tasks:
            numbers = map(tokenizer.number_of, settings.skipped)
            skipped = frozenset(number for number in numbers if number is not None)
        expansion, length = None, settings.lengths.get(task or "")
        if task == "query" and settings.expansion:
            expansion = self._expansion(settings.expansion)
            if expansion.exact or length is not None:
                length = expansion.length if expansion.exact else max(length or 0, expansion.length)
        length = min(length or tokenizer.max_length, self._network.spec.max_positions)
        marks = any(marker is not None for marker, _ in self._markers.values())
        try:
            whole = tokenizer if length == tokenizer.max_length else tokenizer.limited(length, "length")
            marked = tokenizer.limited(length - 1, "length") if marks else whole
        except ValueError:
            kind = task or "text"
            raise CheckpointError(
                f"{settings.source}: the length of a {kind} must have room for its special tokens, got {length}"
            ) from None
        return _Side(whole, marked, expansion, skipped)

    def _divided(self, prompt: str) -> tuple[int | None, str]:
        """The marker that a prompt begins with, and the text after it."""
        for text, (marker, rest) in self._markers.items():
            if marker is not None and prompt.startswith(text):
                return marker, rest + prompt[len(text) :]
        return None, prompt

    def _marker(self, text: str) -> tuple[int | None, str]:
        """The token that a text names, with or without the space after it, and what is left of the text."""
        first, _, rest = text.partition(" ")
        for token, left in ((text, ""), (first, rest)):
            number = self._tokenizer.number_of(token) if token else None
            if number is not None:
                return number, left
        return None, text

    def _expansion(self, given: Config) -> _Expansion:
        """How a query is filled up."""
        roles, most = self._tokenizer.roles, self._network.spec.max_positions
        number = roles.get("mask_token", roles.get("eos_token"))
        if given.has("token"):
            number = self._tokenizer.number_of(given.text("token"))
        if number is None:
            raise TokenizerError(f"{given.source}: the tokenizer must have the token that fills a query up")
        length = given.integer("length")
        if not 1 <= length <= most:
            raise CheckpointError(f"{given.source}: length must be in 1..{most}, got {length}")
        given.require("strategy", "fixed", "min")
        exact = given.text("strategy", "fixed") == "fixed"
        attend = given.switch("attend", False)
        biases = (layer.attention.position_bias.kind for layer in self._network.spec.layers)
        if not attend and PositionBias.DISENTANGLED in biases:
            raise UnsupportedModelError(
                f"{given.source}: attend must be true for a model with disentangled attention, got false"
            )
        return _Expansion(number, length, exact, attend)


# ---- what folders say


@record
class _Settings:
    """What a folder says, whichever of the forms it has."""

    source: str
    markers: dict[str, str]
    """By task, what is put first: as one token, if the vocabulary has it."""
    lengths: dict[str, int | None]
    expansion: Config | None
    skipped: Sequence[str]
    skipped_tasks: Sequence[str] = ("document",)
    normalize: bool = True
    """Whether vectors are scaled although no module says so."""
    similarity: str = ""


def _read_settings(folder: Path) -> _Settings:
    """Of sentence-transformers' form, of PyLate's, or of ColBERT's authors'."""
    if not is_there(folder / "modules.json"):
        return _of_the_authors(_config(folder / "artifact.metadata"))
    modules = list_modules(folder)
    masks = [path for kind, path in modules if kind == "MultiVectorMask"]
    config = _config(folder / "config_sentence_transformers.json")
    if len(masks) > 1:
        raise UnsupportedModelError(
            f"{folder}: at most one module must be a MultiVectorMask, got {len(masks)}"
        )
    if masks:
        transformer = _config(modules[0][1] / "sentence_bert_config.json")
        similarity = config.text("similarity_fn_name", "")
        return _of_modules(transformer, _config(masks[0] / "config.json"), similarity)
    if config.text("model_type", "") != "ColBERT" and not {"query_prefix", "query_length"} & {*config.fields}:
        raise UnsupportedModelError(f"{folder}: the model must give vectors of tokens, as ColBERT does")
    return _of_pylate(config)


def _of_the_authors(config: Config) -> _Settings:
    markers = {
        "query": config.text("query_token_id", "[unused0]") + " ",
        "document": config.text("doc_token_id", "[unused1]") + " ",
    }
    attend = config.switch("attend_to_mask_tokens", False)
    expansion = Config({"length": config.integer("query_maxlen", _WIDTH), "attend": attend}, config.source)
    skipped = string.punctuation if config.switch("mask_punctuation", True) else ""
    return _Settings(config.source, markers, {"document": _length(config, "doc_maxlen")}, expansion, skipped)


def _of_pylate(config: Config) -> _Settings:
    markers = {task: config.text(f"{task}_prefix", "") for task in _TASKS}
    lengths = {task: _length(config, f"{task}_length") for task in _TASKS}
    expansion = None
    if config.switch("do_query_expansion", True):
        attend = config.switch("attend_to_expansion_tokens", False)
        expansion = Config(
            {"length": config.integer("query_length", _WIDTH), "attend": attend}, config.source
        )
    words = config.texts("skiplist_words")
    skipped = string.punctuation if words is None else words
    return _Settings(config.source, markers, lengths, expansion, skipped)


def _of_modules(transformer: Config, mask: Config, similarity: str) -> _Settings:
    mask.require("keep_only_token_ids", [])
    return _Settings(
        transformer.source,
        {},
        {task: _length(transformer, f"{task}_length") for task in _TASKS},
        transformer.section("query_expansion") or None,
        mask.texts("skiplist_words") or (),
        ["document"] if not mask.has("skiplist_tasks") else mask.texts("skiplist_tasks") or (),
        normalize=False,
        similarity=similarity,
    )


def _config(path: Path) -> Config:
    return Config(read_json_object(path) if is_there(path) else {}, str(path))


def _length(config: Config, name: str) -> int | None:
    """A number of tokens, or None where the tokenizer's own holds."""
    if not config.has(name):
        return None
    value = config.integer(name)
    if value < 1:
        raise CheckpointError(f"{config.source}: {name} must be at least 1, got {value}")
    return value
