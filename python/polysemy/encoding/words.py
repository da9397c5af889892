"""The vectors of a word in a text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..text.check import check_text
from ..text.words import WordUse, uses_of_word
from .output import EncoderOutput, layer_number, layer_numbers

if TYPE_CHECKING:
    from ..text.tokenizer import TextTokenizer

__all__ = ["texts_of", "uses_in", "vectors_of_uses", "wanted_layers", "word_in"]


def uses_in(
    output: EncoderOutput, i: int, text: str, word: str, tokenizer: TextTokenizer, *, name: str
) -> list[WordUse]:
    """Where the word stands in text i, as far as the model read it, in order.

    Raises ``ValueError``, which begins with ``name``, when the word is empty or there is none.
    """
    return uses_of_word(
        text,
        word,
        output.spans(i),
        output.word_ids(i),
        ignore_case=tokenizer.uncased,
        cut=bool(output.truncated[i]),
        name=name,
    )


def vectors_of_uses(states: NDArray[np.float32], uses: list[WordUse]) -> NDArray[np.float32]:
    """The mean of each use's tokens: (tokens, hidden) -> (uses, hidden) float32."""
    means = [states[use.tokens].mean(axis=0, dtype=np.float64) for use in uses]
    return np.array(means, dtype=np.float32)


def texts_of(text: object, word: object, method: str) -> list[str]:
    """A text, or a list or tuple of them, and the word, checked."""
    if isinstance(text, (list, tuple)):
        texts = [check_text(item, f"{method}: text[{i}]") for i, item in enumerate(text)]
    else:
        texts = [check_text(text, f"{method}: text")]
    check_text(word, f"{method}: word")
    return texts


def wanted_layers(layer: object, layers: int, name: str) -> list[int]:
    """A layer, several in their order, or "all", as absolute numbers."""
    if isinstance(layer, str) and layer == "all":
        return sorted(layer_numbers(layer, layers, first=0, name=name))
    several = isinstance(layer, Iterable) and not isinstance(layer, str)
    given: Iterable[object] = layer if several else [layer]  # type: ignore[assignment]
    return [layer_number(number, layers, first=0, name=name) for number in given]


def word_in(
    output: EncoderOutput, i: int, text: str, word: str, layers: list[int], tokenizer: TextTokenizer
) -> NDArray[np.float32]:
    """The vectors of a word in text i after each layer, (layers, occurrences, hidden)."""
    uses = uses_in(output, i, text, word, tokenizer, name="word_vectors: word")
    return np.array(
        [vectors_of_uses(output.hidden_state(i, layer), uses) for layer in layers], dtype=np.float32
    )
