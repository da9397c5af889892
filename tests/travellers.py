"""What other processes do with what was sent to them. They import it by name."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from polysemy import Encoder, get_num_threads

TEXTS = ["the bank of the river", "money in the bank"]


def vectors(model: Any) -> tuple[int, bytes]:
    """The process, and the bits of the vectors that an encoder gives there."""
    return os.getpid(), model.encode(TEXTS).tobytes()


def twice(first: Encoder, second: Encoder) -> tuple[bool, tuple[int, bytes]]:
    """Whether two that arrived are one, and its vectors."""
    return first is second, vectors(first)


def threads_of_tokenizing(encoder: Encoder) -> tuple[int, int]:
    """The limit in this process, and how many threads its first texts have started."""
    tokenizer = encoder.tokenizer
    assert tokenizer is not None
    before = settled_threads()
    tokenizer.encode(TEXTS * 40, spans=False)
    return get_num_threads(), len(settled_threads() - before)


def settled_threads() -> set[int]:
    """Threads that are not Python's, once none comes or goes: those of the pool that runs this do for a moment."""
    found: list[set[int]] = [set()]
    while len(found) < 3 or found[-1] != found[-2]:
        time.sleep(0.1)
        python = {thread.native_id for thread in threading.enumerate()}
        found.append({*map(int, os.listdir("/proc/self/task"))} - python)
    return found[-1]


class Embedding:
    """A transformer for scikit-learn with an encoder among its parameters."""

    def __init__(self, encoder: Encoder | None = None, truncate_dim: int | None = None) -> None:
        self.encoder = encoder
        self.truncate_dim = truncate_dim

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        return {"encoder": self.encoder, "truncate_dim": self.truncate_dim}

    def set_params(self, **values: Any) -> Embedding:
        for name, value in values.items():
            setattr(self, name, value)
        return self

    def fit(self, texts: list[str], labels: object = None) -> Embedding:
        return self

    def transform(self, texts: list[str]) -> NDArray[np.float32]:
        assert self.encoder is not None
        return self.encoder.encode(texts, truncate_dim=self.truncate_dim)

    def fit_transform(self, texts: list[str], labels: object = None) -> NDArray[np.float32]:
        return self.transform(texts)

    def __sklearn_tags__(self) -> Any:
        from sklearn.base import BaseEstimator

        return BaseEstimator().__sklearn_tags__()
