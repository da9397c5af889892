"""What a family of encoders is: two functions and a few names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from ..errors import CheckpointError
from ..model.spec import EncoderSpec
from .config import Config

__all__ = ["Family", "NameMatch", "match_names"]


@dataclass(frozen=True, slots=True)
class Family:
    """How the checkpoints of one family are configured and how they name their tensors."""

    model_types: tuple[str, ...]
    """Values of ``model_type`` in config.json that this family answers to."""
    spec: Callable[[Config], EncoderSpec]
    """config.json -> spec; raises on every value that the graph does not model."""
    names: Callable[[EncoderSpec], dict[str, str]]
    """Canonical name -> name in the checkpoint, without a prefix."""
    prefixes: tuple[str, ...] = ()
    """What checkpoints saved with a task head put before the encoder's names."""
    ignored: tuple[str, ...] = ()
    """Beginnings of names (without prefix) that the encoder does not need: task heads and poolers."""


@dataclass(frozen=True, slots=True)
class NameMatch:
    """``stored_as``: canonical name -> name in the file. ``surplus``: names that answer to nothing."""

    stored_as: dict[str, str]
    surplus: list[str]


# Buffers that old versions of transformers saved; every model computes them.
_BUFFERS = ("embeddings.position_ids", "embeddings.token_type_ids")
# Names of layer norm parameters in checkpoints that were converted from TensorFlow.
_LEGACY_ENDINGS = {".gamma": ".weight", ".beta": ".bias"}


def match_names(family: Family, spec: EncoderSpec, stored: Iterable[str]) -> NameMatch:
    """Find out which stored tensor is which parameter.

    Raises ``CheckpointError`` when two stored names mean the same parameter.
    """
    canonical = {name: key for key, name in family.names(spec).items()}
    match = NameMatch({}, [])
    for name in stored:
        bare = _bare(name, family.prefixes)
        key = canonical.get(bare)
        if key is not None:
            if key in match.stored_as:
                raise CheckpointError(
                    f"checkpoint: {match.stored_as[key]!r} and {name!r} are the same parameter, {key}"
                )
            match.stored_as[key] = name
        elif bare not in _BUFFERS and not bare.startswith(family.ignored):
            match.surplus.append(name)
    return match


def _bare(name: str, prefixes: Iterable[str]) -> str:
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
