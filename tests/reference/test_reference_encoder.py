"""The reference encoder's arguments. That its numbers are right, tests/families says: it is compared there with
`transformers` in float64.
"""

from __future__ import annotations

import numpy as np
import pytest
from deterministic import SPECS, weights_of
from polysemy.reference import encode_tokens

IDS, OFFSETS = np.arange(10), [0, 4, 10]


@pytest.mark.parametrize("name", SPECS)
def test_every_layer_of_every_sequence(name: str) -> None:
    spec = SPECS[name]
    states = encode_tokens(spec, weights_of(name), IDS, OFFSETS)
    assert [x.shape for x in states.hidden_states] == [(10, spec.hidden)] * (len(spec.layers) + 1)
    assert [[x.shape for x in layer] for layer in states.attentions] == [
        [(layer.attention.heads, 4, 4), (layer.attention.heads, 6, 6)] for layer in spec.layers
    ]


def test_types_default_to_zero() -> None:
    spec, weights = SPECS["even"], weights_of("even")
    plain, zeros, ones = (
        encode_tokens(spec, weights, IDS, OFFSETS, types).hidden_states[-1]
        for types in (None, np.zeros(10, np.int32), np.ones(10, np.int32))
    )
    np.testing.assert_array_equal(plain, zeros)
    assert np.abs(plain - ones).max() > 1e-3


def test_precision_is_chosen() -> None:
    spec, weights = SPECS["even"], weights_of("even")
    exact = encode_tokens(spec, weights, IDS, OFFSETS).hidden_states[-1]
    single = encode_tokens(spec, weights, IDS, OFFSETS, dtype=np.float32)
    assert exact.dtype == np.float64
    assert all(state.dtype == np.float32 for state in single.hidden_states)
    # Each layer adds sums of at most hidden + ffn terms, of a size that the norms keep near that of the states.
    bound = 2.0**-24 * (spec.hidden + spec.layers[0].ffn.width) * (len(spec.layers) + 1) * np.abs(exact).max()
    assert 0 < np.abs(single.hidden_states[-1] - exact).max() < bound


def test_positions_may_start_later() -> None:
    """Rows of the position table that a family skips are never read."""
    spec, weights = SPECS["uneven"], weights_of("uneven")
    assert spec.embedding.position_offset
    expected = encode_tokens(spec, weights, IDS, OFFSETS).hidden_states[-1]
    weights["embeddings.position"][: spec.embedding.position_offset] = np.nan
    np.testing.assert_array_equal(encode_tokens(spec, weights, IDS, OFFSETS).hidden_states[-1], expected)
