"""Every family against `transformers` on random checkpoints: all hidden states, all attention weights."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from polysemy import Encoder
from polysemy.encoding.loading import load_model
from polysemy.model.spec import EncoderSpec, RotarySpec
from polysemy.reference.encoder import encode_tokens
from transformers_models import Built, frequencies, states_and_attentions, types_of

# Beyond all windows, and all borders of buckets, of the small models.
LONG = 150
UNIT = 2.0**-24


def texts(spec: EncoderSpec) -> list[list[int]]:
    """Ids that no special token of any family has; the last text is as long as a model takes."""
    long = [10 + i * i % 47 for i in range(min(LONG, spec.max_positions))]
    return [[10, 11, 12], list(range(9, 39)), [20], [59, 58, 57, 56, 55, 54, 53, 52, 51], long]


def bound(exact: NDArray[np.floating], eps: float, width: int, layer: int) -> float:
    """Rounding grows with each layer, in which sums of ``width`` terms err by about sqrt(width) units."""
    return 8 * eps * (layer + 1) * width**0.5 * float(np.abs(exact).max())


def width_of(spec: EncoderSpec) -> int:
    return max([spec.hidden, *(layer.ffn.width for layer in spec.layers)])


def rms(errors: NDArray[np.floating]) -> float:
    return float(np.sqrt((errors**2).mean()))


def largest(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    return float(np.abs(a - b).max())


def test_ids_of_padding_inside_of_a_text(built: Built) -> None:
    """As `transformers` has it without a mask: where positions count from the padding id, such a token has the row of
    that number and is not counted; elsewhere it is a token like any other."""
    encoder = Encoder.from_pretrained(built.folder)
    config = built.exact.config
    padding = config.pad_token_id or 0
    counts = config.model_type in ("roberta", "xlm-roberta", "camembert", "mpnet")
    assert encoder.spec.embedding.padding_id == (padding if counts else -1)
    ids = [
        [10, 11, padding, 12, 13],
        [padding, padding, 20, 21],
        [30, 31, padding],
        [padding],
        [*[padding] * 3, 9] * 2,
    ]
    output = encoder.forward(ids, layers="all")
    width = width_of(encoder.spec)
    for i, text in enumerate(ids):
        for layer, exact in enumerate(states_and_attentions(built.exact, text)[0]):
            assert largest(output.hidden_state(i, layer), exact) <= bound(exact, UNIT, width, layer), (
                text,
                layer,
            )


def with_their_frequencies(spec: EncoderSpec, model: Any) -> EncoderSpec:
    """Powers in torch's float32 are off by a unit in the last place here and there, which float64 shows."""
    layers = []
    for i, layer in enumerate(spec.layers):
        theirs = frequencies(model, i)
        ours = np.array(layer.attention.rotary.frequencies, np.float32)
        assert (theirs is None) == (len(ours) == 0)
        if theirs is not None:
            assert (np.abs(ours - theirs) <= 2 * np.spacing(ours)).all()
            rotary = RotarySpec(tuple(theirs.tolist()))
            layers.append(replace(layer, attention=replace(layer.attention, rotary=rotary)))
        else:
            layers.append(layer)
    return replace(spec, layers=tuple(layers))


def test_reference_in_float64(built: Built) -> None:
    """The graph and the weight names, without the core: only rounding of float64 may differ."""
    loaded = load_model(str(built.folder))
    spec = with_their_frequencies(loaded.spec, built.exact)
    ids = texts(spec)
    offsets = np.cumsum([0, *map(len, ids)])
    types = [types_of(built.exact, text) for text in ids]
    given = np.concatenate(types) if spec.embedding.token_types else None
    states = encode_tokens(spec, loaded.weights, np.concatenate(ids), offsets, given)
    width = width_of(spec)
    for i, text in enumerate(ids):
        hidden, attentions = states_and_attentions(built.exact, text, types[i])
        assert (len(hidden), len(attentions)) == (len(spec.layers) + 1, len(spec.layers))
        for layer, exact in enumerate(hidden):
            got = states.hidden_states[layer][offsets[i] : offsets[i + 1]]
            assert largest(got, exact) <= bound(exact, 2.0**-53, width, layer), (i, layer)
        for layer, exact in enumerate(attentions):
            got = states.attentions[layer][i]
            assert largest(got, exact) <= 16 * bound(exact, 2.0**-53, width, layer + 1), (i, layer)


def test_encoder(built: Built) -> None:
    """No error above twice that of `transformers` in float32, nor above what sums err by.

    Of each layer the root mean square, and the largest over all layers, in units of each layer's largest number: the
    largest of a few thousand errors is a matter of luck.
    """
    encoder = Encoder.from_pretrained(built.folder)
    spec = encoder.spec
    ids = texts(spec)
    layers = range(len(spec.layers) + 1)
    output = encoder.forward(ids, layers=layers, attentions=layers[1:])
    width = width_of(spec)
    results = [[states_and_attentions(model, text) for text in ids] for model in (built.exact, built.single)]
    for kind in (0, 1):  # hidden states, attention weights
        highest = np.zeros(2)
        for number in layers[kind:]:
            errors: list[list[NDArray[np.floating]]] = [[], []]
            scale = 0.0
            for i, text in enumerate(ids):
                oracle, other = (result[i][kind][number - kind] for result in results)
                got = output.attention(i, number) if kind else output.hidden_state(i, number)
                assert got.shape == oracle.shape and (kind or oracle.std() > 0.1)
                # A score is a sum of head_dim products of numbers around 1, and errs as those do; exp passes it on.
                assert largest(got, oracle) <= (16 if kind else 1) * bound(oracle, UNIT, width, number)
                assert not kind or np.abs(got.sum(-1) - 1).max() <= 2 * UNIT * (len(text) + 2)
                for found, into in zip((got, other), errors, strict=True):
                    into.append(np.abs(found - oracle).ravel())
                scale = max(scale, float(np.abs(oracle).max()))
            ours, theirs = (np.concatenate(parts) / scale for parts in errors)
            assert rms(ours) <= 2 * max(rms(theirs), UNIT / 4), (kind, number)
            highest = np.maximum(highest, (ours.max(), theirs.max()))
        assert highest[0] <= 2 * max(highest[1], UNIT), kind
