"""One valid call of every operation, arguments by name: what tests start from to change something."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from ops_draws import normal

Arguments = dict[str, Any]


def _size(rng: np.random.Generator) -> int:
    return int(rng.integers(1, 40))


def _some(rng: np.random.Generator, value: Any) -> Any:
    return value if rng.random() < 0.5 else None


def _elements(rng: np.random.Generator) -> Arguments:
    return {"x": normal(rng, *(_size(rng) for _ in range(rng.integers(1, 4))))}


def _norm(rng: np.random.Generator) -> Arguments:
    n, shape = _size(rng), (_size(rng), _size(rng))
    x = normal(rng, *shape, n)
    residual = _some(rng, normal(rng, *shape, n))
    return {"x": x, "normalized_shape": n, "weight": _some(rng, normal(rng, n)), "residual": residual}


def _layer_norm(rng: np.random.Generator) -> Arguments:
    call = _norm(rng)
    return {**call, "bias": _some(rng, normal(rng, call["normalized_shape"])), "eps": 1e-5}


def _linear(rng: np.random.Generator) -> Arguments:
    m, n, k = _size(rng), _size(rng), _size(rng)
    return {
        "x": normal(rng, m, k),
        "weight": normal(rng, n, k),
        "bias": _some(rng, normal(rng, n)),
        "activation": _some(
            rng, str(rng.choice(["gelu", "gelu_tanh", "relu", "silu", "tanh", "quick_gelu"]))
        ),
        "residual": _some(rng, normal(rng, m, n)),
    }


def _matmul(rng: np.random.Generator) -> Arguments:
    m, n, k = _size(rng), _size(rng), _size(rng)
    leads: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
        ((), ()),
        ((2, 3), ()),
        ((2, 3), (3,)),
        ((1,), (4,)),
        ((2, 1), (1, 3)),
    ]
    lead = leads[int(rng.integers(len(leads)))]
    turn = bool(rng.random() < 0.5)
    return {
        "a": normal(rng, *lead[0], m, k),
        "b": normal(rng, *lead[1], *((n, k) if turn else (k, n))),
        "transpose_b": turn,
    }


def _embedding(rng: np.random.Generator) -> Arguments:
    rows = _size(rng)
    return {"ids": rng.integers(0, rows, (_size(rng), 2)), "table": normal(rng, rows, _size(rng))}


def _rotary(rng: np.random.Generator) -> Arguments:
    length = _size(rng)
    return {"x": normal(rng, 2, length, 2 * _size(rng)), "positions": np.arange(length), "theta": 1e4}


def _pool(rng: np.random.Generator) -> Arguments:
    lens = rng.integers(0, 9, _size(rng))
    return {"x": normal(rng, int(lens.sum()), _size(rng)), "seqlens": lens}


def _attention(rng: np.random.Generator) -> Arguments:
    heads, groups, dim, value_dim = (int(n) for n in rng.integers(1, [4, 4, 40, 40]))
    lq, lk, batch = _size(rng), _size(rng), int(rng.integers(1, 4))
    call: Arguments = {
        "query": normal(rng, batch, heads * groups, lq, dim),
        "key": normal(rng, batch, heads, lk, dim),
        "value": normal(rng, batch, heads, lk, value_dim),
        "enable_gqa": True,
        "scale": _some(rng, 0.3),
        "window": _some(rng, (3, 5)),
        "alibi_slopes": _some(rng, np.abs(normal(rng, heads * groups))),
    }
    if rng.random() < 0.5:
        mask = normal(rng, *[(lq, lk), (heads * groups, 1, lk), (batch, 1, lq, lk)][rng.integers(3)])
        call["attn_mask"] = mask if rng.random() < 0.5 else mask > -1
    else:
        call["is_causal"] = bool(rng.random() < 0.5)
    return call


def _ragged_attention(rng: np.random.Generator) -> Arguments:
    count, heads, dim = int(rng.integers(1, 5)), int(rng.integers(1, 4)), _size(rng)
    lens, kv_lens = rng.integers(0, 20, count), rng.integers(0, 40, count)
    return {
        "query": normal(rng, int(lens.sum()), heads, dim),
        "key": normal(rng, int(kv_lens.sum()), heads, dim),
        "value": normal(rng, int(kv_lens.sum()), heads, _size(rng)),
        "seqlens": lens,
        "kv_seqlens": kv_lens,
        "window": _some(rng, (-1, 4)),
        "is_causal": bool(rng.random() < 0.5),
    }


CALLS: list[tuple[str, Callable[[np.random.Generator], Arguments]]] = [
    ("scaled_dot_product_attention", _attention),
    ("scaled_dot_product_attention", _ragged_attention),
    ("layer_norm", _layer_norm),
    ("rms_norm", _norm),
    ("l2_normalize", _elements),
    ("softmax", _elements),
    ("gelu", _elements),
    ("silu", _elements),
    ("relu", _elements),
    ("tanh", _elements),
    ("quick_gelu", _elements),
    ("linear", _linear),
    ("matmul", _matmul),
    ("embedding", _embedding),
    ("rotary", _rotary),
    ("mean_pool", _pool),
    ("max_pool", _pool),
    ("cls_pool", _pool),
]
IDS = [f"{name}-{build.__name__.strip('_')}" for name, build in CALLS]


def widened(arguments: Arguments) -> Arguments:
    """The same call for the float64 reference."""
    return {
        name: value.astype(np.float64) if getattr(value, "dtype", None) == np.float32 else value
        for name, value in arguments.items()
    }
