"""The vectors of a word in a text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..text.words import WordUse, uses_of_word
from .output import EncoderOutput

if TYPE_CHECKING:
    from ..text.tokenizer import TextTokenizer

__all__ = ["uses_in", "vectors_of_uses"]


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
