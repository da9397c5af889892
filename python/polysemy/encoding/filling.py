"""Parameters of a checkpoint on their way to a network: packed while they are read, or kept as arrays."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from numpy.typing import NDArray

from ..families.family import NameMatch, Stored
from ..io.checkpoint import Checkpoint
from ..io.pieces import Wanted
from ..io.tensor import StoredTensor
from ..model.network import PackedWeights
from ..model.spec import EncoderSpec

__all__ = ["Filling"]

Weights = dict[str, NDArray[Any]]


class Filling:
    """What is read of a checkpoint, and where it goes.

    With a ``precision`` parameters are packed from what passes by, and kept are the embedding tables, ``others`` (names
    of tensors that are no parameters) and what is stored in another way than it is used; without one all are kept.
    """

    __slots__ = ("_checkpoint", "_match", "_shapes", "_uses", "wanted", "weights")

    def __init__(
        self,
        spec: EncoderSpec,
        match: NameMatch,
        checkpoint: Checkpoint,
        precision: str | None,
        others: Collection[str] = (),
    ) -> None:
        self.weights: Weights = {} if precision is None else PackedWeights(spec, precision)
        """By canonical name, in the form in which they are stored; see `PackedWeights`."""
        self._match = match
        self._checkpoint = checkpoint
        self._shapes = checkpoint.shapes
        self._uses: dict[str, list[tuple[str, Stored]]] = {}
        for key, stored in match.stored.items():
            self._uses.setdefault(stored.name, []).append((key, stored))
        keep = {name for name, uses in self._uses.items() if any(self._is_kept(*use) for use in uses)}
        keep.update(others)
        cuts = {name: self._cuts(name) for name in self._uses if name not in keep}
        self.wanted = Wanted(keep, cuts, self._take)

    def _is_kept(self, key: str, stored: Stored) -> bool:
        weights = self.weights
        return stored.plus != 0 or not isinstance(weights, PackedWeights) or key in weights.tables

    def _cuts(self, name: str) -> list[int]:
        rows = self._shapes[name][0]
        return sorted({0, rows, *(row for _, stored in self._uses[name] for row in stored.span(rows))})

    def _take(self, name: str, first: int, rows: StoredTensor) -> None:
        assert isinstance(self.weights, PackedWeights)  # otherwise nothing passes by
        for key, stored in self._uses[name]:
            begin, end = stored.span(self._shapes[name][0])
            if begin <= first < end:
                self.weights.put(key, first - begin, rows.data)

    def finish(self) -> None:
        """Fill in what was kept, of a checkpoint that was read. Its tensors may go afterwards."""
        for key, stored in self._match.stored.items():
            if stored.name not in self.wanted.keep:
                continue
            tensor = self._checkpoint.read(stored.name)
            array = stored.of(tensor.float32() if stored.plus else tensor.data)
            if isinstance(self.weights, PackedWeights) and key not in self.weights.tables:
                self.weights.put(key, 0, array)
            else:
                self.weights[key] = array
