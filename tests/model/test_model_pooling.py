"""The sentence head: pooling, dense layers and normalisation against plain float64 formulas."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from polysemy import Activation, Encoder, Pooling
from polysemy.errors import CheckpointError
from polysemy.model.pooling import SentenceHead, pooling_modes
from polysemy.model.steps import Dense, Normalize
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
    got = SentenceHead((mode,)).plan().pool(X, OFFSETS)
    for i in range(4):
        rows = X[OFFSETS[i] : OFFSETS[i + 1]].astype(np.float64)
        bound = 4 * U * (len(rows) + 2) * (np.abs(rows).sum(0) + 1e-30)
        assert (np.abs(got[i] - oracle(mode, rows)) <= bound).all()


def test_modes_stand_side_by_side() -> None:
    plan = SentenceHead((Pooling.MAX, Pooling.CLS)).plan()
    got = plan.pool(X, OFFSETS)
    assert SentenceHead(plan.modes).dim(24) == got.shape[1] == 48
    for half, mode in ((slice(24), Pooling.MAX), (slice(24, 48), Pooling.CLS)):
        np.testing.assert_array_equal(got[:, half], SentenceHead((mode,)).plan().pool(X, OFFSETS))


ONE, TWO = (Pooling.MEAN,), (Pooling.MEAN, Pooling.MAX)


@pytest.mark.parametrize("modes", [ONE, TWO])
@pytest.mark.parametrize("steps", [(), (Normalize(),), (Normalize(), Normalize())])
@pytest.mark.parametrize("normalize", [None, False, True])
@pytest.mark.parametrize("truncate_dim", [None, 5])
def test_what_the_core_fuses(
    modes: tuple[Pooling, ...], steps: tuple[Normalize, ...], normalize: bool | None, truncate_dim: int | None
) -> None:
    """A single mode, and a normalisation that is all that follows it."""
    plan = SentenceHead(modes, steps).plan(normalize=normalize, truncate_dim=truncate_dim)
    assert plan.fused == (Pooling.MEAN if modes == ONE else None)
    scaled = bool(steps) if normalize is None else normalize
    left = max(0, len(steps) - 1) + (truncate_dim is not None)
    assert plan.normalize == (scaled and modes == ONE and left == 0)
    assert len(plan.steps) == left + (scaled and not plan.normalize)
    if scaled and not plan.normalize:
        assert plan.steps[-1] == Normalize()


@pytest.mark.parametrize("bias", [True, False])
def test_dense(bias: bool) -> None:
    weight = RNG.normal(size=(7, 24)).astype(np.float32)
    b = RNG.normal(size=7).astype(np.float32) if bias else None
    head = SentenceHead((Pooling.MEAN,), (Dense(weight, b, Activation.TANH),))
    exact = X.astype(np.float64) @ weight.T.astype(np.float64) + (0 if b is None else b)
    bound = 8 * U * (np.abs(X).astype(np.float64) @ np.abs(weight).T + 1) + 2 * U
    assert head.dim(24) == 7
    assert (np.abs(head.plan().finish(X) - np.tanh(exact)) <= bound).all()


def test_finish_cuts_then_normalises() -> None:
    head = SentenceHead((Pooling.MEAN,), (Normalize(),))
    cut = head.plan(truncate_dim=5).finish(X)
    exact = X[:, :5].astype(np.float64)
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    assert np.abs(cut - exact).max() <= 8 * U
    np.testing.assert_array_equal(head.plan(normalize=False, truncate_dim=5).finish(X), X[:, :5])


def test_the_last_dense_layer_gives_the_dimension() -> None:
    narrow, wide = (np.ones(shape, np.float32) for shape in ((3, 24), (7, 3)))
    layers = (Dense(narrow, None, Activation.NONE), Normalize(), Dense(wide, None, Activation.NONE))
    head = SentenceHead((Pooling.MEAN,), layers)
    assert head.dim(24) == 7 and head.plan().finish(X).shape == (len(X), 7)
    head.check(24)


@pytest.mark.parametrize(
    ("modes", "shapes", "place", "width"),
    [(1, [(3, 25)], 0, 24), (2, [(3, 24)], 0, 48), (1, [(3, 24), (7, 4)], 1, 3)],
)
def test_dense_layers_that_do_not_fit(
    modes: int, shapes: list[tuple[int, int]], place: int, width: int
) -> None:
    layers = tuple(Dense(np.ones(shape, np.float32), None, Activation.NONE) for shape in shapes)
    head = SentenceHead((Pooling.MEAN, Pooling.MAX)[:modes], layers)
    with pytest.raises(
        CheckpointError, match=rf"dense layer {place} must take the {width} features .*, \d+\)"
    ):
        head.check(24)
    with pytest.raises(CheckpointError, match="dense layer"):
        Encoder(SPEC, random_weights(), head=head)


def test_normalisation_between_the_steps() -> None:
    weight = np.eye(24, dtype=np.float32)
    head = SentenceHead((Pooling.MEAN,), (Normalize(), Dense(weight, None, Activation.NONE)))
    np.testing.assert_array_equal(head.plan().finish(X), Normalize()(X))


def test_a_zero_vector_stays_zero() -> None:
    np.testing.assert_array_equal(Normalize()(np.zeros((2, 8), np.float32)), np.zeros((2, 8), np.float32))


@pytest.mark.parametrize("value", ["average", "", [], ["mean", "nope"], 0, None])
def test_unknown_pooling(value: object) -> None:
    with pytest.raises(ValueError, match="pooling must"):
        pooling_modes(value)
