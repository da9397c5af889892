"""Typed, strict reading of a ``config.json``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from ..errors import CheckpointError, UnsupportedModelError
from ..model.spec import Activation
from ..shown import shown

__all__ = ["FULL", "SLIDING", "Config"]

# Kinds of attention in ``layer_types``.
FULL, SLIDING = "full_attention", "sliding_attention"

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
_MOST_HEADS = 4096


class Config:
    """A view of ``config.json`` whose getters check types and name the field in their errors.

    A field of the wrong type or out of range raises ``CheckpointError``; a value that is legal but not
    modelled raises ``UnsupportedModelError``.
    """

    __slots__ = ("_values", "asked", "source")

    def __init__(self, values: Mapping[str, object], source: str = "config.json") -> None:
        self._values = values
        self.source = source
        self.asked: set[str] = set()
        """The names of the fields that somebody has looked at, whether they are there or not."""

    def __bool__(self) -> bool:
        return bool(self._values)

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the fields."""
        return tuple(self._values)

    def integer(self, name: str, default: int | None = None) -> int:
        """A whole number. Without a default the field must be there."""
        value = self._get(name, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise CheckpointError(f"{self.source}: {name} must be an integer, got {shown(value)}")
        return value

    def number(self, name: str, default: float | None = None) -> float:
        """A number, whole or not. Without a default the field must be there."""
        value = self._get(name, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise CheckpointError(f"{self.source}: {name} must be a number, got {shown(value)}")
        try:
            return float(value)
        except OverflowError:
            raise CheckpointError(f"{self.source}: {name} must be a float64, got more") from None

    def text(self, name: str, default: str | None = None) -> str:
        """A string. Without a default the field must be there."""
        value = self._get(name, default)
        if not isinstance(value, str):
            raise CheckpointError(f"{self.source}: {name} must be a string, got {shown(value)}")
        return value

    def switch(self, name: str, default: bool) -> bool:
        """True or false."""
        value = self._get(name, default)
        if not isinstance(value, bool):
            raise CheckpointError(f"{self.source}: {name} must be true or false, got {shown(value)}")
        return value

    def texts(self, name: str) -> list[str] | None:
        """A list of strings, or None where there is none."""
        value = self._look(name)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise CheckpointError(f"{self.source}: {name} must be a list of strings, got {shown(value)}")
        return value

    def section(self, name: str) -> Config:
        """The object under this name as a view of its own; an empty one where there is none."""
        value = self._get(name, {})
        if not isinstance(value, dict):
            raise CheckpointError(f"{self.source}: {name} must be an object, got {shown(value)}")
        return Config(value, f"{self.source}: {name}")

    def is_section(self, name: str) -> bool:
        """Whether the field is an object."""
        return isinstance(self._look(name), dict)

    def is_text(self, name: str) -> bool:
        """Whether the field is a string."""
        return isinstance(self._look(name), str)

    def has(self, name: str) -> bool:
        """Whether the field is there, and not null."""
        return self._look(name) is not None

    def activation(self, name: str, default: str = "gelu") -> Activation:
        """The activation that a field names, by its name in transformers."""
        return self.known_activation(name, self.text(name, default))

    def known_activation(self, name: str, value: str) -> Activation:
        """The activation of this name, which the field ``name`` asks for."""
        if value not in _ACTIVATIONS:
            raise UnsupportedModelError(
                f"{self.source}: {name}={shown(value)} is not supported; supported: {', '.join(_ACTIVATIONS)}"
            )
        return _ACTIVATIONS[value]

    def layers(self, name: str, default: int | None = None) -> int:
        """A number of layers."""
        value = self.integer(name, default)
        if not 1 <= value <= _MOST_LAYERS:
            raise CheckpointError(f"{self.source}: {name} must be in 1..{_MOST_LAYERS}, got {shown(value)}")
        return value

    def layer_types(
        self, layers: int, default: Callable[[int], str], known: Collection[str] = (FULL, SLIDING)
    ) -> list[str]:
        """The kind of attention in each layer, from ``layer_types`` or, in older files, from its number."""
        kinds = self.texts("layer_types")
        if kinds is None:
            return [default(i) for i in range(layers)]
        if len(kinds) != layers or not set(kinds) <= set(known):
            raise UnsupportedModelError(
                f"{self.source}: layer_types must be {layers} times {' or '.join(map(repr, known))}, got {shown(kinds)}"
            )
        return kinds

    def size(self, name: str, default: int | None = None) -> int:
        """A positive number that is small in every model: of heads, or of features of one."""
        value = self.integer(name, default)
        if not 1 <= value <= _MOST_HEADS:
            raise CheckpointError(f"{self.source}: {name} must be in 1..{_MOST_HEADS}, got {shown(value)}")
        return value

    def head_dim(self, hidden: int, heads: int) -> int:
        """The width of a head where the configuration implies it."""
        if hidden > _MOST_HEADS * _MOST_HEADS:
            raise CheckpointError(f"{self.source}: the hidden size is too large, got {shown(hidden)}")
        if heads < 1 or hidden < 1 or hidden % heads:
            raise CheckpointError(
                f"{self.source}: the hidden size must be a positive multiple of the number of attention "
                f"heads, got {shown(hidden)} and {shown(heads)}"
            )
        return hidden // heads

    def _get(self, name: str, default: object) -> object:
        value = self._look(name)  # null is written for what is not set
        return default if value is None else value

    def _look(self, name: str) -> object:
        self.asked.add(name)
        return self._values.get(name)

    def require(self, name: str, *allowed: object) -> None:
        """Raise ``UnsupportedModelError`` unless the field is absent, null, or one of ``allowed``."""
        value = self._look(name)
        if value is not None and value not in allowed:
            expected = " or ".join(repr(option) for option in allowed) or "absent"
            raise UnsupportedModelError(
                f"{self.source}: {name}={shown(value)} is not supported, expected {expected}"
            )
