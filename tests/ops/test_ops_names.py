"""Arguments that are names: of a precision, of an activation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from polysemy import ops
from polysemy.model.precision import resolve
from polysemy.util import quantize_embeddings

NOT_NAMES: list[object] = [np.ones(2), [], ["gelu"], {}, 7, b"gelu", object(), "x" * 10_000]


@pytest.mark.parametrize("value", NOT_NAMES, ids=lambda value: type(value).__name__)
def test_names_are_refused_by_name(value: Any) -> None:
    """What can't be compared with a name or has no hash is as wrong as any other value."""
    x, vectors = np.ones((2, 2), np.float32), np.ones((3, 4), np.float32)
    calls: dict[str, Callable[[], object]] = {
        "gelu: approximate": lambda: ops.gelu(x, approximate=value),
        "activation": lambda: ops.linear(x, x, activation=value),
        "linear: precision": lambda: ops.linear(x, x, precision=value),
        "PackedWeight: precision": lambda: ops.PackedWeight(x, value),
        "from_pretrained: precision": lambda: resolve(value),
        "quantize_embeddings: precision": lambda: quantize_embeddings(vectors, value),
    }
    for argument, call in calls.items():
        with pytest.raises(ValueError, match=f"{argument} must be ") as caught:
            call()
        assert len(str(caught.value)) < 1000
