"""Hashes of outputs: ``python tests/golden.py --write`` after an intended change of numbers.

Inputs come from `deterministic`, results are hashed as little-endian float32, so the file holds for every
machine whose level has fused multiply-adds.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
from deterministic import SPECS, Floats, encoder_of, integers, values, weights_of
from polysemy import _core

FILE = Path(__file__).parent / "data" / "golden.json"


def encoder_outputs(model: str, isa: str) -> dict[str, Floats]:
    """Everything that one forward pass over five sequences gives."""
    lengths = [1, 17, 64, 5, 530]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    ids = integers(f"golden {model}", int(offsets[-1]), 0, SPECS[model].embedding.vocab).astype(np.int32)
    layers = list(range(len(SPECS[model].layers) + 1))
    encoder = encoder_of(model, weights_of(model))
    outputs = {}
    for number, pooling in enumerate(_core.POOLINGS):
        result = encoder.forward(ids, offsets, pooling=pooling, normalize=number < 3, isa=isa)
        assert result["pooled"] is not None
        outputs[f"{model} pooled {pooling}"] = result["pooled"]
    result = encoder.forward(ids, offsets, layers=layers, attentions=layers[1:], isa=isa)
    for layer in layers:
        outputs[f"{model} hidden {layer}"] = result["hidden"][layer]
    for layer in layers[1:]:
        outputs[f"{model} attention {layer}"] = result["attentions"][layer]
    return outputs


def operation_outputs(isa: str) -> dict[str, Floats]:
    """Operations with inputs over a wide range of magnitudes."""
    wide = np.ldexp(values("wide", 4096), integers("exponents", 4096, -30, 7).astype(np.int32))
    table = values("table", 40, 1000, scale=6.0)
    outputs = {"wide": wide, "table": table}
    for kind in _core.ACTIVATIONS[1:]:
        outputs[f"activation {kind}"] = np.empty_like(wide)
        _core.activation(wide, kind, outputs[f"activation {kind}"], isa=isa)
    for name, operation in (("softmax", _core.softmax), ("l2_normalize", _core.l2_normalize)):
        outputs[name] = np.empty_like(table)
        operation(table, outputs[name], isa=isa)
    for rms in (False, True):
        outputs[f"norm {rms}"] = np.empty_like(table)
        _core.layer_norm(
            table, values("w", 1000), values("b", 1000), None, 1e-5, outputs[f"norm {rms}"], rms=rms, isa=isa
        )
    outputs["linear"] = np.empty((40, 50), np.float32)
    weight = _core.PackedWeight(values("linear", 50, 1000))
    _core.linear(table, weight, values("b", 50), None, "gelu", outputs["linear"], isa=isa)
    return outputs


def hashes(isa: str) -> dict[str, str]:
    outputs = operation_outputs(isa)
    for model in SPECS:
        outputs |= encoder_outputs(model, isa)
    return {name: hashlib.sha256(x.astype("<f4").tobytes()).hexdigest() for name, x in outputs.items()}


if __name__ == "__main__":
    found = hashes(_core.fused_isas()[0])
    if sys.argv[1:] == ["--write"]:
        FILE.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    else:
        sys.exit(__doc__)
