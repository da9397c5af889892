"""Random arrays, and the same in float64 for an oracle."""

from __future__ import annotations

from typing import Any

import numpy as np


def normal(rng: np.random.Generator, *shape: int) -> Any:
    """Standard normal float32."""
    return rng.standard_normal(shape).astype(np.float32)


def wide(x: Any) -> Any:
    """The array in float64; None stays None."""
    return None if x is None else np.asarray(x).astype(np.float64)
