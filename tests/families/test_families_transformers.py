"""Every family against `transformers` on random checkpoints: all hidden states, all attention weights."""

from __future__ import annotations

import numpy as np
from polysemy import Encoder
from polysemy.encoding.loading import load_model
from polysemy.reference.encoder import encode_tokens
from transformers_models import IDS, Built, states_and_attentions, types_of


def bound(exact: np.ndarray, eps: float, width: int, layer: int) -> float:
    """Rounding grows with each layer, in which sums of ``width`` terms err by about sqrt(width) units."""
    return 8 * eps * (layer + 1) * width**0.5 * float(np.abs(exact).max())


def test_reference_in_float64(built: Built) -> None:
    """The graph and the weight names, without the core: only rounding of float64 may differ."""
    loaded = load_model(str(built.folder))
    offsets = np.cumsum([0, *map(len, IDS)])
    types = [types_of(built.model, ids) for ids in IDS]
    given = np.concatenate(types) if loaded.spec.embedding.token_types else None
    states = encode_tokens(loaded.spec, loaded.weights, np.concatenate(IDS), offsets, given)
    width = max(loaded.spec.hidden, loaded.spec.layers[0].ffn.width)
    for i, ids in enumerate(IDS):
        hidden, attentions = states_and_attentions(built.model, ids, types[i])
        for layer, exact in enumerate(hidden):
            got = states.hidden_states[layer][offsets[i] : offsets[i + 1]]
            assert np.abs(got - exact).max() <= bound(exact, 2.0**-53, width, layer)
        for layer, exact in enumerate(attentions):
            got = states.attentions[layer][i]
            assert np.abs(got - exact).max() <= 16 * bound(exact, 2.0**-53, width, layer + 1)


def test_encoder(built: Built) -> None:
    encoder = Encoder.from_pretrained(built.folder)
    spec = encoder.spec
    layers = range(len(spec.layers) + 1)
    output = encoder.forward(IDS, layers=layers, attentions=layers[1:])
    width = max(spec.hidden, spec.layers[0].ffn.width)
    for i, ids in enumerate(IDS):
        hidden, attentions = states_and_attentions(built.model, ids)
        for layer, exact in enumerate(hidden):
            got = output.hidden_state(i, layer)
            assert got.shape == exact.shape and exact.std() > 0.1
            assert np.abs(got - exact).max() <= bound(exact, 2.0**-24, width, layer)
        for layer, exact in enumerate(attentions, start=1):
            got = output.attention(i, layer)
            # A score is a sum of head_dim products of numbers around 1, and errs as those do; exp passes it
            # on.
            assert np.abs(got - exact).max() <= 16 * bound(exact, 2.0**-24, width, layer)
            assert np.abs(got.sum(-1) - 1).max() <= 2.0**-23 * (len(ids) + 2)


def test_longest_sequence(built: Built) -> None:
    """The last row of the position table is reached, and none beyond it."""
    encoder = Encoder.from_pretrained(built.folder)
    longest = [10 + i % 40 for i in range(encoder.spec.max_positions)]
    exact = states_and_attentions(built.model, longest)[0][-1]
    got = encoder.forward([longest]).hidden_state(0)
    width = max(encoder.spec.hidden, encoder.spec.layers[0].ffn.width)
    assert np.abs(got - exact).max() <= bound(exact, 2.0**-24, width, len(encoder.spec.layers))
