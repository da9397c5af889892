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

ROWS, COLUMNS = 37, 70


@dataclass
class Inputs:
    """Everything that goes in, made before: making it is arithmetic, too."""

    x: Floats
    weight: _core.PackedWeight
    bias: Floats
    heads: Floats
    angles: Floats
    ids: NDArray[np.int32]
    encoder: _core.Encoder


def inputs(scale: float = 4.0) -> Inputs:
    """``scale``: size of the numbers that go in."""
    weights = weights_of("uneven")
    weights["embeddings.token"] *= np.float32(scale)
    return Inputs(
        x=values("x", ROWS, COLUMNS, scale=scale),
        weight=_core.PackedWeight(values("weight", 50, COLUMNS)),
        bias=values("bias", 50, scale=scale),
        heads=values("qkv", 3, 4, 29, 16, scale=scale),
        angles=values("angles", 2, ROWS, 7),
        ids=integers("ids", ROWS, 0, ROWS).astype(np.int32),
        encoder=encoder_of("uneven", weights),
    )


def results(given: Inputs, isa: str | None = None, num_threads: int = 1) -> dict[str, Floats]:
    """Every operation, by name."""
    x = given.x
    offsets = np.array([0, 1, 1, 18, ROWS])
    out = {name: np.zeros_like(x) for name in ("layer_norm", "softmax", "l2_normalize", "embed")}
    out |= {f"activation {kind}": np.zeros(x.size, np.float32) for kind in _core.ACTIVATIONS}
    out |= {f"pool {mode}": np.zeros((4, COLUMNS), np.float32) for mode in _core.POOLINGS}
    out |= {"linear": np.zeros((ROWS, 50), np.float32), "attention": np.zeros_like(given.heads[0])}
    out["rotary"] = np.zeros((ROWS, 5, 14), np.float32)
    how = {"num_threads": num_threads, "isa": isa}
    _core.linear(x, given.weight, given.bias, None, None, out["linear"], **how)
    _core.layer_norm(x, None, None, None, 1e-12, out["layer_norm"], **how)
    _core.softmax(x, out["softmax"], **how)
    _core.l2_normalize(x, out["l2_normalize"], **how)
    _core.embed(given.ids, None, None, x, None, None, None, None, 0.0, out["embed"], **how)
    for kind in _core.ACTIVATIONS:
        _core.activation(x.reshape(-1), kind, out[f"activation {kind}"], **how)
    for mode in _core.POOLINGS:
        _core.pool(x, offsets, mode, out[f"pool {mode}"], **how)
    _core.rotary(x.reshape(ROWS, 5, 14), *given.angles, out["rotary"], **how)
    _core.attention(*given.heads, out["attention"], 0.25, causal=True, **how)
    states = given.encoder.forward(given.ids, np.array([0, 5, 5, ROWS]), layers=[0, 2], pooling="mean", **how)
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
