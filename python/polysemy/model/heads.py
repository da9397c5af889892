"""What stands on an encoder: the layers that make labels, tokens or spans of its last hidden states."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from ..record import record
from .pooling import Plan
from .spec import Activation, NormSpec, Pooling
from .steps import Dense, LayerNorm, Normalize

__all__ = ["Head", "HeadKind", "HeadSpec", "LinearSpec", "NormLayerSpec", "Vocabulary", "VocabularySpec"]

Floats = NDArray[np.float32]

# Tokens of the vocabulary that are scored at once: their scores stay as small as a layer's activations.
_BLOCK = 2048


class HeadKind(str, Enum):
    """Kinds of heads, by the names of their tasks in transformers, where it has them."""

    SEQUENCE = "text-classification"
    TOKENS = "token-classification"
    MASKED = "fill-mask"
    ANSWERS = "question-answering"
    VECTORS = "token-vectors"


@record
class LinearSpec:
    """A linear layer: the name of its module in a checkpoint, without a prefix, and what follows it."""

    name: str
    activation: Activation = Activation.NONE
    bias: bool = True


@record
class NormLayerSpec:
    """A norm: the name of its module, and its kind."""

    name: str
    norm: NormSpec


@record
class VocabularySpec:
    """A score of every token: the name of the matrix, which may be the table of tokens, and that of the bias."""

    weight: str
    biases: tuple[str, ...]
    """Names under which files have the bias: copies of one. Empty: there is none."""


@record
class HeadSpec:
    """The layers of a head in order, on every token, or on one vector per text that ``pooling`` makes first."""

    layers: tuple[LinearSpec | NormLayerSpec | VocabularySpec, ...]
    pooling: Pooling | None = None


class Vocabulary:
    """``x @ weight.T + bias`` for as many rows of ``weight`` as there are tokens, block by block."""

    __slots__ = ("_blocks", "shape")

    def __init__(self, weight: NDArray[np.generic], bias: Floats | None) -> None:
        """``weight`` is float32, float16, or the bits of bfloat16 as uint16."""
        self.shape = (weight.shape[0], weight.shape[1])
        self._blocks = [
            Dense(
                _widened(weight[start : start + _BLOCK]),
                None if bias is None else bias[start : start + _BLOCK],
                Activation.NONE,
            )
            for start in range(0, self.shape[0], _BLOCK)
        ]

    def blocks(self, x: Floats, num_threads: int = 0) -> Iterator[tuple[int, Floats]]:
        """The first token of each block, and the scores of its tokens, (n, tokens of the block)."""
        for i, block in enumerate(self._blocks):
            yield i * _BLOCK, block(x, num_threads)

    def __call__(self, x: Floats, num_threads: int = 0) -> Floats:
        """(n, width) -> (n, tokens)."""
        out = np.empty((len(x), self.shape[0]), dtype=np.float32)
        for start, scores in self.blocks(x, num_threads):
            out[:, start : start + scores.shape[1]] = scores
        return out


def _widened(rows: NDArray[np.generic]) -> Floats:
    if rows.dtype == np.uint16:  # the upper halves of float32
        wide: Floats = np.left_shift(rows, 16, dtype=np.uint32).view(np.float32)
        return wide
    return rows.astype(np.float32, copy=False)


@record
class Head:
    """A head with its weights."""

    kind: HeadKind
    layers: tuple[Dense | LayerNorm | Normalize, ...]
    pooling: Pooling | None
    labels: tuple[str, ...]
    """Names of what the last layer gives; none for a vocabulary and for vectors."""
    vocabulary: Vocabulary | None = None

    @property
    def plan(self) -> Plan:
        """The head as what follows the pooling of a text."""
        assert self.pooling is not None
        return Plan((self.pooling,), self.pooling, False, self.layers)

    def __call__(self, rows: Floats, num_threads: int = 0) -> Floats:
        """(n, hidden) -> (n, width of the last layer). Each row is the same whatever the others are."""
        for layer in self.layers:
            rows = layer(rows, num_threads)
        return rows
