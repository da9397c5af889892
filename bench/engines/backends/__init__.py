"""One small adapter per engine, all with the same five methods."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from bench.engines.catalogue import ENGINES

Ids = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Model:
    folder: Path  # the checkpoint
    cache: Path  # where converted forms of it are kept


class Backend(Protocol):
    """What an engine's process does. `pack` is not timed, `run` is: it leaves the hidden states in memory."""

    def convert(self, model: Model) -> None:
        """Write the engine's own form of the model to the cache unless it is there."""

    def load(self, model: Model, threads: int) -> None: ...

    def pack(self, batch: Sequence[Ids]) -> Any:
        """Turn a batch of token id sequences into the inputs that `run` takes."""

    def run(self, packed: Any) -> Any: ...

    def rows(self, result: Any, lengths: Sequence[int]) -> NDArray[np.float32]:
        """The last hidden state of the real tokens, [sum(lengths), hidden], as a copy."""


def create(name: str) -> Backend:
    engine = ENGINES[name]
    module = importlib.import_module(f"bench.engines.backends.{engine.module}")
    return cast(Backend, module.create(engine.form))


def pad(batch: Sequence[Ids], dtype: Any = np.int64) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Ids padded with 0 to the longest, and the 0/1 mask, or None when all lengths are equal."""
    lengths = [len(ids) for ids in batch]
    width = max(lengths)
    padded = np.zeros((len(batch), width), dtype=dtype)
    for row, ids in zip(padded, batch, strict=True):
        row[: len(ids)] = ids
    if min(lengths) == width:
        return padded, None
    return padded, (np.arange(width) < np.array(lengths)[:, None]).astype(dtype)


def unpad(hidden: NDArray[np.float32], lengths: Sequence[int]) -> NDArray[np.float32]:
    """[batch, longest, hidden] to [sum(lengths), hidden]."""
    return np.concatenate([row[:length] for row, length in zip(hidden, lengths, strict=True)])
