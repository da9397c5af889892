"""Instruction sets with a fused multiply-add give the same bits, as do any numbers of threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from polysemy import _core

FUSED = _core.fused_isas()
Kernel = Callable[..., None]


def _normal(*shape: int) -> Any:
    return np.random.default_rng(shape).standard_normal(shape).astype(np.float32)


X, WEIGHT, BIAS = _normal(37, 77), _normal(53, 77), _normal(77)
FACTORS = _normal(2, 77, 53)
OFFSETS = np.array([0, 5, 5, 37])
IDS = np.arange(36, -1, -1, dtype=np.int32)
ROTATED = _normal(37, 3, 18)
QUERY, KEY, VALUE = _normal(2, 90, 21), _normal(2, 700, 21), _normal(2, 700, 30)


def _attention(out: Any, mask: Any = None, **options: Any) -> None:
    _core.attention(QUERY, KEY, VALUE, out, 0.4, mask=mask, **options)


MASK = _normal(2, 90, 700)
SLOPES = np.array([0.25, 0.01], dtype=np.float32)
KERNELS: dict[str, tuple[tuple[int, ...], Kernel]] = {
    **{
        f"activation-{kind}": (
            (X.size,),
            lambda out, kind=kind, **options: _core.activation(X.reshape(-1) * 3, kind, out, **options),
        )
        for kind in _core.ACTIVATIONS
    },
    "softmax": (X.shape, lambda out, **options: _core.softmax(X, out, **options)),
    "l2_normalize": (X.shape, lambda out, **options: _core.l2_normalize(X, out, **options)),
    "layer_norm": (
        X.shape,
        lambda out, **options: _core.layer_norm(X, BIAS, BIAS, X[::-1].copy(), 1e-5, out, **options),
    ),
    "rms_norm": (
        X.shape,
        lambda out, **options: _core.layer_norm(X, BIAS, None, None, 1e-5, out, rms=True, **options),
    ),
    "linear": (
        (37, 53),
        lambda out, **options: _core.linear(
            X, _core.PackedWeight(WEIGHT), _normal(53), _normal(37, 53), "gelu", out, **options
        ),
    ),
    "matmul": (
        (3, 2, 19, 53),
        lambda out, **options: _core.matmul(_normal(3, 1, 77, 19).swapaxes(2, 3), FACTORS, out, **options),
    ),
    "matmul-long": (
        (2, 1, 5, 40),
        lambda out, **options: _core.matmul(_normal(1, 5, 3500), _normal(2, 1, 3500, 40), out, **options),
    ),
    "embed": (
        X.shape,
        lambda out, **options: _core.embed(IDS, IDS, None, X, X, None, BIAS, BIAS, 1e-12, out, **options),
    ),
    **{
        f"pool-{mode}": (
            (3, 77),
            lambda out, mode=mode, **options: _core.pool(X, OFFSETS, mode, out, **options),
        )
        for mode in _core.POOLINGS
    },
    "rotary": (
        ROTATED.shape,
        lambda out, **options: _core.rotary(ROTATED, _normal(37, 9), _normal(37, 9), out, **options),
    ),
    "attention": ((2, 90, 30), _attention),
    "attention-causal": ((2, 90, 30), lambda out, **options: _attention(out, causal=True, **options)),
    "attention-window": ((2, 90, 30), lambda out, **options: _attention(out, window=(3, 600), **options)),
    "attention-keep": (
        (2, 90, 30),
        lambda out, **options: _attention(out, (MASK > 0).astype(np.uint8), **options),
    ),
    "attention-add": ((2, 90, 30), lambda out, **options: _attention(out, MASK, **options)),
    "attention-alibi": ((2, 90, 30), lambda out, **options: _attention(out, alibi_slopes=SLOPES, **options)),
}


def _run(name: str, isa: str, num_threads: int) -> Any:
    shape, kernel = KERNELS[name]
    out = np.full(shape, np.nan, dtype=np.float32)
    kernel(out, isa=isa, num_threads=num_threads)
    assert np.isfinite(out).all()
    return out.view(np.uint32)


@pytest.mark.parametrize("name", KERNELS)
def test_fused_isas_agree_to_the_bit(name: str) -> None:
    for isa in FUSED[1:]:
        np.testing.assert_array_equal(_run(name, isa, 1), _run(name, FUSED[0], 1))


@pytest.mark.parametrize("name", KERNELS)
def test_threads_do_not_change_a_bit(isa: str, name: str) -> None:
    alone = _run(name, isa, 1)
    for num_threads in (2, 3, 8):
        np.testing.assert_array_equal(_run(name, isa, num_threads), alone)
