"""What was cut off texts that are longer than the model reads."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from ..errors import TruncationWarning

__all__ = ["Losses"]


class Losses:
    """Counts texts, the cut ones among them, and the tokens that they lost."""

    __slots__ = ("cut", "texts", "tokens")

    def __init__(self, tokens_cut: NDArray[np.int64] | None = None) -> None:
        self.texts = self.cut = self.tokens = 0
        if tokens_cut is not None:
            self.add(tokens_cut)

    def add(self, tokens_cut: NDArray[np.int64]) -> None:
        """Further texts: how many tokens each of them lost, (n,)."""
        self.texts += len(tokens_cut)
        self.cut += int(np.count_nonzero(tokens_cut))
        self.tokens += int(tokens_cut.sum())

    def warn(self, method: str, limit: int, *, stacklevel: int = 2) -> None:
        """Warn if tokens were lost. ``stacklevel`` 1 is the line of this call, 2 that of its caller."""
        if self.cut:
            warnings.warn(
                f"{method}: {self.cut} of {self.texts} texts were longer than max_seq_length={limit} tokens; "
                f"{self.tokens} tokens were left out",
                TruncationWarning,
                stacklevel=stacklevel + 1,
            )
