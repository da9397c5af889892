"""Typed, strict reading of a ``config.json``."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import CheckpointError, UnsupportedModelError
from ..model.spec import Activation

__all__ = ["Config"]

# The names that transformers gives to the activations which the core computes.
_ACTIVATIONS = {
    "gelu": Activation.GELU_ERF,
    "gelu_python": Activation.GELU_ERF,
    "gelu_new": Activation.GELU_TANH,
    "gelu_fast": Activation.GELU_TANH,
    "gelu_pytorch_tanh": Activation.GELU_TANH,
    "gelu_python_tanh": Activation.GELU_TANH,
    "gelu_accurate": Activation.GELU_TANH,
    "relu": Activation.RELU,
    "silu": Activation.SILU,
    "swish": Activation.SILU,
    "tanh": Activation.TANH,
    "quick_gelu": Activation.QUICK_GELU,
}


# Far above any model, and small enough that a hostile number costs nothing.
_MOST_LAYERS = 4096


class Config:
    """A view of ``config.json`` whose getters check types and name the field in their errors.

    A field of the wrong type or out of range raises ``CheckpointError``; a value that is legal but not
    modelled raises ``UnsupportedModelError``.
    """

    __slots__ = ("_values", "source")

    def __init__(self, values: Mapping[str, object], source: str = "config.json") -> None:
        self._values = values
        self.source = source

    def integer(self, name: str, default: int | None = None) -> int:
        """A whole number. Without a default the field must be there."""
        value = self._values.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise CheckpointError(f"{self.source}: {name} must be an integer, got {value!r}")
        return value

    def number(self, name: str, default: float) -> float:
        """A number, whole or not."""
        value = self._values.get(name, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise CheckpointError(f"{self.source}: {name} must be a number, got {value!r}")
        try:
            return float(value)
        except OverflowError:
            raise CheckpointError(f"{self.source}: {name} must be a float64, got more") from None

    def text(self, name: str, default: str | None = None) -> str:
        """A string. Without a default the field must be there."""
        value = self._values.get(name, default)
        if not isinstance(value, str):
            raise CheckpointError(f"{self.source}: {name} must be a string, got {value!r}")
        return value

    def activation(self, name: str, default: str = "gelu") -> Activation:
        """The activation that a field names, by its name in transformers."""
        value = self.text(name, default)
        if value not in _ACTIVATIONS:
            raise UnsupportedModelError(
                f"{self.source}: {name}={value!r} is not supported; supported: {', '.join(_ACTIVATIONS)}"
            )
        return _ACTIVATIONS[value]

    def layers(self, name: str) -> int:
        """A number of layers."""
        value = self.integer(name)
        if not 1 <= value <= _MOST_LAYERS:
            raise CheckpointError(f"{self.source}: {name} must be in 1..{_MOST_LAYERS}, got {value}")
        return value

    def head_dim(self, hidden: int, heads: int) -> int:
        """The width of a head where the configuration implies it."""
        if heads < 1 or hidden < 1 or hidden % heads:
            raise CheckpointError(
                f"{self.source}: the hidden size must be a positive multiple of the number of attention "
                f"heads, got {hidden} and {heads}"
            )
        return hidden // heads

    def require(self, name: str, *allowed: object) -> None:
        """Raise ``UnsupportedModelError`` unless the field is absent, null, or one of ``allowed``."""
        value = self._values.get(name)
        if value is not None and value not in allowed:
            expected = " or ".join(repr(option) for option in allowed) or "absent"
            raise UnsupportedModelError(
                f"{self.source}: {name}={value!r} is not supported, expected {expected}"
            )
