"""What a family of encoders is: two functions and a few names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CheckpointError
from ..model.heads import HeadKind, HeadSpec
from ..model.spec import EncoderSpec
from ..record import record
from .config import Config

__all__ = [
    "BERT_ATTENTION",
    "LLAMA_LINEAR",
    "Family",
    "NameMatch",
    "Names",
    "Stored",
    "bare_name",
    "either",
    "fused_names",
    "layer_names",
    "match_names",
    "with_parameters",
]


@record
class Stored:
    """How a checkpoint stores a parameter, where that is more than a name."""

    name: str
    """Of the tensor, without a prefix."""
    part: tuple[int, int] = (0, 1)
    """``(i, n)``: the parameter is the i-th of n equal parts of the tensor's rows."""
    plus: float = 0.0
    """Added to every element: some norms store their weight minus one."""

    def shape(self, stored: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the parameter in a tensor of this shape."""
        return (self._rows(stored[0]), *stored[1:]) if stored else stored

    def of(self, tensor: NDArray[Any]) -> NDArray[Any]:
        """The parameter; a view where the tensor holds it as it is."""
        begin, end = self.span(len(tensor))
        return tensor[begin:end] + np.float32(self.plus) if self.plus else tensor[begin:end]

    def span(self, stored: int) -> tuple[int, int]:
        """Which rows of a tensor that has this many, half open."""
        count = self._rows(stored)
        return self.part[0] * count, (self.part[0] + 1) * count

    def _rows(self, stored: int) -> int:
        # Rows that don't divide evenly belong to no parameter: the shape of the whole shows that.
        return stored // self.part[1] if stored % self.part[1] == 0 else stored


Names = str | Stored | tuple[str | Stored, ...]


def _no_heads(config: Config) -> Mapping[HeadKind, HeadSpec]:
    return {}


@record
class Family:
    """How the checkpoints of one family are configured and how they name their tensors."""

    model_types: tuple[str, ...]
    """Values of ``model_type`` in config.json that this family answers to."""
    spec: Callable[[Config], EncoderSpec]
    """config.json -> spec; raises on every value that the graph does not model."""
    names: Callable[[EncoderSpec], Mapping[str, Names]]
    """Canonical name -> how the checkpoint stores it, without a prefix; several ways where files differ."""
    prefixes: tuple[str, ...] = ()
    """What checkpoints saved with a task head put before the encoder's names."""
    ignored: tuple[str, ...] = ()
    """Beginnings of names (without prefix) that the encoder does not need: task heads and poolers."""
    heads: Callable[[Config], Mapping[HeadKind, HeadSpec]] = _no_heads
    """config.json -> the heads that checkpoints may have, with the names of their tensors."""
    remote: tuple[str, ...] = ()
    """Classes in code beside a checkpoint, as ``auto_map`` names them, that mean this family: a class alone, or with
    the repository and module that it must come from. That code is never run."""
    remote_only: bool = False
    """Whether the family needs to be named in this way, because its ``model_type`` is that of another."""

    def means(self, code: str | None) -> bool:
        """Whether this entry of ``auto_map``, or None, which is no code, means this family of a ``model_type``."""
        if code is None:
            return not self.remote_only
        return any(code == known or code.rpartition(".")[2] == known for known in self.remote)


@record
class NameMatch:
    """``stored``: canonical name -> what to read. ``surplus``: names in the file that answer to nothing."""

    stored: dict[str, Stored]
    surplus: list[str]


# Buffers that old versions of transformers saved; every model computes them.
_BUFFERS = ("embeddings.position_ids", "embeddings.token_type_ids")
# Names of layer norm parameters in checkpoints that were converted from TensorFlow.
_LEGACY_ENDINGS = {".gamma": ".weight", ".beta": ".bias"}


def stored_as(family: Family, spec: EncoderSpec) -> dict[str, tuple[Stored, ...]]:
    """Canonical name -> the ways in which files of the family store it."""
    return {key: _ways(names) for key, names in family.names(spec).items()}


def _ways(names: Names) -> tuple[Stored, ...]:
    ways = names if isinstance(names, tuple) else (names,)
    return tuple(Stored(way) if isinstance(way, str) else way for way in ways)


def match_names(family: Family, spec: EncoderSpec, found: Iterable[str]) -> NameMatch:
    """Find out which stored tensor is which parameter, or holds several.

    Raises ``CheckpointError`` when two stored names mean the same parameter. A second way of storing one that is
    among the family's ignored names may stand beside the first.
    """
    wanted: dict[str, list[tuple[str, Stored]]] = {}
    for key, ways in stored_as(family, spec).items():
        for way in ways:
            wanted.setdefault(way.name, []).append((key, way))
    match = NameMatch({}, [])
    spares: set[str] = set()  # parameters for which only an ignored name was found so far
    for name in found:
        bare = bare_name(name, family.prefixes)
        ignored = bare.startswith(family.ignored)
        if bare not in wanted and bare not in _BUFFERS and not ignored:
            match.surplus.append(name)
        for key, way in wanted.get(bare, ()):
            if key in match.stored and ignored:
                continue
            if key in match.stored and key not in spares:
                raise CheckpointError(
                    f"checkpoint: {match.stored[key].name!r} and {name!r} are the same parameter, {key}"
                )
            match.stored[key] = replace(way, name=name)
            (spares.add if ignored else spares.discard)(key)
    return match


def bare_name(name: str, prefixes: Iterable[str]) -> str:
    """A tensor's name without a prefix, in its present spelling."""
    for prefix in prefixes:
        if name.startswith(prefix):
            name = name[len(prefix) :]
            break
    for old, new in _LEGACY_ENDINGS.items():
        if name.endswith(old):
            return name[: -len(old)] + new
    return name


def with_parameters(modules: Mapping[str, str]) -> dict[str, str]:
    """The same map for the ``weight`` and ``bias`` of each module."""
    return {f"{key}.{part}": f"{name}.{part}" for key, name in modules.items() for part in ("weight", "bias")}


# What BERT and its descendants call the attention of a layer, and its norm.
BERT_ATTENTION = {
    "attention.query": "attention.self.query",
    "attention.key": "attention.self.key",
    "attention.value": "attention.self.value",
    "attention.output": "attention.output.dense",
    "attn_out": "attention.output.LayerNorm",
}
# What Llama and its descendants call the linear maps of a layer.
LLAMA_LINEAR = {
    "attention.query": "self_attn.q_proj",
    "attention.key": "self_attn.k_proj",
    "attention.value": "self_attn.v_proj",
    "attention.output": "self_attn.o_proj",
    "ffn.gate": "mlp.gate_proj",
    "ffn.up": "mlp.up_proj",
    "ffn.down": "mlp.down_proj",
}


def layer_names(spec: EncoderSpec, theirs: str, parts: Mapping[str, str]) -> dict[str, str]:
    """``parts`` of every set of weights: ``layers.i.<key>`` -> ``theirs`` (with ``{}`` for i) and the value."""
    return {
        f"layers.{i}.{key}": f"{theirs.format(i)}.{name}"
        for i in _sets_of_weights(spec)
        for key, name in parts.items()
    }


def fused_names(spec: EncoderSpec, theirs: str, parts: Sequence[str]) -> dict[str, Stored]:
    """``parts`` of every set of weights, which one linear layer ``theirs`` (with ``{}``) holds in this order."""
    return {
        f"layers.{i}.{key}.{kind}": Stored(f"{theirs.format(i)}.{kind}", part=(place, len(parts)))
        for i in _sets_of_weights(spec)
        for place, key in enumerate(parts)
        for kind in ("weight", "bias")
    }


def either(*spellings: Mapping[str, Names]) -> dict[str, Names]:
    """One map of several, for parameters that files may store in the way of any of them."""
    keys = dict.fromkeys(key for spelling in spellings for key in spelling)
    return {
        key: tuple(way for spelling in spellings if key in spelling for way in _ways(spelling[key]))
        for key in keys
    }


def _sets_of_weights(spec: EncoderSpec) -> Iterator[int]:
    return iter(range(1 + max((layer.weights for layer in spec.layers), default=-1)))
