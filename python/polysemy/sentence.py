"""`SentenceTransformer`: an `Encoder` with the signatures of sentence-transformers."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from .arguments import check_device, flag, is_one_of, positive, switch
from .compat import Comparing, refuse_unknown
from .encoding.encoder import Encoder
from .encoding.losses import Losses
from .io.modules import routes_of
from .shown import shown
from .text.check import check_text_or_pair, is_ordered, is_textual, members
from .text.inputs import read_texts
from .util.quantization import PRECISIONS, quantize_embeddings
from .util.similarity import SIMILARITIES, unit_rows
from .util.vectors import as_tensor

__all__ = ["SentenceTransformer"]

# Byte forms scale each dimension between its extremes over several vectors.
_SCALED = ("int8", "uint8")
_OUTPUTS = ("sentence_embedding", "token_embeddings")


class SentenceTransformer(Comparing):
    """Sentence embeddings, called as sentence-transformers' class of this name is.

    What has no meaning here is accepted where the result is the same (``batch_size``), and refused by name where it is
    not (a ``device`` that is no CPU). Results are NumPy arrays; with ``convert_to_tensor`` they are tensors, and with
    ``convert_to_numpy=False`` lists of them, if torch is installed. ``num_threads``, ``pooling`` and ``mmap`` are
    those of `Encoder.from_pretrained`.
    """

    _similarities = SIMILARITIES

    def __init__(
        self,
        model_name_or_path: str | os.PathLike[str] | None = None,
        *,
        device: object = None,
        prompts: Mapping[str, str] | None = None,
        default_prompt_name: str | None = None,
        similarity_fn_name: str | None = None,
        truncate_dim: int | None = None,
        pooling: Any = None,
        num_threads: int | None = None,
        mmap: bool = False,
        revision: str | None = None,
        cache_folder: str | os.PathLike[str] | None = None,
        local_files_only: bool = False,
        token: str | bool | None = None,
        **others: object,
    ) -> None:
        check_device(device, "SentenceTransformer")
        refuse_unknown(others, "SentenceTransformer")
        self.encoder = Encoder.from_pretrained(
            model_name_or_path, num_threads=num_threads, pooling=pooling, mmap=mmap, revision=revision,
            cache_folder=cache_folder, local_files_only=local_files_only, token=token,
        )  # fmt: skip
        card = self.encoder.card
        routes = routes_of(Path(card.folder)) if card.folder else ()
        self._routes = dict.fromkeys(routes[:1], self.encoder)  # the default one, which is loaded
        for route in routes[1:]:
            self._routes[route] = Encoder.from_pretrained(
                model_name_or_path, num_threads=num_threads, pooling=pooling, mmap=mmap, route=route,
                revision=revision, cache_folder=cache_folder, local_files_only=local_files_only, token=token,
            )  # fmt: skip
        self._take_prompts(card.prompts, card.default_prompt, prompts, default_prompt_name)
        head = self.encoder.head
        if truncate_dim is not None:
            positive(truncate_dim, "SentenceTransformer: truncate_dim")
        self.truncate_dim = head.truncate_dim if truncate_dim is None and head is not None else truncate_dim
        self._choose_similarity(similarity_fn_name, card.similarity, "cosine")

    @property
    def max_seq_length(self) -> int:
        """Longest text in tokens, special tokens included."""
        return self.encoder.max_seq_length

    @max_seq_length.setter
    def max_seq_length(self, length: int) -> None:
        resized = {id(e): e.with_max_seq_length(length) for e in {self.encoder, *self._routes.values()}}
        self.encoder = resized[id(self.encoder)]
        self._routes = {route: resized[id(encoder)] for route, encoder in self._routes.items()}

    def get_sentence_embedding_dimension(self) -> int:
        """Length of a vector."""
        head, hidden = self.encoder.head, self.encoder.spec.hidden
        width = hidden if head is None else head.width(hidden)
        return min(width, self.truncate_dim or width)

    get_embedding_dimension = get_sentence_embedding_dimension

    def encode(
        self,
        inputs: Any = None,
        prompt_name: str | None = None,
        prompt: str | None = None,
        batch_size: int = 32,
        show_progress_bar: bool | None = None,
        output_value: str | None = "sentence_embedding",
        precision: str | None = "float32",
        convert_to_numpy: bool = True,
        convert_to_tensor: bool = False,
        device: object = None,
        normalize_embeddings: bool = False,
        truncate_dim: int | None = None,
        *,
        sentences: Any = None,
        task: str | None = None,
        **others: object,
    ) -> Any:
        """Vectors of texts, (n, dim), of a text alone (dim,).

        ``prompt``, a text, or the one that ``prompt_name`` names is put before each text. ``truncate_dim`` keeps the
        first dimensions, ``normalize_embeddings`` scales to length 1 after that. ``precision`` is that of the output:
        float32, int8, uint8, binary, ubinary, as `quantize_embeddings` makes them. ``output_value`` "token_embeddings"
        gives an array (tokens, hidden) for each text, to which ``truncate_dim`` and ``normalize_embeddings`` don't
        apply.
        """
        check_device(device, "encode")
        refuse_unknown(others, "encode")
        positive(batch_size, "encode: batch_size")
        texts, single = _texts(self._given(inputs, sentences), "encode: inputs")
        precision = "float32" if precision is None else precision
        if not is_one_of(precision, PRECISIONS):
            raise ValueError(
                f"encode: precision must be one of {', '.join(PRECISIONS)}, got {shown(precision)}"
            )
        if not is_one_of(output_value, _OUTPUTS):
            raise ValueError(
                f"encode: output_value must be one of {', '.join(_OUTPUTS)}, got {shown(output_value)}"
            )
        before = self._prompt(prompt, prompt_name, "encode")
        encoder = self._routed(task)
        if output_value == "token_embeddings":
            if precision != "float32":
                raise ValueError(
                    f"encode: precision must be 'float32' for token_embeddings, got {precision!r}"
                )
            states = _token_embeddings(encoder, texts, before)
            if convert_to_tensor or not convert_to_numpy:
                states = [as_tensor(state, "encode: convert_to_tensor") for state in states]
            return states[0] if single else states
        head = encoder.head
        vectors = encoder.encode(
            texts, prompt=before, truncate_dim=None if head is None else head.width(encoder.spec.hidden),
            show_progress=bool(switch(show_progress_bar, "encode: show_progress_bar")),
        )  # fmt: skip
        width = self.truncate_dim if truncate_dim is None else truncate_dim
        if width is not None:
            vectors = np.ascontiguousarray(vectors[:, : positive(width, "encode: truncate_dim")])
        if flag(normalize_embeddings, "encode: normalize_embeddings"):
            vectors = unit_rows(vectors)
        result: Any = vectors
        if precision in _SCALED and len(vectors) == 1:
            raise ValueError(
                f"encode: precision must be float32, binary or ubinary for one text, got {precision!r}: its steps come "
                "from several vectors; quantize_embeddings takes ranges"
            )
        if precision != "float32":
            result = quantize_embeddings(vectors, precision)
        if single:
            result = result[0]
        if convert_to_tensor:
            return as_tensor(result, "encode: convert_to_tensor")
        if not convert_to_numpy:
            made = as_tensor(result, "encode: convert_to_numpy=False")
            return made if single else list(made)
        return result

    def similarity(self, embeddings1: Any, embeddings2: Any) -> Any:
        """Similarities of all vectors of one list with all of the other, (n, m) float32."""
        return SIMILARITIES[self._similarity][0](embeddings1, embeddings2)

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any) -> Any:
        """The similarity of each vector with that in its place, (n,) float32."""
        return SIMILARITIES[self._similarity][1](embeddings1, embeddings2)

    @contextmanager
    def truncate_embeddings(self, truncate_dim: int | None) -> Iterator[None]:
        """Within this context vectors have so many dimensions."""
        before, self.truncate_dim = self.truncate_dim, truncate_dim
        try:
            yield
        finally:
            self.truncate_dim = before

    truncate_sentence_embeddings = truncate_embeddings

    def tokenize(self, texts: Any) -> dict[str, Any]:
        """The ids of texts as a padded array ``input_ids``, (n, longest) int64, with an ``attention_mask``."""
        tokenizer = self.encoder.tokenizer
        assert tokenizer is not None  # it was loaded from a folder
        given, _ = _texts(texts, "tokenize: texts")
        texts = [check_text_or_pair(text, f"tokenize: texts[{i}]") for i, text in enumerate(given)]
        read = read_texts(texts, self.encoder.spec, tokenizer, spans=False)
        offsets = read.batch.offsets
        mask = (np.arange(int(np.diff(offsets).max(initial=0))) < np.diff(offsets)[:, None]).astype(np.int64)
        padded = np.full_like(mask, tokenizer.roles.get("pad_token", 0))
        padded[mask == 1] = read.batch.ids
        Losses(read.tokens_cut).warn("tokenize", self.max_seq_length)
        return {"input_ids": padded, "attention_mask": mask}

    def _routed(self, task: str | None) -> Encoder:
        if task is None or not self._routes:
            return self.encoder
        if not is_one_of(task, self._routes):
            raise ValueError(f"encode: task must be one of {sorted(self._routes)}, got {shown(task)}")
        return self._routes[task]

    def __repr__(self) -> str:
        return f"SentenceTransformer({self.encoder!r})"


def _token_embeddings(encoder: Encoder, texts: list[Any], prompt: str) -> list[Any]:
    given = [prompt + text if isinstance(text, str) else (prompt + text[0], text[1]) for text in texts]
    return [text.hidden_states for text in encoder.forward(given)] if given else []


def _texts(inputs: Any, name: str) -> tuple[list[Any], bool]:
    """Texts and pairs of them, which may be lists, and whether it was one text."""
    if isinstance(inputs, str):
        return [inputs], True
    if not is_ordered(inputs):
        raise TypeError(f"{name} must be a str or a list of str, got {type(inputs).__name__}")
    texts = [tuple(item) if isinstance(item, list) else item for item in members(inputs)]
    texts = [str(item) if isinstance(item, np.str_) else item for item in texts]
    for i, text in enumerate(texts):
        if not is_textual(text):
            raise TypeError(f"{name}[{i}] must be a str, got {type(text).__name__}")
    return texts, False
