"""The nearest of many vectors, by all products."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["topk"]


def topk(
    queries: Any, corpus: Any, k: int, *, num_threads: int | None = None
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """The k largest products of each query with the rows of a corpus, and their rows; see `polysemy.ops.topk`."""
    products = np.asarray(queries) @ np.asarray(corpus).T
    rows = np.argsort(-products, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(products, rows, axis=1), rows
