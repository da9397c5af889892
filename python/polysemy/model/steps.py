"""Steps on rows of features, of sentence vectors or of tokens: linear layers, norms, a cut."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..record import record
from .spec import Activation, Norm

if TYPE_CHECKING:
    from .._core import PackedWeight

__all__ = ["Dense", "LayerNorm", "Normalize", "Step", "Truncate"]

Floats = NDArray[np.float32]


class Dense:
    """``activation(x @ weight.T + bias)``, possibly with a residual added to it. ``weight`` is (out, in)."""

    __slots__ = ("_beside", "_bias", "_packed", "activation", "residual", "shape")

    _beside: Dense | None

    def __init__(
        self,
        weight: Floats,
        bias: Floats | None,
        activation: Activation,
        *,
        residual: bool = False,
        beside: Floats | None = None,
    ) -> None:
        """``residual`` adds ``x``, or where ``beside`` (out, in) is given ``x @ beside.T``."""
        from .._core import PackedWeight

        self.shape: tuple[int, int] = (weight.shape[0], weight.shape[1])
        self.activation = activation
        self.residual = residual
        self._packed: PackedWeight = PackedWeight(np.ascontiguousarray(weight))
        self._bias = None if bias is None else np.ascontiguousarray(bias)
        self._beside = None if beside is None else Dense(beside, None, Activation.NONE)

    def __call__(self, x: Floats, num_threads: int = 0) -> Floats:
        """(n, in) -> (n, out)."""
        from .._core import linear

        x = np.ascontiguousarray(x)
        out = np.empty((x.shape[0], self.shape[0]), dtype=np.float32)
        added = None
        if self.residual:
            added = x if self._beside is None else self._beside(x, num_threads)
        linear(x, self._packed, self._bias, added, self.activation, out, num_threads=num_threads)
        return out


class LayerNorm:
    """Each row less its mean, by its deviation, times ``weight`` plus ``bias``; ``rms`` leaves out the mean."""

    __slots__ = ("_bias", "_eps", "_rms", "_weight", "width")

    def __init__(self, weight: Floats, bias: Floats | None, eps: float, kind: Norm = Norm.LAYER) -> None:
        self.width = len(weight)
        self._weight = np.ascontiguousarray(weight)
        self._bias = None if bias is None else np.ascontiguousarray(bias)
        self._eps = eps
        self._rms = kind == Norm.RMS

    def __call__(self, x: Floats, num_threads: int = 0) -> Floats:
        """(n, width) -> (n, width)."""
        from .._core import layer_norm

        x = np.ascontiguousarray(x)
        out = np.empty_like(x)
        layer_norm(x, self._weight, self._bias, None, self._eps, out, rms=self._rms, num_threads=num_threads)
        return out


@record
class Normalize:
    """Rows scaled to length 1 (L2); a row of zeros stays zeros."""

    def __call__(self, x: Floats, num_threads: int = 0) -> Floats:
        """(n, width) -> (n, width)."""
        from .._core import l2_normalize

        x = np.ascontiguousarray(x)
        out = np.empty_like(x)
        l2_normalize(x, out, num_threads=num_threads)
        return out


@record
class Truncate:
    """The first ``width`` features."""

    width: int

    def __call__(self, x: Floats, num_threads: int = 0) -> Floats:
        """(n, more) -> (n, width)."""
        return np.ascontiguousarray(x[:, : self.width])


Step: TypeAlias = Dense | LayerNorm | Normalize | Truncate
