"""`Encoder`: text in, embeddings out."""

from __future__ import annotations

import os
import warnings
from collections.abc import Collection, Iterable, Mapping, Sequence, Sized
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .arguments import positive, switch, thread_count, whole
from .card import ModelCard
from .errors import PoolingError, TokenizerError, TruncationWarning, UnsupportedModelError
from .model.network import Network
from .model.params import count_parameters
from .model.pooling import SentenceHead, describe, pooling_modes
from .model.spec import EncoderSpec
from .output import EncoderOutput, layer_number, layer_numbers
from .progress import progress_bar
from .rows import RowSink
from .text.batch import from_encodings, split_by_tokens
from .text.check import check_text, is_ordered
from .text.chunks import text_chunks
from .text.inputs import Inputs, read_inputs
from .text.words import uses_of_word

if TYPE_CHECKING:
    from .text.tokenizer import TextTokenizer

__all__ = ["Encoder"]

Floats = NDArray[np.float32]

_PRECISIONS = ("float32",)
# Tokens of one forward pass of `encode`: enough to keep many cores busy, and at a hidden size of 1024 still
# no more than 64 MiB per buffer.
_BATCH_TOKENS = 16_384
# As good as no limit; small enough to be added to an offset.
_UNLIMITED = 1 << 48


class Encoder:
    """A transformer encoder with its tokenizer and pooling.

    Immutable after construction: any number of threads may use one encoder at the same time. Most users
    call `from_pretrained`. The constructor takes the parts: ``weights`` are float32 arrays by canonical name
    (see `polysemy.model.params`), of which the embedding tables are used where they are and must not change;
    without a ``tokenizer`` only token ids can be encoded, without a ``head`` there are no sentence embeddings.
    """

    __slots__ = ("_card", "_head", "_network", "_num_threads", "_tokenizer")

    def __init__(
        self,
        spec: EncoderSpec,
        weights: Mapping[str, Floats],
        *,
        tokenizer: TextTokenizer | None = None,
        head: SentenceHead | None = None,
        card: ModelCard | None = None,
        num_threads: int | None = None,
    ) -> None:
        self._num_threads = thread_count(num_threads, 0, "Encoder")
        self._network = Network(spec, weights)
        if head is not None:
            head.check(spec.hidden)
        self._head = head
        self._tokenizer = tokenizer
        self._card = card or ModelCard("encoder")

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
        encoder = cls(
            loaded.spec,
            loaded.weights,
            tokenizer=loaded.tokenizer,
            head=given or loaded.head,
            card=loaded.card,
            num_threads=num_threads,
        )
        loaded.verify()
        return encoder

    @property
    def spec(self) -> EncoderSpec:
        """Sizes and variants of the model."""
        return self._network.spec

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
        on a terminal, or as ``show_progress`` says. Raises `PoolingError` for a model without a pooling,
        `TokenizerError` for an encoder without a tokenizer, ``TypeError`` and ``ValueError`` for arguments.
        """
        head = self._sentence_head()
        tokenizer = self._text_tokenizer("encode")
        single = isinstance(texts, str)
        items: object = [texts] if single else texts
        if not is_ordered(items):
            kind = type(texts).__name__
            raise TypeError(f"encode: texts must be a str or an ordered iterable of str, got {kind}")
        budget = _BATCH_TOKENS
        if batch_tokens is not None:
            budget = min(positive(batch_tokens, "encode: batch_tokens"), _UNLIMITED)
        scaled = switch(normalize, "encode: normalize")
        width = self.dim
        if truncate_dim is not None:
            width = positive(truncate_dim, "encode: truncate_dim", most=self.dim)
        shown = switch(show_progress, "encode: show_progress")
        threads = thread_count(num_threads, self._num_threads, "encode")
        prompt = self._prompt(prompt_name, head)
        one_pass = head.in_one_pass(scaled, truncate_dim)
        finish = partial(head.finish, normalize=scaled, truncate_dim=truncate_dim, num_threads=threads)
        total = len(items) if isinstance(items, Sized) else None
        rows = RowSink(total, width, out, single=single, name="encode")
        lost = np.zeros(2, dtype=np.int64)
        with progress_bar(total, False if single else shown, unit="text") as bar:
            for chunk in text_chunks(items, prompt):
                encodings = tokenizer.encode(chunk, spans=False, num_threads=threads)
                lost += _losses([tokenizer.tokens_cut(encoding) for encoding in encodings])
                batch = from_encodings(encodings, self.spec.embedding.vocab)
                for first, last in split_by_tokens(batch.offsets, budget):
                    part = batch.part(first, last)
                    results = self._network.run(
                        part.ids, part.offsets, head, normalize=one_pass, num_threads=threads
                    )
                    rows.add(results.pooled if one_pass else finish(results.pooled))
                    bar.update(last - first)
        result = rows.finish()
        _warn_truncated("encode", rows.count, lost, self.max_seq_length)
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

        Texts longer than `max_seq_length` are cut, with a `TruncationWarning`. Raises ``TypeError`` or
        ``ValueError`` for inputs and layers that are none, and `TokenizerError` for texts without a tokenizer.
        """
        threads = thread_count(num_threads, self._num_threads, "forward")
        count = len(self.spec.layers)
        wanted = layer_numbers(layers, count, first=0, name="forward: layers")
        seen = layer_numbers(attentions, count, first=1, name="forward: attentions")
        read = read_inputs(inputs, self.spec, self._tokenizer)
        head = self._head if count in wanted else None
        output = self._output(read, wanted, seen, head, threads)
        if read.encodings is not None:
            _warn_truncated("forward", len(output), _losses(output.truncated), self.max_seq_length)
        return output

    def word_vectors(
        self, text: str, word: str, layer: int = -1, *, num_threads: int | None = None
    ) -> Floats:
        """The vector of each whole-word occurrence of ``word`` in ``text``, (occurrences, hidden) float32.

        The hidden states of the word's tokens after ``layer`` are averaged. ``word`` may be several words.
        Case matters exactly if it matters to the model. Raises ``ValueError`` when the word isn't there, or
        only beyond the part of the text that the model reads.
        """
        tokenizer = self._text_tokenizer("word_vectors")
        check_text(text, "word_vectors: text")
        check_text(word, "word_vectors: word")
        number = layer_number(layer, len(self.spec.layers), first=0, name="word_vectors: layer")
        threads = thread_count(num_threads, self._num_threads, "word_vectors")
        output = self._output(read_inputs(text, self.spec, tokenizer), {number}, (), None, threads)
        _warn_truncated("word_vectors", len(output), _losses(output.truncated), self.max_seq_length)
        uses = uses_of_word(
            text,
            word,
            output.spans(0),
            output.word_ids(0),
            ignore_case=tokenizer.uncased,
            cut=bool(output.truncated[0]),
            name="word_vectors: word",
        )
        states = output.hidden_state(0, number)
        means = [states[use.tokens].mean(axis=0, dtype=np.float64) for use in uses]
        return np.array(means, dtype=np.float32)

    def static_embedding(self, token: str | int) -> Floats:
        """The row of the token table, (hidden,) float32: what a token is before any context.

        ``token`` is an id, an entry of the vocabulary, or a text that is exactly one token. Raises
        ``ValueError`` for any other.
        """
        name = "static_embedding: token"
        if isinstance(token, str):
            tokenizer = self._text_tokenizer("static_embedding")
            number = tokenizer.single_token(check_text(token, name), name)
        else:
            number = whole(token, name)
        if not 0 <= number < self.spec.embedding.vocab:
            raise ValueError(f"{name} must be in 0..{self.spec.embedding.vocab - 1}, got {number}")
        return self._network.token_row(number)

    def _output(
        self,
        read: Inputs,
        layers: Collection[int],
        attentions: Collection[int],
        head: SentenceHead | None,
        threads: int,
    ) -> EncoderOutput:
        """One forward pass over all inputs. ``head`` None leaves the pooled vectors out."""
        batch, one_pass = read.batch, head is not None and head.in_one_pass()
        results = self._network.run(
            batch.ids, batch.offsets, head,
            layers=layers, attentions=attentions, normalize=one_pass, num_threads=threads,
        )  # fmt: skip
        pooled = None if head is None else results.pooled
        if pooled is not None and head is not None and not one_pass:
            pooled = head.finish(pooled, num_threads=threads)
        return EncoderOutput(
            self.spec,
            batch,
            hidden=results.hidden,
            attentions=results.attentions,
            pooled=pooled,
            tokenizer=self._tokenizer,
            encodings=read.encodings,
            truncated=read.tokens_cut,
        )

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
        prompt = self._card.prompt(name)
        if prompt and not head.include_prompt:
            raise UnsupportedModelError("encode: prompts that are left out of the pooling are not supported")
        return prompt


def _losses(tokens_cut: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
    """How many texts lost tokens, and how many tokens they lost."""
    return np.array([np.count_nonzero(tokens_cut), np.sum(tokens_cut)], dtype=np.int64)


def _warn_truncated(method: str, texts: int, lost: NDArray[np.int64], limit: int) -> None:
    """``lost`` is what `_losses` gives. Points to the caller of the method that calls this."""
    cut, tokens = lost.tolist()
    if cut:
        warnings.warn(
            f"{method}: {cut} of {texts} texts were longer than max_seq_length={limit} tokens; "
            f"{tokens} tokens were left out",
            TruncationWarning,
            stacklevel=3,
        )
