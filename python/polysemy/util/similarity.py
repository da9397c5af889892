"""How near vectors are to each other: all of one list to all of another, or one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..arguments import is_one_of, positive
from ..shown import shown
from .vectors import like, matrix, rows

__all__ = [
    "SIMILARITIES",
    "cos_sim",
    "dot_score",
    "euclidean_sim",
    "manhattan_sim",
    "normalize_embeddings",
    "pairwise_angle_sim",
    "pairwise_cos_sim",
    "pairwise_dot_score",
    "pairwise_euclidean_sim",
    "pairwise_manhattan_sim",
    "pytorch_cos_sim",
    "similarity_named",
    "truncate_embeddings",
    "unit_rows",
]

Floats = NDArray[np.float32]

# Differences that are held at a time, or one pair of vectors.
_BLOCK = 1 << 22


def unit_rows(x: Floats) -> Floats:
    """Rows scaled to length 1; zeros stay."""
    out = np.empty_like(x)
    _core.l2_normalize(x, out)
    return out


def normalize_embeddings(embeddings: Any) -> Any:
    """Each vector scaled to length 1, in the shape of the argument; zeros stay zeros."""
    array = rows(embeddings, "normalize_embeddings: embeddings")
    scaled = unit_rows(matrix(array, "normalize_embeddings: embeddings"))
    return like(embeddings, scaled.reshape(array.shape))


def truncate_embeddings(embeddings: Any, truncate_dim: int | None) -> Any:
    """The first dimensions of each vector; all with None."""
    if truncate_dim is not None:
        truncate_dim = positive(truncate_dim, "truncate_embeddings: truncate_dim")
    if isinstance(embeddings, (list, tuple)):
        return like(embeddings, rows(embeddings, "truncate_embeddings: embeddings")[..., :truncate_dim])
    return embeddings[..., :truncate_dim]


def cos_sim(a: Any, b: Any) -> Any:
    """Cosines of all vectors of a with all of b, (n, m) float32."""
    x, y = _same_dim(a, b, "cos_sim")
    return like(a, _products(unit_rows(x), unit_rows(y)))


def pytorch_cos_sim(a: Any, b: Any) -> Any:
    """Another name of `cos_sim`."""
    return cos_sim(a, b)


def dot_score(a: Any, b: Any) -> Any:
    """Dot products of all vectors of a with all of b, (n, m) float32."""
    return like(a, _products(*_same_dim(a, b, "dot_score")))


def euclidean_sim(a: Any, b: Any) -> Any:
    """Euclidean distances of all vectors of a to all of b, negated, (n, m) float32."""
    return like(a, _distances(a, b, "euclidean_sim", lambda d: np.sqrt(np.square(d).sum(axis=-1))))


def manhattan_sim(a: Any, b: Any) -> Any:
    """Sums of absolute differences of all vectors of a to all of b, negated, (n, m) float32."""
    return like(a, _distances(a, b, "manhattan_sim", lambda d: np.abs(d).sum(axis=-1)))


def pairwise_cos_sim(a: Any, b: Any) -> Any:
    """The cosine of each vector of a with that of b in its place, (n,) float32."""
    x, y = _pairs(a, b, "pairwise_cos_sim")
    return like(a, _sums(unit_rows(x).astype(np.float64) * unit_rows(y)))


def pairwise_dot_score(a: Any, b: Any) -> Any:
    """The dot product of each vector of a with that of b in its place, (n,) float32."""
    x, y = _pairs(a, b, "pairwise_dot_score")
    return like(a, _sums(x.astype(np.float64) * y))


def pairwise_euclidean_sim(a: Any, b: Any) -> Any:
    """The Euclidean distance of each vector of a to that of b in its place, negated, (n,) float32."""
    x, y = _pairs(a, b, "pairwise_euclidean_sim")
    return like(a, -np.sqrt(np.square(x.astype(np.float64) - y).sum(axis=-1)).astype(np.float32))


def pairwise_manhattan_sim(a: Any, b: Any) -> Any:
    """The sum of absolute differences of each vector of a to that of b in its place, negated, (n,) float32."""
    x, y = _pairs(a, b, "pairwise_manhattan_sim")
    return like(a, -_sums(np.abs(x.astype(np.float64) - y)))


def pairwise_angle_sim(a: Any, b: Any) -> Any:
    """The similarity of AnglE, of each vector of a with that of b in its place, (n,) float32.

    A vector is read as complex numbers, whose real parts are its first half.
    """
    x, y = _pairs(a, b, "pairwise_angle_sim")
    x, y = (np.pad(side, ((0, 0), (0, side.shape[1] % 2))) for side in (x, y))
    p, q = unit_rows(x).astype(np.float64), unit_rows(y).astype(np.float64)
    half = p.shape[1] // 2
    sines = p[:, half:] * q[:, :half] - p[:, :half] * q[:, half:]
    return like(a, np.abs((p * q).sum(axis=-1) + sines.sum(axis=-1)).astype(np.float32))


# Name -> all with all, and one by one.
SIMILARITIES: dict[str, tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]] = {
    "cosine": (cos_sim, pairwise_cos_sim),
    "dot": (dot_score, pairwise_dot_score),
    "euclidean": (euclidean_sim, pairwise_euclidean_sim),
    "manhattan": (manhattan_sim, pairwise_manhattan_sim),
}


def similarity_named(
    name: object, method: str
) -> tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]:
    """The two functions of this name; ``ValueError`` for one that is not known."""
    if not is_one_of(name, SIMILARITIES):
        raise ValueError(f"{method}: similarity must be one of {', '.join(SIMILARITIES)}, got {shown(name)}")
    return SIMILARITIES[name]


def _same_dim(a: Any, b: Any, op: str) -> tuple[Floats, Floats]:
    x, y = matrix(a, f"{op}: a"), matrix(b, f"{op}: b")
    if x.shape[1] != y.shape[1]:
        raise ValueError(
            f"{op}: a and b must have one number of dimensions, got {x.shape[1]} and {y.shape[1]}"
        )
    return x, y


def _products(x: Floats, y: Floats) -> Floats:
    out = np.zeros((len(x), len(y)), dtype=np.float32)
    if out.size and x.shape[1]:
        _core.matmul(x, y.T, out)
    return out


def _distances(a: Any, b: Any, op: str, measure: Callable[[Any], Any]) -> Floats:
    """Of differences in float64: those of near vectors would vanish in the rounding of products."""
    x, y = _same_dim(a, b, op)
    out = np.empty((len(x), len(y)), dtype=np.float32)
    pairs = max(1, _BLOCK // max(1, x.shape[1]))
    wide = max(1, min(len(y), pairs))
    tall = pairs // wide
    for first in range(0, len(y), wide):
        right = y[first : first + wide].astype(np.float64)
        for start in range(0, len(x), tall):
            left = x[start : start + tall, None].astype(np.float64)
            out[start : start + tall, first : first + wide] = -measure(left - right)
    return out


def _pairs(a: Any, b: Any, op: str) -> tuple[Floats, Floats]:
    x, y = matrix(a, f"{op}: a"), matrix(b, f"{op}: b")
    if x.shape[1] == y.shape[1] and 1 in (len(x), len(y)):
        return x, y  # one vector stands for as many as there are of the other
    if x.shape != y.shape:
        raise ValueError(f"{op}: a and b must have one shape, got {x.shape} and {y.shape}")
    return x, y


def _sums(products: NDArray[np.float64]) -> Floats:
    sums: Floats = products.sum(axis=-1).astype(np.float32)
    return sums
