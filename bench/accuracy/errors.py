"""Distances of hidden states, and of the sentence vectors made of them, from exact ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
HEAD = ("rms of hidden states", "largest error", "mean cosine", "least", "neighbours kept")


@dataclass(frozen=True, slots=True)
class Accuracy:
    """One engine on some texts, against float64."""

    model: str
    engine: str
    texts: int
    rms: float  # of the errors of the last hidden state
    largest: float
    mean_cosine: float  # of sentence vectors with the exact ones
    least_cosine: float
    neighbours_kept: float  # share of the texts whose nearest other text is the same

    def cells(self) -> list[str]:
        """In the order of `HEAD`."""
        errors = [f"{self.rms:.1e}", f"{self.largest:.1e}"]
        return [*errors, f"{self.mean_cosine:.7f}", f"{self.least_cosine:.7f}", f"{self.neighbours_kept:.4f}"]


def sentences(states: NDArray[np.floating], lengths: Sequence[int]) -> Doubles:
    """Mean over the tokens of each sequence, divided by its Euclidean norm: [sequences, hidden]."""
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
    sums = np.add.reduceat(states.astype(np.float64), starts, axis=0)
    unit: Doubles = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    return unit


def neighbours(vectors: Doubles) -> NDArray[np.int64]:
    """The nearest other vector of each, by cosine."""
    cosine = vectors @ vectors.T
    np.fill_diagonal(cosine, -np.inf)
    nearest: NDArray[np.int64] = cosine.argmax(axis=1)
    return nearest


def distance(states: NDArray[np.floating], exact: Doubles) -> tuple[float, float]:
    """The rms of the errors, and the largest."""
    error = states - exact
    return float(np.sqrt((error**2).mean())), float(np.abs(error).max())


def farther(states: NDArray[np.floating], exact: Doubles, lengths: Sequence[int]) -> float:
    """How much farther than the nearest other text, in exact cosine, the one taken for it is at most."""
    oracle = sentences(exact, lengths)
    cosine, texts = oracle @ oracle.T, np.arange(len(lengths))
    taken = cosine[texts, neighbours(sentences(states, lengths))]
    return float((cosine[texts, neighbours(oracle)] - taken).max())


def compare(
    model: str, engine: str, states: NDArray[np.floating], exact: Doubles, lengths: Sequence[int]
) -> Accuracy:
    """Of the last hidden states of all texts, one after the other: [sum(lengths), hidden]."""
    found, oracle = sentences(states, lengths), sentences(exact, lengths)
    cosine = (found * oracle).sum(axis=1)
    kept = (neighbours(found) == neighbours(oracle)).mean()
    figures = map(float, (cosine.mean(), cosine.min(), kept))
    return Accuracy(model, engine, len(lengths), *distance(states, exact), *figures)
