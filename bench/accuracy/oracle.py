"""Exact hidden states: `polysemy.reference` in float64, on the numbers that the checkpoint stores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from polysemy.model.spec import EncoderSpec
from polysemy.reference import encode_tokens

from bench.accuracy.errors import Doubles
from bench.texts import Ids


def packed(ids: Sequence[Ids]) -> tuple[Ids, NDArray[np.int64]]:
    """The sequences one after the other, and where each begins and the last ends."""
    return np.concatenate(ids), np.cumsum([0, *map(len, ids)]).astype(np.int64)


def _batches(ids: Sequence[Ids], tokens: int = 2048) -> Iterator[tuple[Ids, NDArray[np.int64]]]:
    """Packed batches of about so many tokens, in order."""
    batch: list[Ids] = []
    for row in ids:
        batch.append(row)
        if sum(map(len, batch)) >= tokens:
            yield packed(batch)
            batch = []
    if batch:
        yield packed(batch)


def _as_floats(array: NDArray[Any]) -> NDArray[Any]:
    """A parameter as it is stored; bits of bfloat16 as float32."""
    if array.dtype != np.uint16:
        return array
    wide: NDArray[Any] = np.left_shift(array, 16, dtype=np.uint32).view(np.float32)
    return wide


def exact_states(
    spec: EncoderSpec, weights: Mapping[str, NDArray[Any]], ids: Sequence[Ids], layers: Sequence[int]
) -> list[Doubles]:
    """Of each of the layers, 0 being the embeddings: [tokens, hidden] of all sequences."""
    wide = {name: _as_floats(array) for name, array in weights.items()}
    found: list[list[Doubles]] = [[] for _ in layers]
    for batch in _batches(ids):
        states = encode_tokens(spec, wide, *batch).hidden_states
        for kept, layer in zip(found, layers, strict=True):
            kept.append(np.asarray(states[layer], np.float64))
    return [np.concatenate(kept) for kept in found]
