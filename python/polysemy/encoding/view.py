"""One text of an `EncoderOutput`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .output import EncoderOutput

__all__ = ["Projections", "TextOutput"]

Floats = NDArray[np.float32]


class Projections(NamedTuple):
    """What the tokens of a text ask, offer and give in a layer's attention.

    Exactly as it takes them: with their bias, and queries and keys after the norm of each head and the rotation by
    position, where the model has these. ``scale * queries @ keys^T`` are the scores before what the model adds by
    distance (ALiBi, buckets, disentangled attention); ``scale`` is ``spec.layers[layer - 1].attention.scale``,
    mostly 1/sqrt(head_dim). With fewer key heads than heads, neighbouring heads share one: head h has key head
    ``h // (heads // kv_heads)``.
    """

    queries: Floats
    """(heads, tokens, head_dim) float32."""
    keys: Floats
    """(kv_heads, tokens, head_dim) float32."""
    values: Floats
    """(kv_heads, tokens, head_dim) float32."""


class TextOutput:
    """What was computed of one text, or pair of texts: a view, made by indexing an `EncoderOutput`.

    Each attribute is what the method of the same name gives for this text, with the same errors.
    """

    __slots__ = ("__weakref__", "_number", "_output")

    def __init__(self, output: EncoderOutput, number: int) -> None:
        self._output = output
        self._number = number

    def __reduce__(self) -> tuple[Any, ...]:
        """Goes to other processes without the other texts."""
        return _first, (self._output.only(self._number),)

    def __len__(self) -> int:
        """Number of tokens."""
        return len(self.ids)

    @property
    def ids(self) -> NDArray[np.int32]:
        """Token ids, (tokens,) int32."""
        return self._output.ids(self._number)

    @property
    def token_types(self) -> NDArray[np.int32]:
        """Token types, (tokens,) int32."""
        return self._output.token_types(self._number)

    @property
    def tokens(self) -> list[str]:
        """Tokens as the vocabulary spells them, special tokens included."""
        return self._output.tokens(self._number)

    @property
    def spans(self) -> list[tuple[int, int]]:
        """(start, end) of each token in characters of its text; special tokens have (0, 0)."""
        return self._output.spans(self._number)

    @property
    def word_ids(self) -> list[int | None]:
        """The number of the word in its text that each token belongs to; None for special tokens."""
        return self._output.word_ids(self._number)

    @property
    def sequence_ids(self) -> list[int | None]:
        """0 for tokens of the first text, 1 for those of a pair's second; None for special tokens."""
        return self._output.sequence_ids(self._number)

    @property
    def special_tokens(self) -> NDArray[np.bool_]:
        """Which tokens were added by the tokenizer, (tokens,) bool."""
        return self._output.special_tokens(self._number)

    @property
    def truncated(self) -> int:
        """How many tokens were cut off."""
        return int(self._output.truncated[self._number])

    @property
    def hidden_states(self) -> Floats:
        """Hidden states after the last layer, (tokens, hidden) float32."""
        return self._output.hidden_state(self._number)

    def hidden_state(self, layer: int = -1) -> Floats:
        """Hidden states after a layer, (tokens, hidden) float32; see `EncoderOutput.hidden_state`."""
        return self._output.hidden_state(self._number, layer)

    def attention(self, layer: int) -> Floats:
        """Attention weights in a layer, (heads, tokens, tokens) float32; see `EncoderOutput.attention`."""
        return self._output.attention(self._number, layer)

    def projections(self, layer: int) -> Projections:
        """Queries, keys and values in a layer, (heads or kv_heads, tokens, head_dim) float32; see `Projections`."""
        return self._output.projections(self._number, layer)

    @property
    def pooled(self) -> Floats:
        """The sentence embedding, (dim,) float32."""
        vector: Floats = self._output.pooled[self._number]
        return vector

    def __repr__(self) -> str:
        return f"TextOutput({len(self)} tokens, layers {list(self._output.layers)})"


def _first(output: EncoderOutput) -> TextOutput:
    return output[0]
