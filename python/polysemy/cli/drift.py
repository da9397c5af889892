"""How far two uses of one word drift apart from layer to layer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..encoding.encoder import Encoder
from ..encoding.words import uses_in
from ..errors import PolysemyError
from ..record import record

__all__ = ["Drift", "measure"]

Doubles = NDArray[np.float64]


@record
class Drift:
    """Cosines between two uses of a word."""

    word: str
    texts: tuple[str, str]
    places: tuple[tuple[int, int], tuple[int, int]]
    """Where the word stands first: (start, end) in characters."""
    occurrences: tuple[int, int]
    """How often it stands in the part of each text that the model reads."""
    tokens: tuple[list[str], list[str]]
    static: float
    """Between the rows of the token table."""
    layers: list[float]
    """Between the hidden states; 0 is the embedding output, k what layer k gives."""
    sentence: float | None
    """Between the sentence embeddings; None for a model that has none."""

    def rows(self) -> list[tuple[str, float]]:
        """Label and cosine of each step on the word's way."""
        labels = ["embedding output", *(f"layer {k}" for k in range(1, len(self.layers)))]
        return [("static row", self.static), *zip(labels, self.layers, strict=True)]


def measure(encoder: Encoder, word: str, first: str, second: str) -> Drift:
    """Encode both texts at once and compare the first use of the word in each.

    Raises ``ValueError`` when the word is not in one of them, or only where the model does not read it, and
    `PolysemyError` for a model without a tokenizer.
    """
    tokenizer = encoder.tokenizer
    if tokenizer is None:
        raise PolysemyError("compare: this model has no tokenizer")
    texts, every_layer = (first, second), range(len(encoder.spec.layers) + 1)
    output = encoder.forward(texts, layers=every_layer)
    uses = [uses_in(output, i, text, word, tokenizer, name="--word") for i, text in enumerate(texts)]
    groups = [found[0].tokens for found in uses]

    def tokens(i: int) -> list[str]:
        names = output.tokens(i)
        return [names[t] for t in groups[i]]

    def static(i: int) -> Doubles:
        return _mean(np.stack([encoder.static_embedding(token) for token in output.ids(i)[groups[i]]]))

    def state(i: int, layer: int) -> Doubles:
        return _mean(output.hidden_state(i, layer)[groups[i]])

    return Drift(
        word=word,
        texts=texts,
        places=(uses[0][0].place, uses[1][0].place),
        occurrences=(len(uses[0]), len(uses[1])),
        tokens=(tokens(0), tokens(1)),
        static=_cosine(static(0), static(1)),
        layers=[_cosine(state(0, layer), state(1, layer)) for layer in every_layer],
        sentence=None if encoder.head is None else _cosine(*output.pooled.astype(np.float64)),
    )


def _mean(rows: NDArray[np.float32]) -> Doubles:
    mean: Doubles = rows.mean(axis=0, dtype=np.float64)
    return mean


def _cosine(a: Doubles, b: Doubles) -> float:
    length = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(np.dot(a, b)) / length if length > 0 else 0.0
