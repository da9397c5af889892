"""The nearest of many vectors, against all products."""

from __future__ import annotations

import numpy as np
import pytest
from polysemy import _core, ops, reference

UNIT = 2.0**-24


@pytest.mark.parametrize(
    ("n", "m", "dim", "k"), [(1, 1, 3, 1), (5, 4099, 8, 7), (300, 9000, 16, 3), (3, 10, 5, 99)]
)
def test_against_all_products(n: int, m: int, dim: int, k: int) -> None:
    rng = np.random.default_rng(m)
    queries = rng.normal(size=(n, dim)).astype(np.float32)
    corpus = rng.normal(size=(m, dim)).astype(np.float32)
    scores, rows = ops.topk(queries, corpus, k)
    exact, places = reference.topk(queries.astype(np.float64), corpus.astype(np.float64), k)
    assert scores.shape == rows.shape == exact.shape and scores.dtype == np.float32 and rows.dtype == np.int64
    bound = dim * UNIT * 16 * float(np.abs(exact).max())
    assert np.abs(scores - exact).max() <= bound
    assert (np.diff(scores, axis=1) <= 0).all()
    unlike = rows != places  # only where products are as near as rounding
    found = (queries.astype(np.float64)[:, None] * corpus.astype(np.float64)[rows]).sum(axis=-1)
    assert np.abs(found - exact)[unlike].max(initial=0.0) <= bound
    alone = [ops.topk(queries[i : i + 1], corpus, k) for i in range(min(n, 5))]
    assert all(a[0].tobytes() == scores[i].tobytes() and (a[1] == rows[i]).all() for i, a in enumerate(alone))


def test_equal_products_come_in_order() -> None:
    corpus = np.ones((9000, 4), dtype=np.float32)
    assert ops.topk(corpus[:2], corpus, 6)[1].tolist() == [[0, 1, 2, 3, 4, 5]] * 2


def test_what_is_no_number_comes_last() -> None:
    corpus = np.array([[np.nan], [-np.inf], [2.0], [np.nan], [1.0]], dtype=np.float32)
    scores, rows = ops.topk(np.ones((1, 1), np.float32), corpus, 4)
    assert rows.tolist() == [[2, 4, 1, 0]] and np.isnan(scores[0, 3])
    assert ops.topk(np.ones((1, 1), np.float32), corpus[::-1], 2)[1].tolist() == [[2, 0]]


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("n", [1, 15, 16, 17, 33, 1030])
def test_any_number_of_queries_and_threads(n: int, threads: int) -> None:
    """Whole numbers, so that products are exact and many are equal."""
    rng = np.random.default_rng(n)
    queries, corpus = (rng.integers(-3, 4, (rows, 6)).astype(np.float32) for rows in (n, 2500))
    scores, rows = ops.topk(queries, corpus, 20, num_threads=threads)
    products = queries @ corpus.T
    order = np.argsort(-products, axis=1, kind="stable")[:, :20]
    assert (rows == order).all() and (scores == np.take_along_axis(products, order, axis=1)).all()


def test_without_rows_and_with_wrong_shapes() -> None:
    empty = np.empty((0, 4), dtype=np.float32)
    assert ops.topk(empty, np.ones((3, 4), np.float32), 2)[0].shape == (0, 2)
    assert ops.topk(np.ones((3, 4), np.float32), empty, 2)[1].shape == (3, 0)
    with pytest.raises(ValueError, match="topk: queries and corpus must have shapes"):
        ops.topk(empty, np.ones((3, 5), np.float32), 2)
    with pytest.raises(ValueError, match="topk: k must be at least 1"):
        ops.topk(empty, empty, 0)


WRONG = [
    ({"products": np.zeros(6, np.float32)}, ValueError),
    ({"products": np.zeros((2, 4), np.float32)}, ValueError),
    ({"best": np.zeros(3, np.float32)}, ValueError),
    ({"best": np.zeros((2, 5), np.float32)}, ValueError),
    ({"best": np.zeros((3, 4), np.float32)}, ValueError),
    ({"best": np.zeros((3, 0), np.float32), "places": np.zeros((3, 0), np.int64)}, ValueError),
    ({"places": np.zeros((3, 4), np.int64)}, ValueError),
    ({"places": np.zeros((2, 5), np.int64)}, ValueError),
    ({"places": np.zeros((5, 3), np.int64).T}, ValueError),
    ({"best": np.zeros((3, 10), np.float32)[:, ::2]}, ValueError),
    ({"products": np.zeros((2, 3))}, TypeError),
    ({"best": np.zeros((3, 5), np.float16)}, TypeError),
    ({"places": np.zeros((3, 5), np.int32)}, TypeError),
]


@pytest.mark.parametrize(
    ("wrong", "error"), WRONG, ids=lambda value: "-".join(value) if isinstance(value, dict) else ""
)
def test_the_core_looks_at_shapes(wrong: dict[str, np.ndarray], error: type[Exception]) -> None:
    """Nothing is written where the arrays don't fit together."""
    given = {
        "products": np.ones((2, 3), np.float32),
        "best": np.full((3, 5), -1.0, np.float32),
        "places": np.full((3, 5), -1, np.int64),
    }
    _core.keep_largest(given["products"], 0, given["best"].copy(), given["places"].copy())
    given |= wrong
    before = {name: array.copy() for name, array in given.items()}
    with pytest.raises(error, match=r"^keep_largest: "):
        _core.keep_largest(given["products"], 0, given["best"], given["places"])
    assert all((given[name] == before[name]).all() for name in before)
