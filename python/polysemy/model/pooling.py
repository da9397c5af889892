"""From hidden states to a sentence embedding: pooling, dense layers, normalisation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import CheckpointError
from ..record import record
from .spec import Pooling
from .steps import Dense, LayerNorm, Normalize, Step, Truncate

__all__ = ["POOLING_NAMES", "Plan", "SentenceHead", "check_widths", "pooling_modes"]

Floats = NDArray[np.float32]

# The names of sentence-transformers, with both spellings of each.
POOLING_NAMES = {mode.value: mode for mode in Pooling} | {"mean_sqrt_len_tokens": Pooling.MEAN_SQRT_LEN}


def pooling_modes(value: object) -> tuple[Pooling, ...]:
    """One mode or several (their vectors are concatenated), by name or as `Pooling`. ValueError otherwise."""
    items = list(value) if isinstance(value, (list, tuple)) else [value]
    modes: list[Pooling] = []
    for item in items:
        mode = POOLING_NAMES.get(item) if isinstance(item, str) else None
        if mode is None:
            raise ValueError(f"pooling must be one of {', '.join(POOLING_NAMES)}, got {item!r}")
        modes.append(mode)
    if not modes:
        raise ValueError(f"pooling must name at least one of {', '.join(POOLING_NAMES)}, got none")
    return tuple(modes)


@record
class Plan:
    """A sentence vector's way from the last hidden states, and who goes which part of it."""

    modes: tuple[Pooling, ...]
    fused: Pooling | None
    """The mode that the core's forward pass applies itself, or None where there are several."""
    normalize: bool
    """Whether the core normalises, too. There are no ``steps`` then."""
    steps: tuple[Step, ...]
    """What is left to do after pooling."""

    mix: tuple[int, tuple[float, ...]] | None = None
    """The states that are pooled are a sum of those of layers: the first that counts, and weights from there on."""
    skip: int = 0
    """How many tokens at the beginning of each text are left out of pooling."""

    def layers(self, last: int) -> set[int]:
        """The hidden states that `pool` reads."""
        return {last} if self.mix is None else set(range(self.mix[0], last + 1))

    def pool_layers(
        self, hidden: Mapping[int, Floats], last: int, offsets: NDArray[np.int64], num_threads: int = 0
    ) -> Floats:
        """As `pool`, of the hidden states of `layers`."""
        states = hidden[last]
        if self.mix is not None:
            start, weights = self.mix
            states = np.zeros_like(states)
            for layer, weight in enumerate(weights, start):
                states += np.float32(weight) * hidden[layer]
        return self.pool(states, offsets, num_threads)

    def pool(self, hidden: Floats, offsets: NDArray[np.int64], num_threads: int = 0) -> Floats:
        """(tokens, hidden) -> (n, hidden * modes): every mode, side by side."""
        from .._core import pool

        starts = offsets
        if self.skip:
            hidden, starts, all_states = _without_first(hidden, offsets, self.skip)
        parts: list[Floats] = []
        for mode in self.modes:
            if mode == Pooling.WEIGHTED_MEAN and self.skip:
                parts.append(_late_weights(all_states, offsets, self.skip))
                continue
            part = np.empty((len(offsets) - 1, hidden.shape[1]), dtype=np.float32)
            pool(hidden, starts, mode, part, num_threads=num_threads)
            parts.append(part)
        return np.concatenate(parts, axis=1)

    def finish(self, pooled: Floats, num_threads: int = 0) -> Floats:
        """The steps after pooling, (n, hidden * modes) -> (n, dim)."""
        for step in self.steps:
            pooled = step(pooled, num_threads)
        return pooled


