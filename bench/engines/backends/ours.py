"""polysemy through its public call; everything that `Encoder.forward` does in Python is inside the clock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.engines.backends import Ids, Model


class Polysemy:
    def __init__(self, precision: str) -> None:
        self.precision = precision

    def convert(self, model: Model) -> None:
        """Reads the checkpoint itself."""

    def load(self, model: Model, threads: int) -> None:
        import polysemy

        self.encoder = polysemy.Encoder.from_pretrained(
            model.folder, precision=self.precision, num_threads=threads
        )

    def pack(self, batch: Sequence[Ids]) -> Any:
        return list(batch)

    def run(self, packed: Any) -> Any:
        return self.encoder.forward(packed)

    def rows(self, result: Any, lengths: Sequence[int]) -> NDArray[np.float32]:
        return np.concatenate([result.hidden_state(i) for i in range(len(lengths))])


def create(form: str) -> Polysemy:
    return Polysemy(form)
