"""Similarities, searches and smaller forms of vectors, under the names that sentence-transformers gives them.

Arguments are NumPy arrays, lists of them, or tensors of torch on the CPU; results are arrays, and tensors where the
first argument was one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import attributes

if TYPE_CHECKING:
    from .functions import SimilarityFunction
    from .late_interaction import maxsim, maxsim_pairwise, mean_maxsim, mean_maxsim_pairwise
    from .quantization import quantize_embeddings
    from .retrieval import (
        community_detection,
        paraphrase_mining,
        paraphrase_mining_embeddings,
        semantic_search,
    )
    from .similarity import (
        cos_sim,
        dot_score,
        euclidean_sim,
        manhattan_sim,
        normalize_embeddings,
        pairwise_angle_sim,
        pairwise_cos_sim,
        pairwise_dot_score,
        pairwise_euclidean_sim,
        pairwise_manhattan_sim,
        pytorch_cos_sim,
        truncate_embeddings,
    )

__all__ = [
    "SimilarityFunction",
    "community_detection",
    "cos_sim",
    "dot_score",
    "euclidean_sim",
    "manhattan_sim",
    "maxsim",
    "maxsim_pairwise",
    "mean_maxsim",
    "mean_maxsim_pairwise",
    "normalize_embeddings",
    "pairwise_angle_sim",
    "pairwise_cos_sim",
    "pairwise_dot_score",
    "pairwise_euclidean_sim",
    "pairwise_manhattan_sim",
    "paraphrase_mining",
    "paraphrase_mining_embeddings",
    "pytorch_cos_sim",
    "quantize_embeddings",
    "semantic_search",
    "truncate_embeddings",
]

#: Where each name is, to be imported when it is asked for: an encoder needs one of them.
_HOMES = {
    "SimilarityFunction": "functions",
    "community_detection": "retrieval",
    "cos_sim": "similarity",
    "dot_score": "similarity",
    "euclidean_sim": "similarity",
    "manhattan_sim": "similarity",
    "maxsim": "late_interaction",
    "maxsim_pairwise": "late_interaction",
    "mean_maxsim": "late_interaction",
    "mean_maxsim_pairwise": "late_interaction",
    "normalize_embeddings": "similarity",
    "pairwise_angle_sim": "similarity",
    "pairwise_cos_sim": "similarity",
    "pairwise_dot_score": "similarity",
    "pairwise_euclidean_sim": "similarity",
    "pairwise_manhattan_sim": "similarity",
    "paraphrase_mining": "retrieval",
    "paraphrase_mining_embeddings": "retrieval",
    "pytorch_cos_sim": "similarity",
    "quantize_embeddings": "quantization",
    "semantic_search": "retrieval",
    "truncate_embeddings": "similarity",
}

_MODULES = {name: name for name in _HOMES.values()}  # which are attributes, too, as if they had been imported

__getattr__ = attributes(__name__, _HOMES | _MODULES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
