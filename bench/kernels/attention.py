"""softmax(q k^T / sqrt(d)) v over one sequence, layout (heads, length, d)."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.kernels.case import UNIT, Array, Call, Case, Prepared, have

LENGTHS = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192)
DIMS = (32, 64, 128)
_NUMPY_UP_TO = 2048  # beyond, its score matrices alone are measured


def _ours(q: Array, k: Array, v: Array, threads: int) -> Call:
    from polysemy import _core

    out, scale = np.empty_like(q), 1 / math.sqrt(q.shape[2])

    def call() -> Array:
        _core.attention(q, k, v, out, scale, num_threads=threads)
        return out

    return call


def _plain(q: NDArray[Any], k: NDArray[Any], v: NDArray[Any]) -> NDArray[Any]:
    scores: NDArray[Any] = q @ k.transpose(0, 2, 1)
    scores *= q.dtype.type(1 / math.sqrt(q.shape[2]))
    scores -= scores.max(axis=2, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=2, keepdims=True)
    mixed: NDArray[Any] = scores @ v
    return mixed


def _exact(q: Array, k: Array, v: Array) -> NDArray[np.float64]:
    """In float64, a block of queries at a time to bound the memory."""
    key, value = k.astype(np.float64), v.astype(np.float64)
    blocks = [_plain(q[:, i : i + 512].astype(np.float64), key, value) for i in range(0, q.shape[1], 512)]
    return np.concatenate(blocks, axis=1).astype(np.float64)


def _build(heads: int, length: int, dim: int, threads: int) -> Prepared:
    rng = np.random.default_rng(length)
    q, k, v = (rng.standard_normal((heads, length, dim), dtype=np.float32) for _ in range(3))
    calls: dict[str, Call] = {"polysemy": _ours(q, k, v, threads)}
    if length <= _NUMPY_UP_TO:
        calls["numpy"] = lambda: _plain(q, k, v)
    if have("torch"):
        import torch
        from torch.nn.functional import scaled_dot_product_attention

        a, b, c = (torch.from_numpy(x)[None] for x in (q, k, v))
        calls["torch"] = lambda: scaled_dot_product_attention(a, b, c)[0]
    # A score is a sum of d products: its rounding moves a probability by that much, relatively.
    tolerance = (16 + dim) * UNIT * float(np.abs(v).max())
    return Prepared(calls, _exact(q, k, v), tolerance)


def cases() -> list[Case]:
    found = []
    for dim in DIMS:
        for length in LENGTHS:
            heads = 12 if length <= 512 else 4 if length <= 2048 else 1
            found.append(
                Case(
                    "attention", f"d={dim} length={length} heads={heads}", 4.0 * heads * length**2 * dim,
                    16.0 * heads * length * dim, length <= 256,
                    partial(_build, heads, length, dim),
                )
            )  # fmt: skip
    return found