@record
class SentenceHead:
    """What turns the last hidden states into one vector per text.

    Each mode pools the tokens, the results are concatenated, and the ``steps`` follow in their order.
    """

    modes: tuple[Pooling, ...]
    steps: tuple[Dense | LayerNorm | Normalize, ...] = ()
    include_prompt: bool = True
    """False: the tokens of a prompt take part in attention but not in pooling."""

    mix: tuple[int, tuple[float, ...]] | None = None
    """A sum of layers instead of the last one, see `Plan`."""

    truncate_dim: int | None = None
    """What the model itself cuts its vectors to, after all steps; they are not normalised after that."""

    @property
    def normalize(self) -> bool:
        """Whether the last step is a normalisation."""
        return bool(self.steps) and isinstance(self.steps[-1], Normalize)

    def check(self, hidden: int) -> None:
        """Raise ``CheckpointError`` unless each step takes what comes before it, from this hidden size on."""
        check_widths(self.steps, hidden * len(self.modes), "sentence head")

    def dim(self, hidden: int) -> int:
        """Length of a sentence embedding of a model with this hidden size."""
        width = self.width(hidden)
        return min(width, self.truncate_dim or width)

    def width(self, hidden: int) -> int:
        """Its length before the model cuts it."""
        widths = [step.shape[0] for step in self.steps if isinstance(step, Dense)]
        return widths[-1] if widths else hidden * len(self.modes)

    def plan(self, *, normalize: bool | None = None, truncate_dim: int | None = None, skip: int = 0) -> Plan:
        """What the core computes in its forward pass, and what is left: the only place that decides it.

        ``normalize`` None means as the model says, and so does ``truncate_dim``; ``skip`` is the number of tokens
        of the prompt. A vector that is cut to ``truncate_dim`` is normalised after
        the cut, so that it has length 1. The core fuses a single mode, and after it a normalisation if nothing
        else follows.
        """
        as_model = self.normalize
        scaled = as_model if normalize is None else normalize
        steps: list[Step] = [*(self.steps[:-1] if as_model else self.steps)]
        if truncate_dim is None and self.truncate_dim is not None:
            truncate_dim = self.truncate_dim
            if scaled and normalize is None:  # as the model has it: first to length 1, then the cut
                steps.append(Normalize())
                scaled = False
        if truncate_dim is not None:
            steps.append(Truncate(truncate_dim))
        skip = 0 if self.include_prompt else skip
        fused = self.modes[0] if len(self.modes) == 1 and not skip and self.mix is None else None
        if scaled and fused is not None and not steps:
            return Plan(self.modes, fused, True, ())
        if scaled:
            steps.append(Normalize())
        return Plan(self.modes, fused, False, tuple(steps), self.mix, skip)


def check_widths(steps: Sequence[Step], width: int, name: str) -> None:
    """Raise ``CheckpointError``, which begins with ``name``, unless each step takes what comes before it."""
    for i, step in enumerate(steps):
        if isinstance(step, LayerNorm) and step.width != width:
            raise CheckpointError(
                f"{name}: layer norm {i} must take the {width} features that come before it, it has {step.width}"
            )
        if isinstance(step, Dense):
            if step.shape[1] != width:
                raise CheckpointError(
                    f"{name}: dense layer {i} must take the {width} features that come before it, "
                    f"its weight has shape {step.shape}"
                )
            width = step.shape[0]


def describe(modes: Sequence[Pooling]) -> str:
    """The modes in words, for a repr."""
    return "+".join(mode.name.lower() for mode in modes)


def _without_first(
    hidden: Floats, offsets: NDArray[np.int64], count: int
) -> tuple[Floats, NDArray[np.int64], Floats]:
    """The states without the first tokens of each text, where each text begins then, and the states as they were."""
    lengths = np.diff(offsets)
    places = np.arange(len(hidden)) - np.repeat(offsets[:-1], lengths)
    starts = np.concatenate([[0], np.cumsum(np.maximum(lengths - count, 0))]).astype(np.int64)
    return np.ascontiguousarray(hidden[places >= count]), starts, hidden


def _late_weights(hidden: Floats, offsets: NDArray[np.int64], count: int) -> Floats:
    """The weighted mean of tokens after the first ``count``, which keep the weights of their places."""
    out = np.zeros((len(offsets) - 1, hidden.shape[1]), dtype=np.float32)
    for i, (start, stop) in enumerate(zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)):
        weights = np.arange(count + 1, stop - start + 1, dtype=np.float64)
        if len(weights):
            total = (hidden[start + count : stop] * weights[:, None]).sum(axis=0)
            out[i] = total / weights.sum()
    return out
