"""Layer norm, GELU and softmax: one pass over memory each, so the bandwidth is their ceiling."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from bench.kernels.case import UNIT, Array, Call, Case, Prepared, have

ROWS = (1, 16, 128, 4096)
_EPS = 1e-12


def _layer_norm(m: int, n: int, threads: int) -> Prepared:
    from polysemy import _core

    rng = np.random.default_rng(n)
    x = rng.standard_normal((m, n), dtype=np.float32)
    weight, bias = rng.standard_normal((2, n), dtype=np.float32)
    out = np.empty_like(x)

    def ours() -> Any:
        _core.layer_norm(x, weight, bias, None, _EPS, out, num_threads=threads)
        return out

    def with_numpy() -> Array:
        centred: Array = x - x.mean(axis=1, keepdims=True)
        centred /= np.sqrt(np.square(centred).mean(axis=1, keepdims=True) + np.float32(_EPS))
        centred *= weight
        centred += bias
        return centred

    calls: dict[str, Call] = {"polysemy": ours, "numpy": with_numpy}
    if have("torch"):
        import torch
        from torch.nn.functional import layer_norm

        a, w, b = (torch.from_numpy(value) for value in (x, weight, bias))
        calls["torch"] = lambda: layer_norm(a, (n,), w, b, _EPS)
    exact = x.astype(np.float64)
    unit = (exact - exact.mean(axis=1, keepdims=True)) / np.sqrt(exact.var(axis=1, keepdims=True) + _EPS)
    largest = float(np.abs(unit).max() * np.abs(weight).max() + np.abs(bias).max())
    return Prepared(calls, unit * weight + bias, 16 * UNIT * largest)


def _gelu(m: int, n: int, threads: int) -> Prepared:
    from polysemy import _core

    x = np.random.default_rng(n).standard_normal(m * n, dtype=np.float32) * np.float32(2)
    out = np.empty_like(x)

    def ours() -> Any:
        _core.activation(x, "gelu", out, num_threads=threads)
        return out

    calls: dict[str, Call] = {"polysemy": ours}
    if have("torch"):
        import torch
        from torch.nn.functional import gelu

        a = torch.from_numpy(x)
        calls["torch"] = lambda: gelu(a)
    if have("scipy"):
        from scipy.special import erf

        def with_scipy() -> Array:
            result: Array = erf(x * np.float32(0.5**0.5))
            result += np.float32(1)
            result *= x
            result *= np.float32(0.5)
            return result

        calls["scipy"] = with_scipy
    from math import erfc

    # x Phi(x) with the complementary function, which keeps the negative side exact.
    exact = np.array([value * 0.5 * erfc(-value * 0.5**0.5) for value in x.tolist()])
    return Prepared(calls, exact, 8 * UNIT * float(np.abs(x).max()))


def _softmax(m: int, n: int, threads: int) -> Prepared:
    from polysemy import _core

    x = np.random.default_rng(n).standard_normal((m, n), dtype=np.float32) * np.float32(3)
    out = np.empty_like(x)

    def ours() -> Any:
        _core.softmax(x, out, num_threads=threads)
        return out

    def with_numpy() -> Array:
        result: Array = np.exp(x - x.max(axis=1, keepdims=True))
        result /= result.sum(axis=1, keepdims=True)
        return result

    calls: dict[str, Call] = {"polysemy": ours, "numpy": with_numpy}
    if have("torch"):
        import torch

        a = torch.from_numpy(x)
        calls["torch"] = lambda: torch.softmax(a, 1)
    if have("scipy"):
        from scipy.special import softmax

        calls["scipy"] = lambda: softmax(x, axis=1)
    exact = np.exp(x.astype(np.float64) - x.max(axis=1, keepdims=True))
    return Prepared(calls, exact / exact.sum(axis=1, keepdims=True), 32 * UNIT)


def cases() -> list[Case]:
    found = []
    for op, widths, build in (
        ("layer_norm", (384, 768), _layer_norm),
        ("gelu", (1536, 3072), _gelu),
        ("softmax", (128, 512), _softmax),
    ):
        for n in widths:
            for m in ROWS:
                found.append(
                    Case(
                        op,
                        f"{m} x {n}",
                        0.0,
                        8.0 * m * n,
                        m <= 128,
                        partial(build, m, n),
                    )
                )
    return found
