"""`SimilarityFunction`: the names of similarities."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

from ..shown import shown
from .late_interaction import MAXSIMS
from .similarity import SIMILARITIES

__all__ = ["SimilarityFunction"]

_FUNCTIONS = SIMILARITIES | MAXSIMS


class SimilarityFunction(Enum):
    """A similarity, which arguments ``similarity_fn_name`` take as well as its name."""

    COSINE = "cosine"
    DOT_PRODUCT = "dot"
    DOT = "dot"  # noqa: PIE796  (an alias)
    EUCLIDEAN = "euclidean"
    MANHATTAN = "manhattan"
    MAXSIM = "maxsim"
    MEAN_MAXSIM = "meanmaxsim"

    @classmethod
    def _missing_(cls, value: object) -> SimilarityFunction:
        raise ValueError(
            f"SimilarityFunction: the name must be one of {', '.join(cls.possible_values())}, got {shown(value)}"
        )

    @staticmethod
    def to_similarity_fn(similarity_function: str | SimilarityFunction) -> Callable[..., Any]:
        """The function of all pairs, by its name. ``ValueError`` for one that is not known."""
        return _FUNCTIONS[SimilarityFunction(similarity_function).value][0]

    @staticmethod
    def to_similarity_pairwise_fn(similarity_function: str | SimilarityFunction) -> Callable[..., Any]:
        """The function of each pair in its place, by its name. ``ValueError`` for one that is not known."""
        return _FUNCTIONS[SimilarityFunction(similarity_function).value][1]

    @staticmethod
    def possible_values() -> list[str]:
        """The names."""
        return [each.value for each in SimilarityFunction]
