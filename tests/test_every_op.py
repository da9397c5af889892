"""The values of every_op.py, which other tests compare by hash, are those of the reference, on every level."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import ops_bounds as bounds
from deterministic import SPECS, weights_of
from every_op import POOLED, SEQUENCES, WINDOW, Inputs, hashes, inputs, results
from numpy.typing import NDArray
from ops_bounds import U
from polysemy import _core, reference

Oracle = tuple[NDArray[np.float64], NDArray[np.float64] | float]
GATED: dict[str, Callable[..., Any]] = {
    "gelu": reference.gelu,
    "gelu_tanh": lambda x: reference.gelu(x, approximate="tanh"),
    "silu": reference.silu,
    "quick_gelu": reference.quick_gelu,
}
PLAIN: dict[str, Callable[..., Any]] = {
    "none": lambda x: x,
    "relu": reference.relu,
    "tanh": reference.tanh,
    "exp": np.exp,
    "erf": reference.activations.erf,
    "sigmoid": reference.activations.sigmoid,
}


def rows_of(given: Inputs) -> dict[str, Oracle]:
    x, wide = given.x, given.x.astype(np.float64)
    ones = np.ones(len(x[0]))
    norms = {
        "layer_norm": reference.layer_norm(wide, len(ones), eps=1e-12),
        "rms_norm": reference.rms_norm(wide, len(ones), eps=1e-12),
    }
    found: dict[str, Oracle] = {name: (y, bounds.layer_norm(y, ones, None)) for name, y in norms.items()}
    unit = reference.l2_normalize(wide)
    found["l2_normalize"] = unit, 8 * U * np.abs(unit)
    soft = reference.softmax(wide)
    found["softmax"] = soft, bounds.softmax(wide, soft)
    found["embed"] = wide[given.ids], 0.0
    for kind, function in GATED.items():
        y = function(wide).reshape(-1)
        found[f"activation {kind}"] = y, bounds.gated(x.reshape(-1), y)
    for kind, function in PLAIN.items():
        y = function(wide).reshape(-1)
        found[f"activation {kind}"] = y, 4 * bounds.ulp(y)
    cosine, sine = given.angles.astype(np.float64)
    turned = reference.positions.turn(wide.reshape(-1, 5, 14), cosine, sine)
    found["rotary"] = turned, 4 * U * np.abs(wide).max()
    return found


def products_of(given: Inputs) -> dict[str, Oracle]:
    """A number of bfloat16 that is subnormal counts as zero, which none is here."""
    x, weight = given.x, weight_of(given)
    wide, bias = x.astype(np.float64), given.bias.astype(np.float64)
    found: dict[str, Oracle] = {"matmul": (wide @ wide.T, bounds.product(x, x.T))}
    for precision in _core.PRECISIONS:
        y = np.asarray(
            reference.precision.product(x if precision in ("int8", "int16") else wide, weight, precision)
        )
        found[f"linear {precision}"] = y + bias, bounds.product(x, weight.T, bias)
    return found


def weight_of(given: Inputs) -> NDArray[np.float64]:
    """Read back: the rows of the identity pick its columns."""
    rows, columns = given.weights["float32"].shape
    out = np.zeros((columns, rows), np.float32)
    _core.linear(np.eye(columns, dtype=np.float32), given.weights["float32"], None, None, None, out)
    return out.T.astype(np.float64)


def pools_of(given: Inputs) -> dict[str, Oracle]:
    wide = given.x.astype(np.float64)
    parts = [wide[a:b] for a, b in pairwise(POOLED)]
    functions: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
        "mean": lambda rows: rows.mean(0),
        "cls": lambda rows: rows[0],
        "max": lambda rows: rows.max(0),
        "mean_sqrt_len": lambda rows: rows.sum(0) / len(rows) ** 0.5,
        "weightedmean": lambda rows: np.average(rows, axis=0, weights=range(1, len(rows) + 1)),
        "lasttoken": lambda rows: rows[-1],
    }
    nothing = np.zeros(wide.shape[1])
    return {
        f"pool {mode}": (
            np.array([function(part) if len(part) else nothing for part in parts]),
            8 * U * np.array([[np.abs(part).sum(initial=0.0)] for part in parts]) + 0 * nothing,
        )
        for mode, function in functions.items()
    }


def attentions_of(given: Inputs) -> dict[str, Oracle]:
    q, k, v = given.heads.astype(np.float64)
    plain, modified = (
        reference.scaled_dot_product_attention(
            q, k, v, scale=0.25, return_weights=True, return_lse=True, **how
        )
        for how in (
            {"is_causal": True},
            {"window": WINDOW, "alibi_slopes": given.slopes, "attn_mask": given.scores},
        )
    )
    found: dict[str, Oracle] = {}
    for name, (y, weights, _) in (("attention", plain), ("modified attention", modified)):
        off = bounds.score_error(given.heads[0], given.heads[1], 0.25, weights, given.heads[2])
        found[name] = y, bounds.attention(y, weights, given.heads[2]) + off
    # A score is the sum of a product of 16 terms, a distance times a slope, and what is added.
    size = 0.25 * np.matmul(np.abs(q), np.swapaxes(np.abs(k), -1, -2)).max() + np.abs(given.scores).max()
    error = 8 * U * (size + given.slopes.max() * len(q[0]))
    _, weights, lse = modified
    found["weights"] = weights, (2 * error + 8 * U * (1 + len(q[0]))) * weights + bounds.TINY
    found["lse"] = lse, error + 8 * U * (1 + np.abs(lse))
    return found


def encoder_of(given: Inputs) -> dict[str, Oracle]:
    """As in tests/encoding/test_graph.py: the errors of sums walk at random, in each layer."""
    spec = SPECS["uneven"]
    weights = weights_of("uneven")
    weights["embeddings.token"] *= np.float32(4)
    exact = reference.encode_tokens(spec, weights, given.ids, SEQUENCES).hidden_states
    walk = [16 * U * (i + 1) * spec.layers[0].ffn.width ** 0.5 * np.abs(exact[i]).max() for i in range(3)]
    parts = [exact[2][a:b] for a, b in pairwise(SEQUENCES)]
    pooled = np.array([part.mean(0) if len(part) else 0 * exact[2][0] for part in parts])
    return {"embedded": (exact[0], walk[0]), "states": (exact[2], walk[2]), "pooled": (pooled, walk[2])}


def test_values(isa: str) -> None:
    given = inputs()
    oracles = rows_of(given) | products_of(given) | pools_of(given) | attentions_of(given) | encoder_of(given)
    found = results(given, isa)
    assert found.keys() == oracles.keys()
    for name, (oracle, bound) in oracles.items():
        assert np.std(oracle) > 1e-3, name
        try:
            bounds.within(found[name], np.asarray(oracle, np.float64), bound)
        except AssertionError as error:
            raise AssertionError(name) from error


def test_every_hash_is_its_own() -> None:
    """Two operations with one hash would be one that ran twice, or none that ran."""
    found = hashes(results(inputs()))
    assert len(set(found.values())) == len(found)
