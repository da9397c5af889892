"""The sentence head: pooling, dense layers and normalisation against plain float64 formulas."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from polysemy import Activation, Encoder, Pooling
from polysemy.errors import CheckpointError
from polysemy.model.pooling import DenseLayer, SentenceHead, normalized, pooling_modes
from tiny_models import SPEC, random_weights

U = 2.0**-24
RNG = np.random.default_rng(5)
X = RNG.normal(size=(9, 24)).astype(np.float32)
OFFSETS = np.array([0, 4, 4, 5, 9], dtype=np.int64)


def oracle(mode: Pooling, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    n = len(rows)
    if n == 0:
        return np.zeros(rows.shape[1])
    places = np.arange(1, n + 1)[:, None]
    return {
        Pooling.MEAN: rows.sum(0) / n,
        Pooling.CLS: rows[0],
        Pooling.MAX: rows.max(0),
        Pooling.MEAN_SQRT_LEN: rows.sum(0) / np.sqrt(n),
        Pooling.WEIGHTED_MEAN: (rows * places).sum(0) / places.sum(),
        Pooling.LAST_TOKEN: rows[-1],
    }[mode]


@pytest.mark.parametrize("mode", list(Pooling))
def test_each_mode(mode: Pooling) -> None:
    got = SentenceHead((mode,)).pool(X, OFFSETS)
    for i in range(4):
        rows = X[OFFSETS[i] : OFFSETS[i + 1]].astype(np.float64)
        bound = 4 * U * (len(rows) + 2) * (np.abs(rows).sum(0) + 1e-30)
        assert (np.abs(got[i] - oracle(mode, rows)) <= bound).all()


def test_modes_stand_side_by_side() -> None:
    head = SentenceHead((Pooling.MAX, Pooling.CLS))
    got = head.pool(X, OFFSETS)
    assert head.dim(24) == got.shape[1] == 48 and head.fused() is None
    np.testing.assert_array_equal(got[:, :24], SentenceHead((Pooling.MAX,)).pool(X, OFFSETS))
    np.testing.assert_array_equal(got[:, 24:], SentenceHead((Pooling.CLS,)).pool(X, OFFSETS))


@pytest.mark.parametrize("bias", [True, False])
def test_dense(bias: bool) -> None:
    weight = RNG.normal(size=(7, 24)).astype(np.float32)
    b = RNG.normal(size=7).astype(np.float32) if bias else None
    head = SentenceHead((Pooling.MEAN,), (DenseLayer(weight, b, Activation.TANH),))
    exact = X.astype(np.float64) @ weight.T.astype(np.float64) + (0 if b is None else b)
    bound = 8 * U * (np.abs(X).astype(np.float64) @ np.abs(weight).T + 1) + 2 * U
    assert head.dim(24) == 7
    assert (np.abs(head.finish(X) - np.tanh(exact)) <= bound).all()


def test_finish_cuts_then_normalises() -> None:
    head = SentenceHead((Pooling.MEAN,), (), normalize=True)
    cut = head.finish(X, truncate_dim=5)
    exact = X[:, :5].astype(np.float64)
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    assert np.abs(cut - exact).max() <= 8 * U
    np.testing.assert_array_equal(head.finish(X, normalize=False, truncate_dim=5), X[:, :5])


def test_the_last_dense_layer_gives_the_dimension() -> None:
    narrow, wide = (np.ones(shape, np.float32) for shape in ((3, 24), (7, 3)))
    layers = (DenseLayer(narrow, None, Activation.NONE), None, DenseLayer(wide, None, Activation.NONE))
    head = SentenceHead((Pooling.MEAN,), layers)
    assert head.dim(24) == 7 and head.finish(X).shape == (len(X), 7)
    head.check(24)


@pytest.mark.parametrize(
    ("modes", "shapes", "place", "width"),
    [(1, [(3, 25)], 0, 24), (2, [(3, 24)], 0, 48), (1, [(3, 24), (7, 4)], 1, 3)],
)
def test_dense_layers_that_do_not_fit(
    modes: int, shapes: list[tuple[int, int]], place: int, width: int
) -> None:
    layers = tuple(DenseLayer(np.ones(shape, np.float32), None, Activation.NONE) for shape in shapes)
    head = SentenceHead((Pooling.MEAN, Pooling.MAX)[:modes], layers)
    with pytest.raises(
        CheckpointError, match=rf"dense layer {place} must take the {width} features .*, \d+\)"
    ):
        head.check(24)
    with pytest.raises(CheckpointError, match="dense layer"):
        Encoder(SPEC, random_weights(), head=head)


def test_normalisation_between_the_steps() -> None:
    weight = np.eye(24, dtype=np.float32)
    head = SentenceHead((Pooling.MEAN,), (None, DenseLayer(weight, None, Activation.NONE)))
    np.testing.assert_array_equal(head.finish(X), normalized(X))


def test_a_zero_vector_stays_zero() -> None:
    np.testing.assert_array_equal(normalized(np.zeros((2, 8), np.float32)), np.zeros((2, 8), np.float32))


@pytest.mark.parametrize("value", ["average", "", [], ["mean", "nope"], 0, None])
def test_unknown_pooling(value: object) -> None:
    with pytest.raises(ValueError, match="pooling must"):
        pooling_modes(value)
