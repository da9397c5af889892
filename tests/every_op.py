"""A script: runs every operation of the core once, small, and prints one hash per operation as JSON.

``python every_op.py [isa]``; without one, the default.
"""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import dataclass

import numpy as np
from deterministic import Floats, encoder_of, integers, values, weights_of
from numpy.typing import NDArray
from polysemy import _core

ROWS, COLUMNS, LENGTH = 37, 70, 29
#: Of the sequences whose rows are pooled, and of those of the encoder.
POOLED, SEQUENCES = (0, 1, 1, 18, ROWS), (0, 5, 5, ROWS)
WINDOW = (9, 4)


@dataclass
class Inputs:
    """Everything that goes in, made before: making it is arithmetic, too."""

    x: Floats
    weights: dict[str, _core.PackedWeight]
    """By precision."""
    bias: Floats
    heads: Floats
    scores: Floats
    """What is added to those of attention."""
    slopes: Floats
    angles: Floats
    ids: NDArray[np.int32]
    encoder: _core.Encoder


def inputs(scale: float = 4.0) -> Inputs:
    """``scale``: size of the numbers that go in."""
    weights = weights_of("uneven")
    weights["embeddings.token"] *= np.float32(scale)
    weight = values("weight", 50, COLUMNS)
    return Inputs(
        x=values("x", ROWS, COLUMNS, scale=scale),
        weights={precision: _core.PackedWeight(weight, precision) for precision in _core.PRECISIONS},
        bias=values("bias", 50, scale=scale),
        heads=values("qkv", 3, 4, LENGTH, 16, scale=scale),
        scores=values("scores", LENGTH, LENGTH, scale=scale),
        slopes=values("slopes", 4) + np.float32(1),
        angles=values("angles", 2, ROWS, 7),
        ids=integers("ids", ROWS, 0, ROWS).astype(np.int32),
        encoder=encoder_of("uneven", weights),
    )


def results(given: Inputs, isa: str | None = None, num_threads: int = 1) -> dict[str, Floats]:
    """Every operation, by name."""
    x = given.x
    out = {name: np.zeros_like(x) for name in ("layer_norm", "rms_norm", "softmax", "l2_normalize", "embed")}
    out |= {f"activation {kind}": np.zeros(x.size, np.float32) for kind in _core.ACTIVATIONS}
    out |= {f"pool {mode}": np.zeros((4, COLUMNS), np.float32) for mode in _core.POOLINGS}
    out |= {f"linear {precision}": np.zeros((ROWS, 50), np.float32) for precision in given.weights}
    out |= {name: np.zeros_like(given.heads[0]) for name in ("attention", "modified attention")}
    out |= {"weights": np.zeros((4, LENGTH, LENGTH), np.float32), "lse": np.zeros((4, LENGTH), np.float32)}
    out |= {"rotary": np.zeros((ROWS, 5, 14), np.float32), "matmul": np.zeros((ROWS, ROWS), np.float32)}
    how = {"num_threads": num_threads, "isa": isa}
    for precision, weight in given.weights.items():
        _core.linear(x, weight, given.bias, None, None, out[f"linear {precision}"], **how)
    _core.matmul(x, x.T, out["matmul"], **how)
    _core.layer_norm(x, None, None, None, 1e-12, out["layer_norm"], **how)
    _core.layer_norm(x, None, None, None, 1e-12, out["rms_norm"], rms=True, **how)
    _core.softmax(x, out["softmax"], **how)
    _core.l2_normalize(x, out["l2_normalize"], **how)
    _core.embed(given.ids, None, None, x, None, None, None, None, 0.0, out["embed"], **how)
    for kind in _core.ACTIVATIONS:
        _core.activation(x.reshape(-1), kind, out[f"activation {kind}"], **how)
    for mode in _core.POOLINGS:
        _core.pool(x, np.array(POOLED), mode, out[f"pool {mode}"], **how)
    _core.rotary(x.reshape(ROWS, 5, 14), *given.angles, out["rotary"], **how)
    _core.attention(*given.heads, out["attention"], 0.25, causal=True, **how)
    _core.attention(
        *given.heads, out["modified attention"], 0.25, window=WINDOW, alibi_slopes=given.slopes, mask=given.scores,
        weights=out["weights"], lse=out["lse"], **how,
    )  # fmt: skip
    states = given.encoder.forward(given.ids, np.array(SEQUENCES), layers=[0, 2], pooling="mean", **how)
    assert states["pooled"] is not None
    return out | {"states": states["hidden"][2], "embedded": states["hidden"][0], "pooled": states["pooled"]}


def hashes(found: dict[str, Floats]) -> dict[str, str]:
    return {name: hashlib.sha256(x.tobytes()).hexdigest() for name, x in found.items()}


if __name__ == "__main__":
    isa = sys.argv[1] if len(sys.argv) > 1 else None
    print(
        json.dumps(
            {"isa": isa or _core.default_isa(), "isas": _core.isas(), **hashes(results(inputs(), isa))}
        )
    )
