"""Canonical parameters of an encoder: their names and shapes, as the compiled core lists them for a spec.

Matrices of linear layers are ``(out, in)``: ``y = x @ weight.T + bias``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from .. import _core
from ..errors import CheckpointError
from .spec import EncoderSpec, native

__all__ = ["check_shapes", "count_parameters", "expected_shapes"]

Shape = tuple[int, ...]

# How many names of one kind an error message spells out; a wrong file can have thousands.
_SHOWN = 20


def expected_shapes(spec: EncoderSpec) -> dict[str, Shape]:
    """Canonical name -> shape of every parameter that an encoder with this spec has, in the order of their use."""
    return dict(_core.parameters(native(spec)))


def count_parameters(spec: EncoderSpec) -> int:
    """Number of scalars in all parameters."""
    return sum(math.prod(shape) for shape in expected_shapes(spec).values())


def check_shapes(
    spec: EncoderSpec,
    found: Mapping[str, Shape],
    *,
    surplus: Iterable[str] = (),
    stored_as: Mapping[str, str] | None = None,
    source: str = "weights",
) -> None:
    """Compare the shapes that were found with those that the spec asks for.

    ``found`` maps canonical names to shapes; ``surplus`` are further names that no parameter answers to;
    ``stored_as`` gives the name that a checkpoint uses for a canonical one, for the message. Every
    missing, surplus and misshaped tensor is reported in one ``CheckpointError``.
    """
    expected = expected_shapes(spec)
    spelled = stored_as or {}

    def shown(name: str) -> str:
        other = spelled.get(name)
        return f"{name} ({other})" if other else name

    missing = [shown(name) for name in expected if name not in found]
    extra = [*surplus, *(name for name in found if name not in expected)]
    misshaped = [
        f"{shown(name)} must have shape {expected[name]}, got {tuple(shape)}"
        for name, shape in found.items()
        if name in expected and tuple(shape) != expected[name]
    ]
    problems = [
        _listed(kind, items)
        for kind, items in (("missing", missing), ("surplus", extra), ("misshaped", misshaped))
        if items
    ]
    if problems:
        raise CheckpointError(f"{source}: the tensors do not fit the configuration: " + "; ".join(problems))


def _listed(kind: str, items: list[str]) -> str:
    rest = len(items) - _SHOWN
    tail = f", and {rest} more" if rest > 0 else ""
    return f"{len(items)} {kind}: " + ", ".join(items[:_SHOWN]) + tail
