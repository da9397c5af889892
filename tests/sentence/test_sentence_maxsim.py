"""`polysemy.util.maxsim` and its relatives against sentence-transformers' functions of these names."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from polysemy import util
from sentence_transformers import util as theirs_util


def vectors(seed: int, *lengths: int) -> list[Any]:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(n, 12)).astype(np.float32) for n in lengths]


@pytest.mark.parametrize("name", ["maxsim", "mean_maxsim"])
def test_maxsim(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = vectors(1, 5, 1, 9, 32), vectors(2, 3, 40, 1, 0, 7)
    got, want = getattr(util, name)(a, b), getattr(theirs_util, name)(a, b).numpy()
    # Of 32 sums of 12 products, each rounded.
    bound = 32 * 12 * 2.0**-24 * float(np.abs(want[:, [0, 1, 2, 4]]).max())
    empty = np.full(4, -1e9) / ([1] * 4 if name == "maxsim" else [*map(len, a)])
    assert np.abs(np.delete(got - want, 3, axis=1)).max() <= bound
    assert (got[:, 3] == empty.astype(np.float32)).all() and (got[:, 3] == want[:, 3]).all()
    both = list(zip(a, b, strict=False))
    pairwise = getattr(util, f"{name}_pairwise")([x for x, _ in both], [y for _, y in both])
    assert pairwise.tobytes() == np.array([got[i, i] for i in range(4)]).tobytes()
    monkeypatch.setattr("polysemy.util.late_interaction._BLOCK", 40)
    assert getattr(util, name)(a, b).tobytes() == got.tobytes()
    padded = np.zeros((2, 9, 12), np.float32)
    padded[0, :5], padded[1] = a[0], a[2]
    assert getattr(util, name)(padded, b[1]).tobytes() == got[[0, 2], 1:2].tobytes()
    for wrong, error in (
        (np.zeros(3), TypeError),
        ([np.zeros(3)], ValueError),
        ([np.zeros((2, 5))], ValueError),
    ):
        with pytest.raises(error, match=r"^maxsim: "):
            util.maxsim(wrong, b)
