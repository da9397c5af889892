"""What becomes of a classifier's scores: activations by their names, probabilities."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..errors import UnsupportedModelError
from ..record import record
from ..shown import shown
from ..util.vectors import as_tensor

__all__ = ["Scores", "activation_named", "as_activation", "sigmoid", "softmax"]

Floats = NDArray[np.float32]
Scores = Callable[[Floats], Floats]

# The classes of torch.nn, and what the core calls them.
_NAMES = {
    "Identity": "none",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "ReLU": "relu",
    "GELU": "gelu",
    "SiLU": "silu",
}


@record
class _Elementwise:
    """A function of the core by its name: a closure could not be pickled."""

    name: str

    def __call__(self, x: Floats) -> Floats:
        out = np.empty_like(x)
        _core.activation(np.ascontiguousarray(x), self.name, out)
        return out


sigmoid = _Elementwise("sigmoid")


def softmax(x: Floats) -> Floats:
    """Probabilities of rows, (n, k) -> (n, k)."""
    out = np.empty(x.shape, dtype=np.float32)
    _core.softmax(np.ascontiguousarray(x), out)
    return out


def activation_named(path: str, source: str) -> Scores:
    """The function that a checkpoint names by its class in torch. `UnsupportedModelError` for any other."""
    package, _, name = path.rpartition(".")
    if package.partition(".")[0] != "torch" or name not in _NAMES:
        raise UnsupportedModelError(
            f"{source}: activation_fn must be one of torch.nn...{', '.join(_NAMES)}, got {shown(path)}"
        )
    return _Elementwise(_NAMES[name])


@record
class _OfTensors:
    """A function of torch, which is at hand where there is one."""

    function: Callable[[Any], Any]

    def __call__(self, x: Floats) -> Floats:
        made: Any = self.function(as_tensor(x, "activation_fn"))
        return np.asarray(made.detach().numpy(), dtype=np.float32)


def as_activation(value: object, name: str) -> Scores:
    """A function of arrays, or of tensors where it is one of torch's own."""
    kind = type(value)
    exact = getattr(value, "approximate", "none") == "none"  # of GELU
    if kind.__module__.startswith("torch.nn.") and kind.__name__ in _NAMES and exact:
        return _Elementwise(_NAMES[kind.__name__])
    if not callable(value):
        raise TypeError(f"{name} must be a function of an array, or one of torch, got {kind.__name__}")
    return _OfTensors(value) if _is_of_torch(value) else value


def _is_of_torch(value: Callable[[Any], Any]) -> bool:
    """Whether it is a module of torch, also one of a user's class, or a function of torch."""
    torch = sys.modules.get("torch")
    if torch is None:
        return False
    home = str(getattr(value, "__module__", None)).partition(".")[0]
    known = getattr(torch, getattr(value, "__name__", ""), None) is value
    return home == "torch" or known or isinstance(value, torch.nn.Module)
