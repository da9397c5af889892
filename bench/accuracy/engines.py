"""Hidden states of the engines that `python -m bench.engines` times, each in a process of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bench.engines.backends import Model
from bench.engines.client import Client
from bench.texts import Ids


def last_states(engine: str, model: Model, ids: Sequence[Ids]) -> NDArray[np.float32]:
    """The last hidden state of all texts, [tokens, hidden].

    Each text is a batch of its own: engines with one scale for all inputs of a product are at their best then. Raises
    `WorkerError` where the engine can't run the model.
    """
    client = Client(engine, model, 1, model.cache / f"{engine}.log")
    file = model.cache / f"hidden-{engine}.npy"
    try:
        client.ask("convert")
        client.ask("load")
        client.ask("work", key="accuracy", ids=[row.tolist() for row in ids], size=1, output=str(file))
        states: NDArray[np.float32] = np.load(file)
    finally:
        client.close()
        file.unlink(missing_ok=True)
    return states
