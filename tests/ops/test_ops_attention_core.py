"""The core's ragged attention: rows where they lie, and refusals of what would leave an array."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ops_draws import normal
from polysemy import _core, ops

LENS = [3, 0, 5]
OFFSETS = np.array([0, 3, 3, 8])
RNG = np.random.default_rng(0)
Q, K, V = normal(RNG, 8, 4, 6), normal(RNG, 8, 2, 6), normal(RNG, 8, 2, 5)
BIAS = normal(RNG, 3, 4, 5, 5)
EXPECTED = ops.scaled_dot_product_attention(Q, K, V, BIAS, seqlens=LENS, enable_gqa=True, scale=0.5)


def attend(**changes: Any) -> Any:
    out = np.full((8, 4, 5), np.nan, np.float32)
    given = {"query": Q, "key": K, "value": V, "out": out, "scale": 0.5, "q_offsets": OFFSETS, "mask": BIAS}
    _core.attention(**(given | changes))
    return out


def test_equals_each_sequence_as_a_dense_one() -> None:
    for i, (first, last) in enumerate([(0, 3), (3, 8)]):
        q, k, v = (x[first:last].swapaxes(0, 1) for x in (Q, K, V))
        alone = np.empty((4, last - first, 5), np.float32)
        mask = BIAS[2 * i, :, : last - first, : last - first]
        _core.attention(q, k, v, alone, 0.5, mask=mask)
        np.testing.assert_array_equal(EXPECTED[first:last].swapaxes(0, 1), alone)


def test_refuses_a_last_axis_that_is_spread_out() -> None:
    for name, x in {"query": Q, "key": K, "value": V}.items():
        with pytest.raises(
            ValueError, match=rf"scaled_dot_product_attention: {name} must have contiguous rows"
        ):
            attend(**{name: x.repeat(2, axis=2)[..., ::2]})


@pytest.mark.parametrize("axes", [(0,), (1,), (0, 1)])
def test_takes_negative_strides_without_a_copy(axes: tuple[int, ...]) -> None:
    turned = {
        name: np.flip(np.flip(x, axes).copy(), axes) for name, x in (("query", Q), ("key", K), ("value", V))
    }
    assert all(x.strides[axis] < 0 for x in turned.values() for axis in axes)
    mask = np.flip(np.flip(BIAS).copy())
    np.testing.assert_array_equal(attend(**turned, mask=mask), EXPECTED)


def test_broadcasts_heads_and_masks() -> None:
    one = normal(np.random.default_rng(1), 8, 1, 6)
    np.testing.assert_array_equal(attend(query=one), attend(query=np.repeat(one, 4, axis=1)))
    row = BIAS[:1, :1, :1]
    np.testing.assert_array_equal(attend(mask=row), attend(mask=np.broadcast_to(row, BIAS.shape)))


def test_gives_weights_and_log_sums() -> None:
    weights, lse = np.full(4 * (9 + 25), np.nan, np.float32), np.full((8, 4), np.nan, np.float32)
    out = attend(weights=weights, lse=lse)
    last = weights[36:].reshape(4, 5, 5)
    np.testing.assert_allclose(last.sum(-1), 1.0, rtol=5 * 2.0**-23)
    np.testing.assert_allclose(
        np.matmul(last, V[3:].swapaxes(0, 1).repeat(2, axis=0)).swapaxes(0, 1),
        out[3:],
        atol=16 * 2.0**-24 * float(np.abs(V).max()),
    )
    scores = 0.5 * np.einsum("qhd,khd->hqk", Q[3:].astype(float), K[3:].repeat(2, axis=1)) + BIAS[2]
    exact = np.log(np.exp(scores).sum(-1)).T
    np.testing.assert_allclose(lse[3:], exact, atol=32 * 2.0**-24 * float(1 + np.abs(scores).max()))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"q_offsets": np.array([0, 3, 9])}, r"q_offsets must end at 8 at most, got 9"),
        ({"q_offsets": np.array([-1, 3, 8])}, r"q_offsets\[0\] must be 0 or more, got -1"),
        ({"q_offsets": np.array([0, 5, 3])}, r"q_offsets must not decrease, got 5 and then 3 at 2"),
        ({"q_offsets": np.array([], np.int64)}, r"q_offsets must have at least one element"),
        ({"k_offsets": np.array([0, 3, 3, 2**62])}, r"k_offsets must end at 8 at most"),
        ({"k_offsets": np.array([0, 8])}, r"k_offsets must have shape \(4,\), got \(2,\)"),
        ({"q_offsets": None, "k_offsets": OFFSETS}, r"k_offsets must be None without q_offsets"),
        ({"weights": np.empty(4 * 34 - 1, np.float32)}, r"weights must have one element for each"),
        ({"weights": np.empty(4 * 34 + 1, np.float32)}, r"weights must have 136 elements, got 137"),
        ({"lse": np.empty((4, 8), np.float32)}, r"lse must have shape \(8, 4\), got \(4, 8\)"),
        ({"mask": BIAS[..., :4]}, r"mask must have 5 elements along axis -1"),
        ({"mask": BIAS[:2]}, r"mask must have 3 elements along axis -4"),
        ({"key": K[:, [0, 1, 1]], "value": V[:, [0, 1, 1]]}, r"heads must be a multiple of kv_heads, got 4 and 3"),
        ({"value": V[:7]}, r"value must have 8 elements along axis -3"),
        ({"query": Q[:7]}, r"query must have 8 elements along axis -3"),
        ({"out": np.empty((1, 8, 4, 5), np.float32)}, r"out must have 3 axes with q_offsets, got 4"),
        ({"value": EXPECTED, "key": np.repeat(K, 2, 1), "out": EXPECTED}, r"out must not be the same array as value"),
        ({"num_threads": _core.MOST_THREADS + 1}, r"num_threads must be 0 \(default\) to 1024"),
    ],
)  # fmt: skip
def test_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        attend(**changes)
