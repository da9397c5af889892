"""`Network`: token ids in, hidden states, attention weights and pooled vectors out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..record import record
from .params import check_shapes
from .pooling import Plan
from .spec import EncoderSpec, native

__all__ = ["Network", "PackedWeights", "Results"]

Floats = NDArray[np.float32]


class PackedWeights(dict[str, NDArray[Any]]):
    """Weights that are packed as they come, for the one network that is made of them.

    As a mapping they are the embedding tables by canonical name, which are used where they are.
    """

    def __init__(self, spec: EncoderSpec, precision: str) -> None:
        super().__init__()
        self.precision = precision
        self._packing = _core.Packing(native(spec), precision)
        self.tables = frozenset(self._packing.tables)

    def put(self, name: str, first: int, rows: NDArray[Any]) -> None:
        """Pack the next rows of a parameter, from row ``first`` on, 16 or a multiple but for the last ones.

        They are float32, float16, or the bits of bfloat16 as uint16, and not needed any more afterwards.
        """
        self._packing.put(name, first, rows)

    def finish(self) -> _core.Encoder:
        """All of them, once. Raises ``ValueError`` when some have not come."""
        return self._packing.finish(dict(self))


@record
class Results:
    """What one forward pass computed of n sequences with ``tokens`` tokens in all."""

    hidden: dict[int, Floats]
    """By layer, (tokens, hidden)."""
    attentions: dict[int, Floats]
    """By layer, for each sequence (heads, length, length), one after the other, flat."""
    projections: dict[int, Floats]
    """By layer, (tokens, (heads + 2 kv_heads) * head_dim): queries, keys and values of each token."""
    pooled: Floats | None
    """Sentence vectors, (n, dim); None without a plan for them."""


class Network:
    """The weights of an encoder, packed for this CPU.

    ``weights`` are arrays by canonical name (see `polysemy.model.params`): float32, float16, or the bits of
    bfloat16 as uint16. The embedding tables among them are used where they are, the others are packed, matrices in
    ``precision``, or have been: `PackedWeights`, which know theirs. Raises ``CheckpointError`` for missing, surplus
    or misshaped ones, ``TypeError`` for another dtype and ``ValueError`` for another layout.
    """

    __slots__ = ("_encoder", "_token_table", "precision", "spec")

    def __init__(
        self, spec: EncoderSpec, weights: Mapping[str, NDArray[Any]], precision: str = "float32"
    ) -> None:
        if not isinstance(spec, EncoderSpec):
            raise TypeError(f"Encoder: spec must be an EncoderSpec, got {type(spec).__name__}")
        if not isinstance(weights, Mapping):
            raise TypeError(f"Encoder: weights must be a mapping of arrays, got {type(weights).__name__}")
        self.spec = spec
        self.precision = precision
        if isinstance(weights, PackedWeights):
            self.precision = weights.precision
            self._encoder = weights.finish()
        else:
            check_shapes(spec, {name: array.shape for name, array in weights.items()})
            self._encoder = _core.Encoder(native(spec), dict(weights), precision)
        self._token_table = weights["embeddings.token"]

    def __getstate__(self) -> tuple[Any, ...]:
        # Equal networks have equal pickles, which know flags, and which object a dtype is.
        tables = {name: array.view(np.dtype(array.dtype.str)) for name, array in self._encoder.tables.items()}
        for table in tables.values():
            table.flags.writeable = False
        return self.spec, self.precision, tables, self._encoder.packed

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.spec, self.precision, tables, packed = state
        self._token_table = tables["embeddings.token"]
        self._encoder = _core.Encoder(native(self.spec), tables, self.precision, packed)

    @property
    def weight_bytes(self) -> int:
        """Memory of the packed weights, in bytes."""
        return self._encoder.weight_bytes

    def token_row(self, token: int) -> Floats:
        """A copy of a row of the token table, (width,)."""
        row = self._token_table[token]
        if row.dtype == np.uint16:  # the upper halves of float32
            row = np.left_shift(row, 16, dtype=np.uint32).view(np.float32)
        return np.array(row, dtype=np.float32)

    def run(
        self,
        ids: NDArray[np.int32],
        offsets: NDArray[np.int64],
        types: NDArray[np.int32] | None = None,
        *,
        seen: NDArray[np.int64] | None = None,
        plan: Plan | None = None,
        layers: Collection[int] = (),
        attentions: Collection[int] = (),
        projections: Collection[int] = (),
        num_threads: int = 0,
    ) -> Results:
        """One forward pass over the sequences ``ids[offsets[i] : offsets[i + 1]]``, whose ids were checked.

        ``types`` are the token types, None stands for zeros. Of sequence i only the first ``seen[i]`` tokens are
        looked at by the others, and by themselves; None means all. ``layers``, ``attentions`` and ``projections`` are
        absolute numbers. Only what is asked for is computed; sentence vectors, which ``plan`` describes, need all
        layers.
        """
        last = len(self.spec.layers)
        needed = plan.layers(last) if plan is not None and plan.fused is None else ()
        result = self._encoder.forward(
            ids,
            offsets,
            types,
            seen=seen,
            layers=sorted({*layers, *needed}),
            attentions=sorted(attentions),
            projections=sorted(projections),
            pooling=None if plan is None else plan.fused,
            normalize=plan is not None and plan.normalize,
            num_threads=num_threads,
        )
        pooled = result["pooled"]
        if plan is not None:
            if pooled is None:
                pooled = plan.pool_layers(result["hidden"], last, offsets, num_threads)
            pooled = plan.finish(pooled, num_threads)
        hidden = result["hidden"]
        if needed:
            hidden = {layer: states for layer, states in hidden.items() if layer in layers}
        return Results(hidden, result["attentions"], result["projections"], pooled)
