"""Weights that come piece by piece: the bytes of those that come at once, and one clear error for what is wrong."""

from __future__ import annotations

import numpy as np
import pytest
from polysemy import _core
from polysemy.model.network import Network, PackedWeights
from polysemy.model.spec import native
from random_specs import POSITIONS, random_spec, random_weights
from tiny_models import SPEC
from tiny_models import random_weights as tiny_weights

PIECES = (16, 48, 1 << 20)


@pytest.mark.parametrize("precision", _core.PRECISIONS)
@pytest.mark.parametrize("seed", range(2 * len(POSITIONS)))
def test_pieces_in_any_order_of_parameters(seed: int, precision: str) -> None:
    spec = random_spec(seed)
    weights = random_weights(spec, seed)
    packed = PackedWeights(spec, precision)
    packed.update({name: weights[name] for name in packed.tables})
    rng = np.random.default_rng([seed, 4])
    left = {name: 0 for name in weights if name not in packed.tables}
    while left:
        name = str(rng.choice([*left]))
        first, count = left[name], int(rng.choice(PIECES))
        scratch = weights[name][first : first + count].copy()
        packed.put(name, first, scratch)
        scratch[:] = np.nan  # it is used again
        left[name] += count
        if left[name] >= len(weights[name]):
            del left[name]
    whole = _core.Encoder(native(spec), weights, precision)
    found = Network(spec, packed)
    assert found.precision == precision
    layout, data = found._encoder.packed
    assert layout == whole.packed[0]
    assert data.tobytes() == whole.packed[1].tobytes()
    assert found._encoder.tables.keys() == whole.tables.keys() == packed.tables


@pytest.mark.parametrize("dtype", [np.float16, np.uint16])
def test_sixteen_bits(dtype: type) -> None:
    """Widened as they are packed, whatever the pieces."""
    bits = {name: array.astype(np.float16).view(dtype) for name, array in tiny_weights().items()}
    packed = PackedWeights(SPEC, "float32")
    packed.update({name: bits[name] for name in packed.tables})
    for name in bits.keys() - packed.tables:
        for first in range(0, len(bits[name]), 16):
            packed.put(name, first, bits[name][first : first + 16])
    whole = _core.Encoder(native(SPEC), bits)
    assert Network(SPEC, packed)._encoder.packed[1].tobytes() == whole.packed[1].tobytes()


NAME = "layers.0.ffn.up.weight"
ROWS, COLUMNS = tiny_weights()[NAME].shape


@pytest.mark.parametrize(
    ("name", "first", "shape", "message"),
    [
        ("layers.9.ffn.up.weight", 0, (16, COLUMNS), "weights must have no 'layers.9.ffn.up.weight', got one"),
        ("embeddings.token", 0, (16, COLUMNS), "weights must have no 'embeddings.token', got one"),
        (NAME, 16, (16, COLUMNS), f"must have {ROWS} rows of {COLUMNS}, 0 of which are there, got 16 of {COLUMNS}"),
        (NAME, 0, (ROWS + 16, COLUMNS), f"must have {ROWS} rows of {COLUMNS}, 0 of which are there, got {ROWS + 16}"),
        (NAME, -16, (16, COLUMNS), "from -16 on"),
        (NAME, 0, (16, COLUMNS + 1), f"got 16 of {COLUMNS + 1}"),
        (NAME, 0, (16,), "got 16 of 1"),
        (NAME, 0, (17, COLUMNS), "pieces of .* must have a multiple of 16 rows, got 17"),
        (NAME, 0, (1, 16, COLUMNS), "must have shape"),
    ],
)  # fmt: skip
def test_pieces_that_are_wrong(name: str, first: int, shape: tuple[int, ...], message: str) -> None:
    packed = PackedWeights(SPEC, "float32")
    with pytest.raises(ValueError, match=message):
        packed.put(name, first, np.zeros(shape, np.float32))


def test_rows_come_once_and_all_of_them() -> None:
    weights = tiny_weights()
    packed = PackedWeights(SPEC, "float32")
    packed.update({name: weights[name] for name in packed.tables})
    for name in weights.keys() - packed.tables - {NAME}:
        packed.put(name, 0, weights[name])
    with pytest.raises(ValueError, match=r"layers\.0\.attention\.query\.weight must have .* are there"):
        packed.put("layers.0.attention.query.weight", 0, weights["layers.0.attention.query.weight"])
    packed.put(NAME, 0, weights[NAME][:16])
    with pytest.raises(ValueError, match=f"{NAME} must have {ROWS} rows, got 16"):
        packed.finish()


def test_finished_weights_take_no_more() -> None:
    weights = tiny_weights()
    packed = PackedWeights(SPEC, "float32")
    packed.update({name: weights[name] for name in packed.tables})
    for name in weights.keys() - packed.tables:
        packed.put(name, 0, weights[name])
    Network(SPEC, packed)
    with pytest.raises(ValueError, match="Packing: put must come before finish"):
        packed.put(NAME, 0, weights[NAME])
    with pytest.raises(ValueError, match="Packing: finish must come once"):
        Network(SPEC, packed)


def test_tables_that_are_missing() -> None:
    weights = tiny_weights()
    packed = PackedWeights(SPEC, "float32")
    for name in weights.keys() - packed.tables:
        packed.put(name, 0, weights[name])
    with pytest.raises(ValueError, match=r"weights must have 'embeddings\.token'"):
        packed.finish()
