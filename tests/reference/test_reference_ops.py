"""The reference operations against torch in float64, and their own special values."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from polysemy import reference

U = 2.0**-53
F = torch.nn.functional


def _normal(*shape: int) -> Any:
    return np.random.default_rng(shape).standard_normal(shape)


def _close(ours: Any, theirs: torch.Tensor, terms: int = 1) -> None:
    """Equal up to the rounding of sums of so many terms of magnitude near one."""
    np.testing.assert_allclose(ours, theirs.numpy(), rtol=32 * U, atol=16 * U * terms)


X = np.concatenate([np.linspace(-12, 12, 2001), _normal(500)])


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (reference.gelu, F.gelu),
        (lambda x: reference.gelu(x, "tanh"), lambda x: F.gelu(x, approximate="tanh")),
        (reference.silu, F.silu),
        (reference.relu, F.relu),
        (reference.tanh, torch.tanh),
        (reference.quick_gelu, lambda x: x * torch.sigmoid(1.702 * x)),
        (reference.exp, torch.exp),
        (reference.erf, torch.erf),
        (lambda x: reference.softmax(x.reshape(41, 61)), lambda x: F.softmax(x.reshape(41, 61), -1)),
        (lambda x: reference.softmax(x.reshape(41, 61), 0), lambda x: F.softmax(x.reshape(41, 61), 0)),
        (
            lambda x: reference.l2_normalize(x.reshape(41, 61)),
            lambda x: F.normalize(x.reshape(41, 61), dim=-1),
        ),
    ],
)
def test_functions(ours: Any, theirs: Any) -> None:
    _close(ours(X), theirs(torch.from_numpy(X)), 12)


def test_norms() -> None:
    x, weight, bias = _normal(4, 3, 8), _normal(3, 8), _normal(8, 3).T
    t = [torch.from_numpy(np.ascontiguousarray(a)) for a in (x, weight, bias)]
    _close(reference.layer_norm(x, (3, 8), weight, bias), F.layer_norm(t[0], (3, 8), t[1], t[2]), 24)
    _close(reference.layer_norm(x, 8, residual=x), F.layer_norm(2 * t[0], (8,)), 24)
    _close(reference.rms_norm(x, (3, 8), weight, 1e-3), F.rms_norm(t[0], (3, 8), t[1], 1e-3), 24)


def test_products() -> None:
    x, weight, bias, residual = _normal(2, 5, 7), _normal(4, 7), _normal(4), _normal(2, 5, 4)
    t = [torch.from_numpy(a) for a in (x, weight, bias, residual)]
    _close(
        reference.linear(x, weight, bias, activation="gelu", residual=residual),
        F.gelu(F.linear(t[0], t[1], t[2])) + t[3],
        20,
    )
    _close(reference.linear(x, reference.PackedWeight(weight)), F.linear(t[0], t[1]), 20)
    _close(reference.matmul(x, weight, transpose_b=True), t[0] @ t[1].T, 20)
    _close(reference.matmul(x, residual, transpose_a=True), t[0].mT @ t[3], 20)


def test_pools_and_rows() -> None:
    x = _normal(9, 4)
    parts = [x[:3], x[3:3], x[3:]]
    for op, of in ((reference.mean_pool, "mean"), (reference.max_pool, "max")):
        expected = [getattr(part, of)(axis=0) if len(part) else np.zeros(4) for part in parts]
        np.testing.assert_array_equal(op(x, [3, 0, 6]), expected)
    np.testing.assert_array_equal(reference.cls_pool(x, [3, 0, 6]), [x[0], np.zeros(4), x[3]])
    np.testing.assert_array_equal(reference.embedding([[8, 0]], x), x[[[8, 0]]])
    with pytest.raises(ValueError, match="embedding: ids must be 0 to 8, got -1 to 0"):
        reference.embedding([0, -1], x)


def test_rotary_turns_by_the_angle() -> None:
    x = _normal(5, 6)
    turned = reference.rotary(x, np.arange(5), 100.0)
    frequencies = reference.embeddings.inverse_frequencies(6, 100.0).astype(np.float64)
    as_complex = (x[:, :3] + 1j * x[:, 3:]) * np.exp(1j * np.outer(np.arange(5), frequencies))
    np.testing.assert_allclose(turned[:, :3] + 1j * turned[:, 3:], as_complex, rtol=0, atol=32 * U)


def test_attention_options() -> None:
    """Window and slopes, which torch's function lacks, as masks that it has."""
    q, k, v = _normal(2, 4, 5, 8), _normal(2, 4, 7, 8), _normal(2, 4, 7, 3)
    i, j = np.arange(5)[:, None], np.arange(7)[None, :]
    slopes = np.array([0.5, 0.25, 0.125, 0.0625])
    t = [torch.from_numpy(a) for a in (q, k, v)]
    band = torch.from_numpy((j >= i - 2) & (j <= i + 1))
    _close(
        reference.scaled_dot_product_attention(q, k, v, window=(2, 1)),
        F.scaled_dot_product_attention(*t, band),
        8,
    )
    bias = torch.from_numpy(-slopes[:, None, None] * np.abs(i - j))
    _close(
        reference.scaled_dot_product_attention(q, k, v, alibi_slopes=slopes),
        F.scaled_dot_product_attention(*t, bias),
        8,
    )
    _, weights, lse = reference.scaled_dot_product_attention(q, k, v, return_weights=True, return_lse=True)
    scores = torch.from_numpy(q @ np.swapaxes(k, -1, -2) / math.sqrt(8))
    _close(weights, scores.softmax(-1), 8)
    _close(lse, scores.logsumexp(-1), 8)


def test_special_values() -> None:
    inf = math.inf
    np.testing.assert_array_equal(reference.softmax([[-inf, -inf], [0.0, inf]]), [[0, 0], [0, 1]])
    assert np.isnan(reference.softmax([[inf, inf, 0.0]])).all()
    assert np.isnan(reference.softmax([[math.nan, 1.0]])).all()
    for function in (
        reference.gelu,
        reference.silu,
        reference.quick_gelu,
        lambda x: reference.gelu(x, "tanh"),
    ):
        result = function([-0.0, -inf, inf])
        np.testing.assert_array_equal(result, [0.0, 0.0, inf])
        np.testing.assert_array_equal(np.signbit(result), [True, True, False])
    np.testing.assert_array_equal(reference.l2_normalize([[0.0, 0.0]]), [[0.0, 0.0]])
    np.testing.assert_array_equal(reference.layer_norm([[5.0, 5.0]], 2, bias=[1.0, 2.0]), [[1.0, 2.0]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_precision_is_that_of_the_arguments(dtype: Any) -> None:
    x = _normal(6, 8).astype(dtype)
    for result in (
        reference.gelu(x),
        reference.softmax(x),
        reference.layer_norm(x, 8, x[0], x[1]),
        reference.rms_norm(x, 8),
        reference.linear(x, x, x[:, 0], activation="silu"),
        reference.scaled_dot_product_attention(x, x, x),
        reference.rotary(x, np.arange(6)),
        reference.mean_pool(x, [2, 4]),
        reference.l2_normalize(x),
    ):
        assert result.dtype == dtype


def test_out_and_types() -> None:
    out = np.zeros(3)
    assert reference.relu([-1.0, 2.0, 3.0], out=out) is out
    np.testing.assert_array_equal(out, [0.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="out must have shape"):
        reference.relu([1.0], out=out)
    with pytest.raises(TypeError, match="must have dtype float16, float32 or float64, got int64"):
        reference.relu(np.arange(3, dtype=np.int64))
