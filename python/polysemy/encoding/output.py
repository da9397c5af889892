"""What `Encoder.forward` returns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..arguments import whole
from ..errors import PoolingError
from ..shown import shown
from ..text.batch import RaggedBatch
from ..text.kept import KeptEncoding, TokenNames, kept
from .view import Projections, TextOutput

if TYPE_CHECKING:
    from ..model.spec import EncoderSpec
    from ..text.pairs import Encoded
    from ..text.tokenizer import TextTokenizer

__all__ = ["EncoderOutput"]

Floats = NDArray[np.float32]


def layer_number(layer: object, layers: int, *, first: int, name: str) -> int:
    """A layer as an absolute number in ``first .. layers``; negative ones count from the end."""
    number = whole(layer, name)
    absolute = number + layers + 1 if number < 0 else number
    if not first <= absolute <= layers:
        raise ValueError(
            f"{name} must be in {first}..{layers} or -{layers + 1 - first}..-1, got {shown(number)}"
        )
    return absolute


def layer_numbers(wanted: object, layers: int, *, first: int, name: str) -> set[int]:
    """As `layer_number`, for several, or for "all"."""
    if isinstance(wanted, str):
        if wanted != "all":
            raise TypeError(f'{name} must be a sequence of int or "all", got {shown(wanted)}')
        return set(range(first, layers + 1))
    try:
        items = list(wanted)  # type: ignore[call-overload]
    except TypeError:
        raise TypeError(f'{name} must be a sequence of int or "all", got {type(wanted).__name__}') from None
    return {layer_number(layer, layers, first=first, name=f"{name}[{i}]") for i, layer in enumerate(items)}


class EncoderOutput:
    """Hidden states, attention weights, projections and sentence vectors of a batch of n texts.

    Everything of text i has as many rows as the text has tokens; there is no padding. Arrays are views of
    what was computed, not copies. A pair of texts counts as one text, its tokens follow each other as the model
    read them. ``output[i]``, or iteration, gives all of text i as a `TextOutput`.
    """

    __slots__ = (
        "__weakref__",
        "_attentions",
        "_batch",
        "_encodings",
        "_hidden",
        "_pooled",
        "_projections",
        "_spec",
        "_tokenizer",
        "_truncated",
    )

    def __init__(
        self,
        spec: EncoderSpec,
        batch: RaggedBatch,
        *,
        hidden: dict[int, Floats],
        attentions: dict[int, Floats],
        projections: dict[int, Floats],
        pooled: Floats | None,
        tokenizer: TextTokenizer | TokenNames | None,
        encodings: Sequence[Encoded | KeptEncoding] | None,
        truncated: NDArray[np.int64],
    ) -> None:
        self._spec = spec
        self._batch = batch
        self._hidden = hidden
        self._attentions = attentions
        self._projections = projections
        self._pooled = pooled
        self._tokenizer = tokenizer
        self._encodings = encodings
        self._truncated = truncated

    def __len__(self) -> int:
        """Number of texts."""
        return len(self._batch)

    def __getitem__(self, i: int) -> TextOutput:
        """Text i; negative numbers count from the end. Raises ``IndexError`` for one that is not there."""
        return TextOutput(self, self._number(i))

    def __reduce__(self) -> tuple[Any, ...]:
        """Goes to other processes with everything that was computed, but not with the tokenizer."""
        return _remade, (self._parts(0, len(self)),)

    def only(self, i: int) -> EncoderOutput:
        """An output of its own with a copy of all that there is of text i."""
        number = self._number(i)
        return _remade(self._parts(number, number + 1))

    def _parts(self, first: int, last: int) -> dict[str, Any]:
        """The arguments of an output of texts ``first .. last - 1``: plain values and copies of arrays."""
        part = self._batch.part(first, last)
        types = None if part.types is None else part.types.copy()
        batch = RaggedBatch(part.ids.copy(), part.offsets.copy(), types)
        rows = slice(int(self._batch.offsets[first]), int(self._batch.offsets[last]))
        squares = self._batch.lengths**2
        before, own = int(squares[:first].sum()), int(squares[first:last].sum())
        attentions = {}
        for layer, flat in sorted(self._attentions.items()):
            heads = self._spec.layers[layer - 1].attention.heads
            attentions[layer] = flat[heads * before : heads * (before + own)].copy()
        encodings = names = None
        if self._encodings is not None:
            encodings = [kept(encoding) for encoding in self._encodings[first:last]]
        elif self._tokenizer is not None:
            names = TokenNames({n: self._tokenizer.token_of(n) for n in np.unique(batch.ids).tolist()})
        return {
            "spec": self._spec,
            "batch": batch,
            "hidden": {layer: states[rows].copy() for layer, states in sorted(self._hidden.items())},
            "attentions": attentions,
            "projections": {
                layer: states[rows].copy() for layer, states in sorted(self._projections.items())
            },
            "pooled": None if self._pooled is None else self._pooled[first:last].copy(),
            "tokenizer": names,
            "encodings": encodings,
            "truncated": self._truncated[first:last].copy(),
        }

    def __iter__(self) -> Iterator[TextOutput]:
        return (TextOutput(self, i) for i in range(len(self)))

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each text, (n,) int64."""
        return self._batch.lengths

    @property
    def truncated(self) -> NDArray[np.int64]:
        """How many tokens of each text were cut off, (n,) int64; 0 for a text that was read in full."""
        return self._truncated

    @property
    def layers(self) -> tuple[int, ...]:
        """The layers whose hidden states are here."""
        return tuple(sorted(self._hidden))

    @property
    def pooled(self) -> Floats:
        """Sentence embeddings, (n, dim) float32, with the same bits as those of `Encoder.encode`.

        They need the last layer: ``forward`` must have been asked for it. Raises `PoolingError` when it
        wasn't, or when the model does not say how to pool.
        """
        if self._pooled is None:
            raise PoolingError(
                "pooled is not there: it needs a model with a known pooling, and -1 among the layers given "
                "to forward"
            )
        return self._pooled

    def ids(self, i: int) -> NDArray[np.int32]:
        """Token ids of text i, (tokens_i,) int32."""
        return self._batch.ids[self._rows(i)]

    def token_types(self, i: int) -> NDArray[np.int32]:
        """Token types of text i as the model read them, (tokens_i,) int32; 0 where it has none."""
        rows, types = self._rows(i), self._batch.types
        return np.zeros(rows.stop - rows.start, dtype=np.int32) if types is None else types[rows]

    def hidden_state(self, i: int, layer: int = -1) -> Floats:
        """Hidden states of text i after a layer, (tokens_i, hidden) float32.

        Layer 0 is the embedding output, k what layer k gives; negative numbers count from the end. Raises
        ``ValueError`` for a layer that ``forward`` was not asked for.
        """
        number = layer_number(layer, len(self._spec.layers), first=0, name="hidden_state: layer")
        return _asked_for(self._hidden, number, "hidden_state", "layers")[self._rows(i)]

    def attention(self, i: int, layer: int) -> Floats:
        """Attention weights of text i in a layer, (heads, tokens_i, tokens_i) float32.

        ``[h, q, k]`` is the share of token k in what head h gives token q; a row sums to 1. Layers count from
        1. Raises ``ValueError`` for a layer that ``forward`` was not asked for.
        """
        number = layer_number(layer, len(self._spec.layers), first=1, name="attention: layer")
        flat = _asked_for(self._attentions, number, "attention", "attentions")
        rows = self._rows(i)
        heads, length = self._spec.layers[number - 1].attention.heads, rows.stop - rows.start
        squares = self._batch.lengths[: self._number(i)] ** 2
        start = heads * int(squares.sum())
        return flat[start : start + heads * length * length].reshape(heads, length, length)

    def projections(self, i: int, layer: int) -> Projections:
        """Queries, keys and values of text i in a layer, see `Projections`.

        Layers count from 1. Raises ``ValueError`` for a layer that ``forward`` was not asked for.
        """
        number = layer_number(layer, len(self._spec.layers), first=1, name="projections: layer")
        rows = _asked_for(self._projections, number, "projections", "projections")[self._rows(i)]
        spec = self._spec.layers[number - 1].attention
        heads = rows.reshape(len(rows), spec.heads + 2 * spec.kv_heads, spec.head_dim).transpose(1, 0, 2)
        keys = spec.heads + spec.kv_heads
        return Projections(heads[: spec.heads], heads[spec.heads : keys], heads[keys:])

    def tokens(self, i: int) -> list[str]:
        """Tokens of text i as the vocabulary spells them, special tokens included."""
        if self._encodings is not None:
            return self._encodings[self._number(i)].tokens
        if self._tokenizer is None:
            raise ValueError("tokens: the encoder has no tokenizer")
        return [self._tokenizer.token_of(token) for token in self.ids(i).tolist()]

    def spans(self, i: int) -> list[tuple[int, int]]:
        """(start, end) of each token in characters of the original text i; special tokens have (0, 0).

        Those of a pair's second text count in that text.
        """
        return self._encoding(i, "spans").offsets

    def word_ids(self, i: int) -> list[int | None]:
        """The number of the word in text i that each token belongs to; None for special tokens.

        The words of a pair's second text are counted from 0 again.
        """
        return self._encoding(i, "word_ids").word_ids

    def sequence_ids(self, i: int) -> list[int | None]:
        """0 for tokens of text i, or of the first of a pair, 1 for those of the second; None for special tokens."""
        return self._encoding(i, "sequence_ids").sequence_ids

    def special_tokens(self, i: int) -> NDArray[np.bool_]:
        """Which tokens of text i were added by the tokenizer, (tokens_i,) bool."""
        return np.array(self._encoding(i, "special_tokens").special_tokens_mask, dtype=np.bool_)

    def __repr__(self) -> str:
        tokens = int(self._batch.offsets[-1])
        parts = [f"{len(self)} texts", f"{tokens} tokens", f"layers {list(self.layers)}"]
        if self._attentions:
            parts.append(f"attentions {sorted(self._attentions)}")
        if self._projections:
            parts.append(f"projections {sorted(self._projections)}")
        if self._pooled is not None:
            parts.append(f"pooled {self._pooled.shape}")
        return f"EncoderOutput({', '.join(parts)})"

    def _encoding(self, i: int, name: str) -> Encoded | KeptEncoding:
        if self._encodings is None:
            raise ValueError(f"{name}: known only for inputs that were texts, not for token ids")
        return self._encodings[self._number(i)]

    def _number(self, i: int) -> int:
        number = whole(i, "EncoderOutput: the text number")
        count = len(self)
        if not -count <= number < count:
            raise IndexError(
                f"EncoderOutput: text number {shown(number)} is out of range, there are {count} texts"
            )
        return number % count

    def _rows(self, i: int) -> slice:
        number = self._number(i)
        return slice(int(self._batch.offsets[number]), int(self._batch.offsets[number + 1]))


def _remade(parts: dict[str, Any]) -> EncoderOutput:
    return EncoderOutput(**parts)


def _asked_for(arrays: dict[int, Floats], layer: int, method: str, argument: str) -> Floats:
    if layer not in arrays:
        raise ValueError(
            f"{method}: layer {layer} was not computed; "
            f"forward was asked for {argument}={tuple(sorted(arrays))}"
        )
    return arrays[layer]
