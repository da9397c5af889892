"""Rotary positions as configurations describe them, in the two forms that are in use.

The new form has an object ``rope_parameters``, or one for each kind of layer in it; the old one has ``rope_theta``
and ``rope_scaling`` side by side.
"""

from __future__ import annotations

from dataclasses import replace

from ..errors import CheckpointError, UnsupportedModelError
from ..model.rotary import (
    llama3_frequencies,
    ntk_frequencies,
    rotary_frequencies,
    yarn_factor,
    yarn_frequencies,
)
from ..model.spec import AttentionSpec, RotarySpec
from .config import FULL, SLIDING, Config

__all__ = ["with_rotary"]

_COMMON = (
    "rope_type",
    "type",
    "rope_theta",
    "partial_rotary_factor",
    "original_max_position_embeddings",
    "factor",
)
# What each type reads beyond these. Frequencies that depend on the length of the text are none of them: longrope is
# refused, and dynamic changes them only for texts longer than the model takes.
_TYPES: dict[str, tuple[str, ...]] = {
    "default": (),
    "dynamic": (),
    "linear": (),
    "llama3": ("low_freq_factor", "high_freq_factor"),
    "ntk": (),
    "yarn": ("attention_factor", "beta_fast", "beta_slow", "mscale", "mscale_all_dim", "truncate"),
}
_SCALED = ("linear", "llama3", "ntk", "yarn")


def with_rotary(
    config: Config,
    attention: AttentionSpec,
    theta: float,
    *,
    kind: str | None = None,
    old_theta: str = "rope_theta",
    old_scaling: str | None = "rope_scaling",
) -> AttentionSpec:
    """The attention with rotary positions over its whole heads; ``theta`` is the default of the family.

    ``kind`` picks the parameters of a kind of layer, whose base is ``old_theta`` in the old form, and whose scaling
    ``old_scaling``. A factor of sines and cosines comes twice into every score, and so into their scale. Scaling that
    is not modelled raises ``UnsupportedModelError``.
    """
    parameters = config.section("rope_parameters")
    if old_scaling is not None and parameters and config.section(old_scaling):
        raise UnsupportedModelError(f"{config.source}: rope_parameters and {old_scaling} exclude each other")
    _refuse_other_form(parameters, by_kind=kind is not None)
    if kind is not None:
        parameters = parameters.section(kind)
    base = parameters.number("rope_theta", config.number(old_theta, theta))
    scaling = parameters if parameters or old_scaling is None else config.section(old_scaling)
    base = scaling.number("rope_theta", base)
    for place in (config, scaling):
        place.require("partial_rotary_factor", 1.0)
    for name, whole in {
        "rotary_pct": 1.0,
        "rotary_emb_fraction": 1.0,
        "rotary_dim": attention.head_dim,
    }.items():
        config.require(name, whole)
    rope_type = scaling.text("rope_type", scaling.text("type", "default"))
    if rope_type not in _TYPES:
        raise UnsupportedModelError(
            f"{scaling.source}: rope_type={rope_type!r} is not supported; supported: {', '.join(_TYPES)}"
        )
    for name in scaling.fields:
        if name not in _COMMON + _TYPES[rope_type]:
            scaling.require(name)
    if kind is not None:  # transformers reads it beside the kinds alone
        scaling.require("truncate", True)
    trained = config.integer("max_position_embeddings", 0)
    trained = scaling.integer("original_max_position_embeddings", trained)
    if kind is None:
        trained = config.integer("original_max_position_embeddings", trained)
    frequencies, turned = _frequencies(scaling, rope_type, attention.head_dim, base, trained)
    return replace(attention, rotary=RotarySpec(frequencies), scale=attention.scale * turned**2)


def _refuse_other_form(parameters: Config, *, by_kind: bool) -> None:
    """Parameters for kinds of layers where there are none, or the other way round: nothing would read them."""
    for name in parameters.fields:
        wrong = name not in (FULL, SLIDING) if by_kind else parameters.is_section(name)
        if parameters.has(name) and wrong:
            raise UnsupportedModelError(
                f"{parameters.source}: {name} must be {'in the object of a kind of layer' if by_kind else 'no object'}"
            )


def _frequencies(
    scaling: Config, rope_type: str, dim: int, base: float, trained: int
) -> tuple[tuple[float, ...], float]:
    """Radians per token, and the factor of sines and cosines."""
    factor = scaling.number("factor") if rope_type in _SCALED else 1.0
    if not factor > 0:
        raise CheckpointError(f"{scaling.source}: factor must be positive, got {factor}")
    if rope_type == "ntk":
        return ntk_frequencies(dim, base, factor), 1.0
    if rope_type == "llama3":
        low, high = scaling.number("low_freq_factor"), scaling.number("high_freq_factor")
        return llama3_frequencies(dim, base, factor=factor, low=low, high=high, trained=trained), 1.0
    if rope_type == "yarn":
        return _yarn(scaling, dim, base, factor, trained)
    return rotary_frequencies(dim, base, factor=factor), 1.0


def _yarn(
    scaling: Config, dim: int, base: float, factor: float, trained: int
) -> tuple[tuple[float, ...], float]:
    frequencies = yarn_frequencies(
        dim,
        base,
        factor=factor,
        trained=trained,
        fast=scaling.number("beta_fast", 0.0) or 32.0,
        slow=scaling.number("beta_slow", 0.0) or 1.0,
        whole=scaling.switch("truncate", True),
    )
    numerator, denominator = scaling.number("mscale", 0.0), scaling.number("mscale_all_dim", 0.0)
    if numerator and denominator:
        turned = yarn_factor(factor, numerator) / yarn_factor(factor, denominator)
    else:
        turned = yarn_factor(factor)
    return frequencies, scaling.number("attention_factor", turned)
