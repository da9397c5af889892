"""What was cut off texts that are longer than the model reads."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import TruncationWarning
from ..text.extent import counted_up_to

__all__ = ["Losses", "frames_inside"]

_PACKAGE = str(Path(__file__).parents[1])


class Losses:
    """Counts texts, the cut ones among them, and the tokens that they lost."""

    __slots__ = ("cut", "most", "texts", "tokens")

    def __init__(self, tokens_cut: NDArray[np.int64] | None = None) -> None:
        self.texts = self.cut = self.tokens = self.most = 0
        if tokens_cut is not None:
            self.add(tokens_cut)

    def add(self, tokens_cut: NDArray[np.int64]) -> None:
        """Further texts: how many tokens each of them lost, (n,)."""
        self.texts += len(tokens_cut)
        cut = int(np.count_nonzero(tokens_cut))
        if cut:
            self.cut += cut
            self.tokens += int(tokens_cut.sum())
            self.most = max(self.most, int(tokens_cut.max()))

    def warn(self, method: str, limit: int) -> None:
        """Warn if tokens were lost, at the line of the program that called this package."""
        if self.cut:
            warnings.warn(
                f"{method}: {self.cut} of {self.texts} texts were longer than max_seq_length={limit} tokens; "
                f"{'at least ' if self.most >= counted_up_to(limit) else ''}{self.tokens} tokens were left out",
                TruncationWarning,
                stacklevel=frames_inside(),
            )


def frames_inside() -> int:
    """How many frames up from the caller the first one outside of this package is, as ``stacklevel`` counts."""
    count, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        count, frame = count + 1, frame.f_back
    return count
