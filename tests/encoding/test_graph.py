"""The graph computes what a spec can say: random encoders against the reference in float64."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray
from polysemy import _core, reference
from polysemy.model.spec import EncoderSpec, PositionBias, native
from random_specs import POSITIONS, random_batch, random_spec, random_weights

SEEDS = range(12 * len(POSITIONS))
#: Long enough for windows, buckets and more than one share of rows; 0 and 1 are borders of their own.
LENGTHS = ([9, 1, 0, 40], [150, 17, 3], [70])
WAYS = [("throughput", 1), ("throughput", 3), ("latency", 2), ("latency", 3), ("latency", 4), ("auto", 2)]
FUSED = _core.fused_isas()
UNIT = 2.0**-24


def largest(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    return float(np.abs(a - b).max(initial=0.0))


def bound(spec: EncoderSpec, layer: int, exact: NDArray[np.float64], plain: NDArray[np.float32]) -> float:
    """Each layer's products are sums of up to ``widest`` terms, whose rounding errors walk at random.

    Attention and norms pass errors on, magnified by what they divide by; where an encoder magnifies much, so does
    NumPy in float32 (``plain``), whose error is another draw from the same distribution.
    """
    widest = max([spec.hidden, *(layer.ffn.width for layer in spec.layers)])
    random_walk = 16 * UNIT * (layer + 1) * widest**0.5 * max(1.0, float(np.abs(exact).max(initial=0.0)))
    return max(random_walk, 4 * largest(plain, exact))


def flat(parts: list[NDArray[np.floating]]) -> NDArray[np.floating]:
    return np.concatenate([part.ravel() for part in parts])


def everything(
    encoder: _core.Encoder, spec: EncoderSpec, batch: tuple, schedule: str, threads: int, isa: str
) -> dict[str, NDArray[np.float32]]:
    ids, offsets, types = batch
    layers = list(range(len(spec.layers) + 1))
    result = encoder.forward(
        ids,
        offsets,
        types,
        layers=layers,
        attentions=layers[1:],
        projections=layers[1:],
        pooling="mean",
        schedule=schedule,
        num_threads=threads,
        isa=isa,
    )
    found = {f"hidden {i}": result["hidden"][i] for i in layers}
    found |= {f"attention {i}": result["attentions"][i] for i in layers[1:]}
    found |= {f"projection {i}": result["projections"][i] for i in layers[1:]}
    assert result["pooled"] is not None
    return found | {"pooled": result["pooled"]}


@pytest.mark.parametrize("seed", SEEDS)
def test_every_spec(seed: int) -> None:
    spec = random_spec(seed)
    weights = random_weights(spec, seed)
    encoder = _core.Encoder(native(spec), weights)
    batch = random_batch(spec, seed, LENGTHS[seed % len(LENGTHS)])
    exact = reference.encode_tokens(spec, weights, *batch)
    plain = reference.encode_tokens(spec, weights, *batch, dtype=np.float32)
    ways = [(isa, *way) for isa, way in product(_core.isas(), WAYS[seed % 2 :: 2])]
    first: dict[str, bytes] = {}
    for isa, schedule, threads in ways:
        found = everything(encoder, spec, batch, schedule, threads, isa)
        for layer, (oracle, other) in enumerate(zip(exact.hidden_states, plain.hidden_states, strict=True)):
            error = largest(found[f"hidden {layer}"], oracle)
            assert error <= bound(spec, layer, oracle, other), (layer, isa, schedule, threads)
        for layer, parts in enumerate(zip(exact.attentions, plain.attentions, strict=True), start=1):
            oracle, other = map(flat, parts)
            error = largest(found[f"attention {layer}"], oracle)
            assert error <= bound(spec, layer, oracle, other), (layer, isa, schedule, threads)
        for layer, parts in enumerate(zip(exact.projections, plain.projections, strict=True), start=1):
            oracle, other = (
                np.concatenate([part.reshape(len(part), -1) for part in qkv], 1) for qkv in parts
            )
            error = largest(found[f"projection {layer}"], oracle)
            assert error <= bound(spec, layer, oracle, other), (layer, isa, schedule, threads)
        if isa in FUSED:
            for name, array in found.items():
                assert first.setdefault(name, array.tobytes()) == array.tobytes(), (
                    name,
                    isa,
                    schedule,
                    threads,
                )


@pytest.mark.parametrize("seed", range(0, len(SEEDS), 3))
def test_tokens_that_nobody_looks_at(seed: int) -> None:
    """They look at the others, who have the bits that they have without them."""
    spec = random_spec(seed)
    weights = random_weights(spec, seed)
    encoder = _core.Encoder(native(spec), weights)
    ids, offsets, types = random_batch(spec, seed, LENGTHS[seed % len(LENGTHS)])
    lengths = np.diff(offsets)
    seen = np.minimum(lengths, 1 + np.random.default_rng(seed).integers(0, np.maximum(lengths, 1)))
    exact, plain = (
        reference.encode_tokens(spec, weights, ids, offsets, types, dtype=dtype, seen=seen).hidden_states[-1]
        for dtype in (np.float64, np.float32)
    )
    last = len(spec.layers)
    first: list[bytes] = []
    for isa, (schedule, threads) in product(_core.isas(), WAYS[seed % 2 :: 2]):
        options = {"layers": [last], "schedule": schedule, "num_threads": threads, "isa": isa}
        states = encoder.forward(ids, offsets, types, seen=seen, **options)["hidden"][last]
        assert largest(states, exact) <= bound(spec, last, exact, plain), (isa, schedule, threads)
        if isa in FUSED:
            assert (first := first or [states.tobytes()]) == [states.tobytes()]
        for start, count in zip(offsets[:-1], seen, strict=True):
            part = slice(start, start + count)
            own = None if types is None else types[part]
            alone = encoder.forward(ids[part], np.array([0, count]), own, **options)["hidden"][last]
            assert alone.tobytes() == states[part].tobytes()


def test_how_many_are_looked_at_is_checked() -> None:
    spec = random_spec(1)
    encoder = _core.Encoder(native(spec), random_weights(spec, 1))
    ids, offsets, types = random_batch(spec, 1, [4, 0, 3])
    for seen in ([4, 0, 4], [0, 0, 3], [4, 1, 3], [-1, 0, 3]):
        with pytest.raises(
            ValueError, match=r"^forward: seen must be 1 to \d, the tokens of sequence \d, got"
        ):
            encoder.forward(ids, offsets, types, seen=np.array(seen))
    with pytest.raises(ValueError, match="seen must be absent where attentions are wanted"):
        encoder.forward(ids, offsets, types, seen=np.array([4, 0, 3]), attentions=[1])


def test_the_draw_has_every_kind() -> None:
    """A spec that no seed draws is not tested."""
    specs = [random_spec(seed) for seed in SEEDS]
    layers = [layer for spec in specs for layer in spec.layers]
    for slot in ("attn_in", "attn_post", "attn_out", "ffn_in", "ffn_post", "ffn_out"):
        assert {getattr(layer, slot).kind.value for layer in layers} == {"none", "layer", "rms"}
    assert {layer.ffn.gated for layer in layers} == {True, False}
    assert {layer.attention.heads // layer.attention.kv_heads for layer in layers} >= {1, 2, 3}
    assert any(len({layer.weights for layer in spec.layers}) < len(spec.layers) for spec in specs)
    assert any(not spec.layers for spec in specs)
    assert any(spec.embedding.width != spec.hidden for spec in specs)
    assert {spec.final_norm.kind.value for spec in specs} == {"none", "layer", "rms"}
    biases = [layer.attention.position_bias for layer in layers]
    assert {bias.kind for bias in biases} == set(PositionBias)
    products = {
        (b.position_keys, b.position_queries, b.shared) for b in biases if b.kind.value == "disentangled"
    }
    assert len(products) >= 5
    assert any(layer.attention.query_key_norm for layer in layers)


def test_16_bit_weights_are_widened() -> None:
    """What is stored in 16 bits gives the bits of the same numbers in float32."""
    for seed in range(28):
        spec = random_spec(seed)
        ids, offsets, types = random_batch(spec, seed, [5, 33])
        halves = {name: array.astype(np.float16) for name, array in random_weights(spec, seed).items()}
        upper = {
            name: (array.view(np.uint32) >> 16).astype(np.uint16)
            for name, array in random_weights(spec, seed).items()
        }
        for stored, wide in (
            (halves, {name: array.astype(np.float32) for name, array in halves.items()}),
            (
                upper,
                {name: (array.astype(np.uint32) << 16).view(np.float32) for name, array in upper.items()},
            ),
        ):
            last = len(spec.layers)
            for isa in _core.isas():
                a, b = (
                    _core.Encoder(native(spec), weights).forward(ids, offsets, types, layers=[last], isa=isa)
                    for weights in (stored, wide)
                )
                assert a["hidden"][last].tobytes() == b["hidden"][last].tobytes()
