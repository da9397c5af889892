"""The vectors of a word in a text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..arguments import whole
from ..text.check import check_text, check_texts
from ..text.inputs import read_texts
from .losses import Losses
from .output import EncoderOutput, layer_number, layer_numbers
from .passes import forward_pass

if TYPE_CHECKING:
    from ..model.network import Network
    from ..text.tokenizer import TextTokenizer
    from ..text.words import WordUse

__all__ = ["token_number", "uses_in", "vectors_of_uses", "word_vectors"]

Floats = NDArray[np.float32]


def token_number(token: object, tokenizer: TextTokenizer | None, vocab: int) -> int:
    """The id of a token, for `Encoder.static_embedding`. ``tokenizer`` None: it is no text."""
    name = "static_embedding: token"
    number = (
        whole(token, name) if tokenizer is None else tokenizer.single_token(check_text(token, name), name)
    )
    if not 0 <= number < vocab:
        raise ValueError(f"{name} must be in 0..{vocab - 1}, got {number}")
    return number


def uses_in(
    output: EncoderOutput, i: int, text: str, word: str, tokenizer: TextTokenizer, *, name: str
) -> list[WordUse]:
    """Where the word stands in text i, as far as the model read it, in order.

    Raises ``ValueError``, which begins with ``name``, when the word is empty or there is none.
    """
    from ..text.words import (
        uses_of_word,
    )  # its patterns take a millisecond, which most programs need not spend

    return uses_of_word(
        text,
        word,
        output.spans(i),
        output.word_ids(i),
        ignore_case=tokenizer.uncased,
        cut=bool(output.truncated[i]),
        name=name,
    )


def vectors_of_uses(states: Floats, uses: list[WordUse]) -> Floats:
    """The mean of each use's tokens: (tokens, hidden) -> (uses, hidden) float32."""
    means = [states[use.tokens].mean(axis=0, dtype=np.float64) for use in uses]
    return np.array(means, dtype=np.float32)


def word_vectors(
    network: Network,
    tokenizer: TextTokenizer,
    text: object,
    word: object,
    layer: object,
    *,
    num_threads: int = 0,
) -> list[Floats]:
    """See `Encoder.word_vectors`: an array for each text, all of one pass."""
    texts, wanted = _texts(text), check_text(word, "word_vectors: word")
    order = _layers(layer, len(network.spec.layers))
    read = read_texts(texts, network.spec, tokenizer, num_threads=num_threads)
    output = forward_pass(network, read, tokenizer, layers={*order}, num_threads=num_threads)
    Losses(output.truncated).warn("word_vectors", tokenizer.max_length)
    found = [_word_in(output, i, item, wanted, order, tokenizer) for i, item in enumerate(texts)]
    return found if _is_several(layer) else [array[0] for array in found]


def _texts(text: object) -> list[str]:
    name = "word_vectors: text"
    if isinstance(text, str):
        return [check_text(text, name)]
    return check_texts(text, name, wanted="a str or a list of str")


def _is_several(layer: object) -> bool:
    return isinstance(layer, Iterable)  # and so is "all"


def _layers(layer: object, layers: int) -> list[int]:
    """A layer, several in their order, or "all", as absolute numbers."""
    name = "word_vectors: layer"
    if isinstance(layer, str):
        return sorted(layer_numbers(layer, layers, first=0, name=name))
    given: Iterable[object] = layer if isinstance(layer, Iterable) else [layer]
    return [layer_number(number, layers, first=0, name=name) for number in given]


def _word_in(
    output: EncoderOutput, i: int, text: str, word: str, layers: list[int], tokenizer: TextTokenizer
) -> Floats:
    """The vectors of a word in text i after each layer, (layers, occurrences, hidden)."""
    uses = uses_in(output, i, text, word, tokenizer, name="word_vectors: word")
    return np.array(
        [vectors_of_uses(output.hidden_state(i, layer), uses) for layer in layers], dtype=np.float32
    )
