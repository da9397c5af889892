"""`Encoder`: text in, embeddings out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, overload

import numpy as np
from numpy.typing import NDArray

from ..arguments import positive, switch, thread_count
from ..card import ModelCard
from ..errors import PoolingError, TokenizerError
from ..model.network import Network
from ..model.params import count_parameters
from ..model.pooling import SentenceHead, describe, pooling_modes
from ..model.precision import resolve
from ..model.spec import EncoderSpec
from ..text.check import Text
from ..text.inputs import read_inputs
from ..util.similarity import similarity_named
from .lengths import with_length
from .losses import Losses
from .output import EncoderOutput, layer_numbers
from .passes import forward_pass
from .sink import ArraySink
from .spans import SpanEncoding
from .stream import Stream, prompt_text
from .travel import Loaded, Origin
from .words import token_number, word_vectors

if TYPE_CHECKING:
    from ..text.tokenizer import TextTokenizer

__all__ = ["Encoder"]

Floats = NDArray[np.float32]
Texts = Iterable[str]
Layers = int | Sequence[int] | str


class Encoder(SpanEncoding, Loaded):
    """A transformer encoder with its tokenizer and pooling.

    Immutable after construction: any number of threads may use one encoder at the same time. Most users
    call `from_pretrained`. The constructor takes the parts: ``weights`` are float32 arrays by canonical name
    (see `polysemy.model.params`), of which the embedding tables are used where they are and must not change;
    without a ``tokenizer`` only token ids can be encoded, without a ``head`` there are no sentence embeddings.

    It can be pickled. A loaded one travels as the name of its model, a `fingerprint` and its options, and each process
    loads it once; one made of parts takes its arrays along.
    """

    __slots__ = _parts = ("_card", "_head", "_network", "_num_threads", "_plan", "_tokenizer")

    def __init__(
        self,
        spec: EncoderSpec,
        weights: Mapping[str, Floats],
        *,
        tokenizer: TextTokenizer | None = None,
        head: SentenceHead | None = None,
        card: ModelCard | None = None,
        num_threads: int | None = None,
        precision: str = "float32",
    ) -> None:
        self._num_threads = thread_count(num_threads, 0, "Encoder")
        self._network = Network(spec, weights, precision)
        if head is not None:
            head.check(spec.hidden)
        self._head = head
        self._plan = None if head is None else head.plan()
        self._tokenizer = tokenizer
        self._card = card or ModelCard("encoder")
        self._origin: Origin | None = None

    @classmethod
    def from_pretrained(
        cls,
        model: str | os.PathLike[str] | None = None,
        *,
        precision: str = "float32",
        floor: float | None = None,
        num_threads: int | None = None,
        pooling: str | Sequence[str] | None = None,
        max_seq_length: int | None = None,
        mmap: bool = False,
        route: str | None = None,
        revision: str | None = None,
        cache_folder: str | os.PathLike[str] | None = None,
        local_files_only: bool = False,
        token: str | bool | None = None,
    ) -> Encoder:
        """Load a model.

        ``model`` is a folder, a Hugging Face id (from the local hub cache, or downloaded), or None for the default
        model, all-MiniLM-L6-v2. ``precision`` is that of the matrix products: "float32", "bfloat16", "float16", "int8"
        or "int16", made from any checkpoint as it is loaded; or "auto", the fastest one for which this CPU has an
        instruction and whose sentence vectors keep a mean cosine of ``floor`` with exact ones (default: bfloat16 where
        the CPU multiplies it, else float32). ``num_threads`` is the default of this encoder's methods; None leaves it
        to the process (see `polysemy.threads`). ``pooling`` (mean, cls, max, mean_sqrt_len, weightedmean, lasttoken,
        or several) is for models that don't say how they pool; for one that does, it replaces what the model says, and
        nothing is normalised then. ``max_seq_length`` replaces the model's own, up to its number of positions, with a
        warning where it is raised. ``mmap=True`` maps the weights file instead of reading it: embedding tables are
        shared with other processes, but whoever writes to the file changes this encoder, and whoever truncates it ends
        the process. ``route`` is the way through a Router, "query" or "document" mostly; None is the model's default.
        ``revision`` is a branch, tag or commit of a Hugging Face id, ``cache_folder`` another cache,
        ``local_files_only`` forbids downloads, ``token`` is for models that need one.

        Raises `ModelNotFoundError`, `UnsupportedModelError`, `CheckpointError` or `TokenizerError`.
        """
        chosen = resolve(precision, floor)
        given = None if pooling is None else SentenceHead(pooling_modes(pooling))
        thread_count(num_threads, 0, "from_pretrained")
        from ..io.hub import HubOptions
        from .loading import load_model

        hub = HubOptions(revision, cache_folder, local_files_only, token)
        mapped = bool(switch(mmap, "from_pretrained: mmap"))
        loaded = load_model(model, precision=chosen, mapped=mapped, route=route, hub=hub)
        tokenizer = loaded.tokenizer
        if max_seq_length is not None:
            tokenizer = with_length(tokenizer, max_seq_length, loaded.spec, "from_pretrained")
        encoder = cls(
            loaded.spec,
            loaded.weights,
            tokenizer=tokenizer,
            head=given or loaded.sentence.head,
            card=loaded.card,
            num_threads=num_threads,
            precision=chosen,
        )
        modes = None if given is None else tuple(mode.value for mode in given.modes)
        encoder._origin = Origin(
            loaded.model, loaded.files, precision=chosen, num_threads=num_threads, pooling=modes, mmap=mapped,
            route=route, max_seq_length=max_seq_length, **hub.travelling,
        )  # fmt: skip
        return encoder

    @property
    def spec(self) -> EncoderSpec:
        """Sizes and variants of the model."""
        return self._network.spec

    @property
    def precision(self) -> str:
        """Precision of the matrix products."""
        return self._network.precision

    @property
    def card(self) -> ModelCard:
        """Name, place and further facts about the model."""
        return self._card

    @property
    def head(self) -> SentenceHead | None:
        """How sentence embeddings are made, or None when the model doesn't say."""
        return self._head

    @property
    def tokenizer(self) -> TextTokenizer | None:
        """The tokenizer, or None for an encoder of token ids only."""
        return self._tokenizer

    @property
    def dim(self) -> int:
        """Length of a sentence embedding; the hidden size for a model without pooling."""
        return self.spec.hidden if self._head is None else self._head.dim(self.spec.hidden)

    @property
    def max_seq_length(self) -> int:
        """Longest text in tokens, special tokens included; longer ones are cut, with a warning."""
        return self.spec.max_positions if self._tokenizer is None else self._tokenizer.max_length

    @property
    def parameters(self) -> int:
        """Number of parameters of the encoder."""
        return count_parameters(self.spec)

    def __repr__(self) -> str:
        spec = self.spec
        pooling = "none" if self._head is None else describe(self._head.modes)
        return (
            f"Encoder({self._card.name!r}, layers={len(spec.layers)}, hidden={spec.hidden}, heads={spec.heads}, "
            f"parameters={self.parameters / 1e6:.1f}M, max_seq_length={self.max_seq_length}, "
            f"pooling={pooling}, precision={self.precision})"
        )

    def encode(
        self,
        texts: str | Iterable[Text],
        *,
        batch_tokens: int | None = None,
        normalize: bool | None = None,
        truncate_dim: int | None = None,
        show_progress: bool | None = None,
        num_threads: int | None = None,
        out: Floats | None = None,
        prompt_name: str | None = None,
        prompt: str | None = None,
    ) -> Floats:
        """Sentence embeddings: a str gives (dim,), a sequence or iterable of n texts gives (n, dim) float32.

        A text is a str, or a tuple of two that the model reads as a pair; a tuple that is ``texts`` itself is a
        sequence of texts. Pooling and normalisation are what the model's ``modules.json`` says; ``normalize``
        overrides the latter. ``truncate_dim`` keeps the first dimensions and normalises after that. The result
        does not depend on ``batch_tokens`` (most tokens in one forward pass, which bounds memory), on threads,
        or on the other texts. ``out`` is a C-contiguous float32 array of the shape of the result, which is
        filled and returned. ``prompt`` is put before each text, or before the first of a pair; ``prompt_name``
        names one of the model's prompts instead. Without either it is the model's default prompt, if it has one;
        "" is no prompt.

        A `TruncationWarning` tells how many texts were longer than `max_seq_length`. A progress bar is shown
        on a terminal, or as ``show_progress`` says. Raises `PoolingError` for a model without a pooling,
        `TokenizerError` for an encoder without a tokenizer, ``TypeError`` and ``ValueError`` for arguments.
        """
        single = isinstance(texts, str)
        stream = self._stream(
            "encode", [texts] if single else texts, batch_tokens, normalize, truncate_dim, num_threads,
            prompt_name, prompt,
        )  # fmt: skip
        shown = switch(show_progress, "encode: show_progress")
        rows = ArraySink(stream.total, stream.width, out, single=single, name="encode")
        stream.pour(rows, show_progress=False if single else shown)
        result = rows.finish()
        stream.warn_of_losses()
        return result[0] if single and out is None else result

    def stream(
        self,
        texts: Iterable[Text],
        *,
        batch_tokens: int | None = None,
        normalize: bool | None = None,
        truncate_dim: int | None = None,
        num_threads: int | None = None,
        prompt_name: str | None = None,
        prompt: str | None = None,
    ) -> Stream:
        """The rows that `encode` gives, as an iterator of blocks (k, dim) float32, for results of any size.

        Texts are taken from the iterable as blocks are asked for, at most 2,048 (or about a million characters)
        at a time. Arguments are those of `encode`. Nothing warns of texts that were cut: ``losses`` of the result
        counts them.
        """
        if isinstance(texts, str):
            raise TypeError("stream: texts must be an ordered iterable of str, got str")
        return self._stream(
            "stream", texts, batch_tokens, normalize, truncate_dim, num_threads, prompt_name, prompt
        )

    def forward(
        self,
        inputs: str | Sequence[object] | tuple[object, object],
        *,
        layers: Sequence[int] | str = (-1,),
        attentions: Sequence[int] | str = (),
        projections: Sequence[int] | str = (),
        num_threads: int | None = None,
    ) -> EncoderOutput:
        """Hidden states of every token.

        ``inputs``: a text, a list of texts and of pairs (tuples of two str), a list of token id sequences
        (special tokens included, never cut), or a tuple ``(input_ids, attention_mask)`` of two (n, length)
        integer arrays, padded left or right. ``layers``: the hidden states wanted, 0 is the embedding output, k
        what layer k gives, negative counts from the end. ``attentions``: the layers (from 1) whose attention
        weights are wanted; ``projections``: those whose queries, keys and values are. "all" stands for all of them.
        Layers after the last one wanted are not computed. All results are held in memory at once, ``4 * hidden`` bytes
        per token and layer.

        Texts longer than `max_seq_length` are cut, with a `TruncationWarning`. Raises ``TypeError`` or
        ``ValueError`` for inputs and layers that are none, and `TokenizerError` for texts without a tokenizer.
        """
        threads = thread_count(num_threads, self._num_threads, "forward")
        count = len(self.spec.layers)
        wanted = layer_numbers(layers, count, first=0, name="forward: layers")
        seen = layer_numbers(attentions, count, first=1, name="forward: attentions")
        shown = layer_numbers(projections, count, first=1, name="forward: projections")
        read = read_inputs(inputs, self.spec, self._tokenizer, num_threads=threads)
        output = forward_pass(
            self._network, read, self._tokenizer, layers=wanted, attentions=seen, projections=shown,
            plan=self._plan if count in wanted else None, num_threads=threads,
        )  # fmt: skip
        if read.encodings is not None:  # ids are never cut
            Losses(output.truncated).warn("forward", self.max_seq_length)
        return output

    @overload
    def word_vectors(  # type: ignore[overload-overlap]
        self, text: str, word: str, layer: Layers = ..., *, num_threads: int | None = ...
    ) -> Floats: ...

    @overload
    def word_vectors(
        self, text: Texts, word: str, layer: Layers = ..., *, num_threads: int | None = ...
    ) -> list[Floats]: ...

    def word_vectors(
        self, text: str | Texts, word: str, layer: Layers = -1, *, num_threads: int | None = None
    ) -> Floats | list[Floats]:
        """The vector of each whole-word occurrence of ``word`` in ``text``, (occurrences, hidden) float32.

        The hidden states of the word's tokens after ``layer`` are averaged. Several layers, or "all", give
        (layers, occurrences, hidden), in their order; several texts give a list of such arrays, all of one pass.
        ``word`` may be several words. Case matters exactly if it matters to the model; canonically equivalent
        spellings are the same word. Raises ``ValueError`` when the word isn't in a text, or only beyond the part that
        the model reads.
        """
        tokenizer = self._text_tokenizer("word_vectors")
        threads = thread_count(num_threads, self._num_threads, "word_vectors")
        vectors = word_vectors(self._network, tokenizer, text, word, layer, num_threads=threads)
        return vectors[0] if isinstance(text, str) else vectors

    def similarity(self, embeddings1: object, embeddings2: object) -> Floats:
        """Similarities of all vectors (n, dim) with all of others (m, dim), (n, m) float32.

        By the measure that the model was trained for (`ModelCard.similarity`), or cosine: the greater, the more alike,
        so that distances are negated. Raises ``TypeError`` and ``ValueError`` for arguments.
        """
        result: Floats = similarity_named(self._card.similarity or "cosine", "similarity")[0](
            embeddings1, embeddings2
        )
        return result

    def with_max_seq_length(self, max_seq_length: int) -> Encoder:
        """The same encoder for texts of up to so many tokens, on the same weights.

        Warns where it is more than before, for the model may not have been trained for it. Raises ``TypeError``,
        ``ValueError`` for more than the model has positions, and `TokenizerError` for an encoder without a tokenizer.
        """
        method = "with_max_seq_length"
        made = object.__new__(type(self))
        for name in Encoder.__slots__:
            setattr(made, name, getattr(self, name))
        made._tokenizer = with_length(self._text_tokenizer(method), max_seq_length, self.spec, method)
        made._origin = None if self._origin is None else self._origin.changed(max_seq_length=max_seq_length)
        return made

    def static_embedding(self, token: str | int) -> Floats:
        """The row of the token table, (hidden,) float32: what a token is before any context.

        ``token`` is an id, an entry of the vocabulary, or a text that is exactly one token. Raises
        ``ValueError`` for any other.
        """
        tokenizer = self._text_tokenizer("static_embedding") if isinstance(token, str) else None
        return self._network.token_row(token_number(token, tokenizer, self.spec.embedding.vocab))

    def _stream(
        self,
        method: str,
        texts: object,
        batch_tokens: int | None,
        normalize: bool | None,
        truncate_dim: int | None,
        num_threads: int | None,
        prompt_name: str | None,
        prompt: str | None,
    ) -> Stream:
        head = self._sentence_head(method)
        tokenizer = self._text_tokenizer(method)
        if batch_tokens is not None:
            batch_tokens = positive(batch_tokens, f"{method}: batch_tokens")
        if truncate_dim is not None:
            whole = head.width(self.spec.hidden)
            truncate_dim = positive(truncate_dim, f"{method}: truncate_dim", most=whole)
            head = replace(head, truncate_dim=None)
            truncate_dim = None if truncate_dim == whole else truncate_dim
        before = prompt_text(self._card, method, prompt_name, prompt)
        plan = head.plan(
            normalize=switch(normalize, f"{method}: normalize"),
            truncate_dim=truncate_dim,
            skip=tokenizer.prompt_tokens(before) if before and not head.include_prompt else 0,
        )
        return Stream(
            texts,
            self._network,
            tokenizer,
            plan,
            width=truncate_dim or head.dim(self.spec.hidden),
            prompt=before,
            batch_tokens=batch_tokens,
            num_threads=thread_count(num_threads, self._num_threads, method),
            method=method,
        )

    def _text_tokenizer(self, method: str) -> TextTokenizer:
        if self._tokenizer is None:
            raise TokenizerError(f"{method}: this encoder has no tokenizer, it takes only token ids")
        return self._tokenizer

    def _sentence_head(self, method: str) -> SentenceHead:
        if self._head is None:
            raise PoolingError(
                f"{method}: {self._card.name!r} does not say how to pool its tokens into one vector, and a "
                "wrong guess would go unnoticed; pass pooling=... to from_pretrained, or use forward for its "
                "hidden states"
            )
        return self._head
