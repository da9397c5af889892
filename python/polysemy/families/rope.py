"""Rotary positions as configurations describe them, in the two forms that are in use.

The new form has an object ``rope_parameters``, or one for each kind of layer in it; the old one has ``rope_theta``
and ``rope_scaling`` side by side.
"""

from __future__ import annotations

from ..errors import CheckpointError, UnsupportedModelError
from ..model.rotary import llama3_frequencies, ntk_frequencies, rotary_frequencies
from ..model.spec import RotarySpec
from .config import Config

__all__ = ["rotary"]


def rotary(
    config: Config,
    dim: int,
    theta: float,
    *,
    kind: str | None = None,
    old_theta: str = "rope_theta",
    old_scaling: str | None = "rope_scaling",
) -> RotarySpec:
    """The frequencies of heads of width ``dim``; ``theta`` is the default of the family.

    ``kind`` picks the parameters of a kind of layer, whose base is ``old_theta`` in the old form, and whose scaling
    ``old_scaling``. Scaling that is not modelled raises ``UnsupportedModelError``.
    """
    parameters = config.section("rope_parameters")
    if kind is not None:
        parameters = parameters.section(kind)
    base = parameters.number("rope_theta", config.number(old_theta, theta))
    scaling = (
        parameters if parameters.has("rope_type") or old_scaling is None else config.section(old_scaling)
    )
    for place in (config, parameters):
        place.require("partial_rotary_factor", 1.0)
    return RotarySpec(_scaled(scaling, dim, base))


def _scaled(scaling: Config, dim: int, base: float) -> tuple[float, ...]:
    kind = scaling.text("rope_type", scaling.text("type", "default"))
    if kind in ("default", "dynamic"):  # dynamic: longer texts than the model takes would change the base
        return rotary_frequencies(dim, base)
    factor = scaling.number("factor") if kind in ("linear", "ntk", "llama3") else 1.0
    if not factor > 0:
        raise CheckpointError(f"{scaling.source}: factor must be positive, got {factor}")
    if kind == "linear":
        return rotary_frequencies(dim, base, factor=factor)
    if kind == "ntk":
        scaling.require("mixed_b")
        return ntk_frequencies(dim, base, factor)
    if kind == "llama3":
        return llama3_frequencies(
            dim,
            base,
            factor=factor,
            low=scaling.number("low_freq_factor"),
            high=scaling.number("high_freq_factor"),
            trained=scaling.integer("original_max_position_embeddings"),
        )
    raise UnsupportedModelError(
        f"{scaling.source}: rope_type={kind!r} is not supported; supported: default, dynamic, linear, llama3, ntk"
    )
