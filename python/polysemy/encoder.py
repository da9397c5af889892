"""`Encoder`: text in, embeddings out."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Sequence, Sized
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from . import _core
from .arguments import positive, thread_count, whole
from .card import ModelCard
from .errors import PoolingError, TokenizerError, TruncationWarning, UnsupportedModelError
from .model.params import check_shapes, count_parameters
from .model.pooling import SentenceHead, describe, pooling_modes
from .model.spec import EncoderSpec
from .output import EncoderOutput, layer_number
from .progress import progress_bar
from .rows import RowSink
from .text.batch import RaggedBatch, from_encodings, split_by_tokens
from .text.chunks import check_text, text_chunks
from .text.inputs import read_inputs
from .text.words import find_word, tokens_in

if TYPE_CHECKING:
    from .text.tokenizer import TextTokenizer

__all__ = ["Encoder"]

Floats = NDArray[np.float32]

_PRECISIONS = ("float32",)
# Tokens of one forward pass of `encode`: enough to keep many cores busy, and at a hidden size of 1024 still
# no more than 64 MiB per buffer.
_BATCH_TOKENS = 16_384


class Encoder:
    """A transformer encoder with its tokenizer and pooling.

    Immutable after construction: any number of threads may use one encoder at the same time. Most users
    call `from_pretrained`. The constructor takes the parts: ``weights`` are float32 arrays by canonical name
    (see `polysemy.model.params`); without a ``tokenizer`` only token ids can be encoded, without a
    ``head`` there are no sentence embeddings.
    """

    __slots__ = ("_card", "_engine", "_head", "_num_threads", "_spec", "_token_table", "_tokenizer")

    def __init__(
        self,
        spec: EncoderSpec,
        weights: dict[str, Floats],
        *,
        tokenizer: TextTokenizer | None = None,
        head: SentenceHead | None = None,
        card: ModelCard | None = None,
        num_threads: int | None = None,
    ) -> None:
        check_shapes(spec, {name: array.shape for name, array in weights.items()})
        self._spec = spec
        self._tokenizer = tokenizer
        self._head = head
        self._card = card or ModelCard("encoder")
        self._num_threads = thread_count(num_threads, 0, "Encoder")
        self._token_table = weights["embeddings.token"]
        self._engine = _core.Engine(spec.plain(), weights)

    @classmethod
    def from_pretrained(
        cls,
        model: str | os.PathLike[str] | None = None,
        *,
        precision: str = "float32",
        num_threads: int | None = None,
        pooling: str | Sequence[str] | None = None,
    ) -> Encoder:
        """Load a model.

        ``model`` is a folder, a Hugging Face id (from the local hub cache, or downloaded), or None for the
        default model, all-MiniLM-L6-v2. ``num_threads`` is the default of this encoder's methods; None leaves
        it to the process (see `polysemy.threads`). ``pooling`` (mean, cls, max, mean_sqrt_len, weightedmean,
        lasttoken, or several) is for models that don't say how they pool; for one that does, it replaces
        what the model says, and nothing is normalised then.

        Raises `ModelNotFoundError`, `UnsupportedModelError`, `CheckpointError` or `TokenizerError`.
        """
        if precision not in _PRECISIONS:
            raise ValueError(
                f"from_pretrained: precision must be one of {', '.join(_PRECISIONS)}, got {precision!r}"
            )
        given = None if pooling is None else SentenceHead(pooling_modes(pooling))
        thread_count(num_threads, 0, "from_pretrained")
        from .loading import load_model

        loaded = load_model(model)
        sentence, source = loaded.sentence, loaded.source
        encoder = cls(
            loaded.spec,
            loaded.weights,
            tokenizer=loaded.tokenizer,
            head=given or sentence.head,
            card=ModelCard(
                name=source.name,
                folder=str(source.folder),
                model_type=loaded.model_type,
                sha256=source.sha256,
                prompts=sentence.prompts,
                default_prompt=sentence.default_prompt,
                similarity=sentence.similarity,
            ),
            num_threads=num_threads,
        )
        if loaded.digest is not None:
            loaded.digest.verify()
        return encoder

    @property
    def spec(self) -> EncoderSpec:
        """Sizes and variants of the model."""
        return self._spec

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
        return self._spec.hidden if self._head is None else self._head.dim(self._spec.hidden)

    @property
    def max_seq_length(self) -> int:
        """Longest text in tokens, special tokens included; longer ones are cut, with a warning."""
        return self._spec.max_positions if self._tokenizer is None else self._tokenizer.max_length

    @property
    def parameters(self) -> int:
        """Number of parameters of the encoder."""
        return count_parameters(self._spec)

    def __repr__(self) -> str:
        spec = self._spec
        pooling = "none" if self._head is None else describe(self._head.modes)
        return (
            f"Encoder({self._card.name!r}, layers={spec.layers}, hidden={spec.hidden}, heads={spec.heads}, "
            f"parameters={self.parameters / 1e6:.1f}M, max_seq_length={self.max_seq_length}, "
            f"pooling={pooling})"
        )

    def encode(
        self,
        texts: str | Iterable[str],
        *,
        batch_tokens: int | None = None,
        normalize: bool | None = None,
        truncate_dim: int | None = None,
        show_progress: bool | None = None,
        num_threads: int | None = None,
        out: Floats | None = None,
        prompt_name: str | None = None,
    ) -> Floats:
        """Sentence embeddings: a str gives (dim,), a sequence or iterable of n str gives (n, dim) float32.

        Pooling and normalisation are what the model's ``modules.json`` says; ``normalize`` overrides the
        latter. ``truncate_dim`` keeps the first dimensions and normalises after that. The result does not
        depend on ``batch_tokens`` (most tokens in one forward pass, which bounds memory), on threads, or on
        the other texts. ``out`` is a C-contiguous float32 array of the shape of the result, which is filled
        and returned. ``prompt_name`` names one of the model's prompts, put before each text; None takes
        the model's default prompt, if it has one, and "" none.

        A `TruncationWarning` tells how many texts were longer than `max_seq_length`. A progress bar is shown
        on a terminal, or as ``show_progress`` says. Raises `PoolingError` for a model without a pooling.
        """
        head = self._sentence_head()
        tokenizer = self._text_tokenizer("encode")
        threads = thread_count(num_threads, self._num_threads, "encode")
        budget = positive(_BATCH_TOKENS if batch_tokens is None else batch_tokens, "encode: batch_tokens")
        width = self.dim if truncate_dim is None else positive(truncate_dim, "encode: truncate_dim")
        if width > self.dim:
            raise ValueError(f"encode: truncate_dim must be at most {self.dim}, got {width}")
        prompt = self._prompt(prompt_name, head)
        single = isinstance(texts, str)
        items: Iterable[str] = [texts] if isinstance(texts, str) else texts
        total = len(items) if isinstance(items, Sized) else None
        rows = RowSink(total, width, out, single=single, name="encode")
        lost: list[int] = []
        with progress_bar(total, False if single else show_progress, unit="text") as bar:
            for chunk in text_chunks(items, prompt):
                encodings = tokenizer.encode(chunk, spans=False)
                lost.extend(map(tokenizer.tokens_cut, encodings))
                batch = from_encodings(encodings, self._spec.vocab)
                for first, last in split_by_tokens(batch.offsets, budget):
                    pooled = self._run(batch.part(first, last), head, threads)[2]
                    rows.add(
                        head.finish(
                            pooled, normalize=normalize, truncate_dim=truncate_dim, num_threads=threads
                        )
                    )
                    bar.update(last - first)
        result = rows.finish(width)
        _warn_truncated("encode", lost, self.max_seq_length)
        return result[0] if single and out is None else result

    def forward(
        self,
        inputs: str | Sequence[object] | tuple[object, object],
        *,
        layers: Sequence[int] = (-1,),
        attentions: Sequence[int] = (),
        num_threads: int | None = None,
    ) -> EncoderOutput:
        """Hidden states of every token.

        ``inputs``: a text, a list of texts, a list of token id sequences (special tokens included, never
        cut), or a tuple ``(input_ids, attention_mask)`` of two (n, length) integer arrays, padded left or
        right. ``layers``: the hidden states wanted, 0 is the embedding output, k what layer k gives, negative
        counts from the end. ``attentions``: the layers (from 1) whose attention weights are wanted. Layers
        after the last one wanted are not computed. All results are held in memory at once, ``4 * hidden``
        bytes per token and layer.

        Texts longer than `max_seq_length` are cut, with a `TruncationWarning`.
        """
        output = self._forward(inputs, layers, attentions, num_threads, "forward")
        _warn_truncated("forward", output.truncated, self.max_seq_length)
        return output

    def word_vectors(
        self, text: str, word: str, layer: int = -1, *, num_threads: int | None = None
    ) -> Floats:
        """The vector of each whole-word occurrence of ``word`` in ``text``, (occurrences, hidden) float32.

        The hidden states of the word's tokens after ``layer`` are averaged. ``word`` may be several words.
        Case matters exactly if it matters to the model. Raises ``ValueError`` when the word isn't there, or
        only beyond the part of the text that the model reads.
        """
        check_text(text, "word_vectors: text")
        if not check_text(word, "word_vectors: word").strip():
            raise ValueError("word_vectors: word must not be empty")
        tokenizer = self._text_tokenizer("word_vectors")
        output = self._forward([text], (layer,), (), num_threads, "word_vectors")
        _warn_truncated("word_vectors", output.truncated, self.max_seq_length)
        spans = output.spans(0)
        places = find_word(text, word.strip(), spans, output.word_ids(0), ignore_case=tokenizer.uncased)
        if not places:
            raise ValueError(f"word_vectors: {word!r} is not a word of the text {_shortened(text)}")
        groups = [group for group in (tokens_in(place, spans) for place in places) if group]
        if not groups:
            raise ValueError(
                f"word_vectors: {word!r} stands only beyond the {self.max_seq_length} tokens that are read"
            )
        states = output.hidden_state(0, layer)
        means = [states[group].mean(axis=0, dtype=np.float64) for group in groups]
        return np.array(means, dtype=np.float32)

    def static_embedding(self, token: str | int) -> Floats:
        """The row of the token table, (hidden,) float32: what a token is before any context.

        ``token`` is an id, an entry of the vocabulary, or a text that is exactly one token. Raises
        ``ValueError`` for any other.
        """
        if isinstance(token, str):
            number = self._single_token(token)
        else:
            number = whole(token, "static_embedding: token")
        if not 0 <= number < self._spec.vocab:
            raise ValueError(f"static_embedding: token must be in 0..{self._spec.vocab - 1}, got {number}")
        row: Floats = np.array(self._token_table[number])
        return row

    def _single_token(self, token: str) -> int:
        tokenizer = self._text_tokenizer("static_embedding")
        number = tokenizer.id_of(token)
        if number is None:
            pieces = tokenizer.pieces(token)
            if len(pieces) != 1:
                names = [tokenizer.token_of(piece) for piece in pieces]
                raise ValueError(f"static_embedding: {token!r} is not one token but {len(pieces)}: {names}")
            number = pieces[0]
        return number

    def _forward(
        self,
        inputs: object,
        layers: Sequence[int],
        attentions: Sequence[int],
        num_threads: int | None,
        method: str,
    ) -> EncoderOutput:
        spec = self._spec
        threads = thread_count(num_threads, self._num_threads, method)
        wanted = sorted({layer_number(k, spec.layers, first=0, name=f"{method}: layers") for k in layers})
        seen = sorted(
            {layer_number(k, spec.layers, first=1, name=f"{method}: attentions") for k in attentions}
        )
        read = read_inputs(inputs, spec, self._tokenizer)
        head = self._head if spec.layers in wanted else None
        hidden, weights, pooled = self._run(read.batch, head, threads, layers=wanted, attentions=seen)
        return EncoderOutput(
            spec,
            read.batch,
            hidden=hidden,
            attentions=weights,
            pooled=None if head is None else head.finish(pooled, num_threads=threads),
            tokenizer=self._tokenizer,
            encodings=read.encodings,
            truncated=read.tokens_cut,
        )

    def _run(
        self,
        batch: RaggedBatch,
        head: SentenceHead | None,
        threads: int,
        *,
        layers: Sequence[int] = (),
        attentions: Sequence[int] = (),
    ) -> tuple[dict[int, Floats], dict[int, Floats], Floats]:
        """One forward pass: hidden states, attention weights, and pooled vectors before ``head.finish``.

        Without a head the last are empty.
        """
        last = self._spec.layers
        fused = None if head is None else head.fused()
        several = head is not None and fused is None
        result = self._engine.forward(
            batch.ids,
            batch.offsets,
            None,
            layers=sorted({*layers, last}) if several else list(layers),
            attentions=list(attentions),
            pooling=-1 if fused is None else int(fused),
            num_threads=threads,
        )
        pooled = result["pooled"]
        if pooled is None:
            empty = np.empty((len(batch), 0), dtype=np.float32)
            pooled = empty if head is None else head.pool(result["hidden"][last], batch.offsets, threads)
        return result["hidden"], result["attentions"], pooled

    def _text_tokenizer(self, method: str) -> TextTokenizer:
        if self._tokenizer is None:
            raise TokenizerError(f"{method}: this encoder has no tokenizer, it takes only token ids")
        return self._tokenizer

    def _sentence_head(self) -> SentenceHead:
        if self._head is None:
            raise PoolingError(
                f"encode: {self._card.name!r} does not say how to pool its tokens into one vector, and a "
                "wrong guess would go unnoticed; pass pooling=... to from_pretrained, or use forward for its "
                "hidden states"
            )
        return self._head

    def _prompt(self, name: str | None, head: SentenceHead) -> str:
        """The text of a prompt."""
        prompts, chosen = self._card.prompts, self._card.default_prompt if name is None else name
        if not chosen:
            return ""
        if chosen not in prompts:
            raise ValueError(f"encode: prompt_name must be one of {sorted(prompts)}, got {chosen!r}")
        if prompts[chosen] and not head.include_prompt:
            raise UnsupportedModelError("encode: prompts that are left out of the pooling are not supported")
        return prompts[chosen]


def _shortened(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _warn_truncated(method: str, lost: Sequence[int] | NDArray[np.int64], limit: int) -> None:
    """``lost``: how many tokens each text lost. Points to the caller of the method that calls this."""
    cut = int(np.count_nonzero(lost))
    if cut:
        warnings.warn(
            f"{method}: {cut} of {len(lost)} texts were longer than max_seq_length={limit} tokens; "
            f"{int(np.sum(lost))} tokens were left out",
            TruncationWarning,
            stacklevel=3,
        )
