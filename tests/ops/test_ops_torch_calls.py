"""What is named as in torch takes torch's arguments in torch's order, whether they are named or not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from ops_bounds import U
from polysemy import ops, reference
from torch.nn import functional

LENGTH = 24


def f32(*shape: int) -> Any:
    return np.random.default_rng(len(shape)).standard_normal(shape, dtype=np.float32)


Q, K, V, BIAS = f32(2, 4, 5, LENGTH), f32(2, 4, 7, LENGTH), f32(2, 4, 7, LENGTH), f32(5, 7)
K2, V2 = K[:, :2], V[:, :2]
X, W, B = f32(6, LENGTH), f32(9, LENGTH), f32(9)
GAIN, SHIFT = f32(LENGTH) + 1, f32(LENGTH)
SDPA = functional.scaled_dot_product_attention

CASES: list[tuple[str, Callable[..., Any], tuple[Any, ...]]] = [
    ("scaled_dot_product_attention", SDPA, (Q, K, V)),
    ("scaled_dot_product_attention", SDPA, (Q, K, V, None)),
    ("scaled_dot_product_attention", SDPA, (Q, K, V, BIAS)),
    ("scaled_dot_product_attention", SDPA, (Q, K, V, BIAS > 0, 0.0)),
    ("scaled_dot_product_attention", SDPA, (Q, K, V, None, 0.0, True)),
    ("scaled_dot_product_attention", SDPA, (Q, K, V, None, 0.0, False)),
    ("linear", functional.linear, (X, W)),
    ("linear", functional.linear, (X, W, B)),
    ("linear", functional.linear, (X, W, None)),
    ("layer_norm", functional.layer_norm, (X, (LENGTH,))),
    ("layer_norm", functional.layer_norm, (X, [LENGTH], GAIN)),
    ("layer_norm", functional.layer_norm, (X, (LENGTH,), GAIN, SHIFT, 1e-3)),
    ("layer_norm", functional.layer_norm, (X, (LENGTH,), None, None, 1e-3)),
    ("rms_norm", functional.rms_norm, (X, (LENGTH,), GAIN, 1e-3)),
    ("rms_norm", functional.rms_norm, (X, [LENGTH], None, 1e-3)),
    ("softmax", functional.softmax, (X, -1)),
    ("softmax", functional.softmax, (X, 0)),
    ("gelu", functional.gelu, (X,)),
    ("relu", functional.relu, (X,)),
    ("silu", functional.silu, (X,)),
    ("tanh", torch.tanh, (X,)),
    ("matmul", torch.matmul, (X, W.T)),
    ("embedding", functional.embedding, (np.array([[3, 0], [8, 8]]), W)),
]


def within(got: Any, want: Any) -> None:
    """Two sums of ``LENGTH`` terms, each of which may round after every term, of the size of the result."""
    exact = np.asarray(want)
    assert got.shape == exact.shape and exact.std() > 0.01
    assert np.abs(got - exact).max() <= 2 * 8 * U * LENGTH**0.5 * max(1.0, float(np.abs(exact).max()))


def tensors(arguments: tuple[Any, ...]) -> list[Any]:
    return [torch.from_numpy(a.copy()) if isinstance(a, np.ndarray) else a for a in arguments]


@pytest.mark.parametrize("module", [ops, reference])
@pytest.mark.parametrize(("name", "theirs", "arguments"), CASES)
def test_arguments_by_place(
    module: Any, name: str, theirs: Callable[..., Any], arguments: tuple[Any, ...]
) -> None:
    within(getattr(module, name)(*arguments), theirs(*tensors(arguments)))


@pytest.mark.parametrize("module", [ops, reference])
def test_arguments_by_name(module: Any) -> None:
    """torch has these two behind a star; here they may also stand by their place."""
    for mask, causal in ((None, True), (BIAS, False)):
        named = {"attn_mask": mask, "dropout_p": 0.0, "is_causal": causal, "scale": 0.3, "enable_gqa": True}
        query, key, value = tensors((Q, K2, V2))
        want = SDPA(query, key, value, **named | {"attn_mask": tensors((mask,))[0]})
        within(module.scaled_dot_product_attention(query=Q, key=K2, value=V2, **named), want)
        within(module.scaled_dot_product_attention(Q, K2, V2, mask, 0.0, causal, 0.3, True), want)
    within(module.gelu(X, approximate="tanh"), functional.gelu(*tensors((X,)), approximate="tanh"))
    within(
        module.layer_norm(X, normalized_shape=(LENGTH,), weight=GAIN, bias=SHIFT, eps=1e-3),
        functional.layer_norm(*tensors((X, (LENGTH,), GAIN, SHIFT)), eps=1e-3),
    )


@pytest.mark.parametrize("dropout", [0.1, 1.0, -0.5, 2])
@pytest.mark.parametrize("module", [ops, reference])
def test_nothing_is_dropped(module: Any, dropout: float) -> None:
    with pytest.raises(ValueError, match=f"dropout_p must be 0, got {dropout}"):
        module.scaled_dot_product_attention(Q, K, V, None, dropout)


@pytest.mark.parametrize("module", [ops, reference])
def test_a_float_mask_is_added_and_a_bool_mask_leaves_out(module: Any) -> None:
    """-inf over the score of a key that holds NaN is NaN, as in torch; a key that takes no part may hold anything."""
    key = K.copy()
    key[..., 2, :] = np.nan
    added = np.where(np.arange(7) == 2, -np.inf, 0).astype(np.float32)[None].repeat(5, 0)
    for mask in (added, BIAS + added):
        query, keys, value, attn_mask = tensors((Q, key, V, mask))
        assert np.isnan(SDPA(query, keys, value, attn_mask).numpy()).all()
        assert np.isnan(module.scaled_dot_product_attention(Q, key, V, mask)).all()
    kept = [0, 1, 3, 4, 5, 6]
    within(
        module.scaled_dot_product_attention(Q, key, V, added == 0),
        SDPA(*tensors((Q, K[..., kept, :], V[..., kept, :]))),
    )
