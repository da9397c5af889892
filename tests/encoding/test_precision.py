"""Encoders in reduced precision: every spec in every mode, the same bits in any company, near the reference."""

from __future__ import annotations

import warnings
from itertools import pairwise
from pathlib import Path

import numpy as np
import polysemy
import pytest
from numpy.typing import NDArray
from polysemy import _core, reference
from polysemy.model.precision import PROMISED, choose, resolve
from polysemy.model.spec import native
from polysemy.reference.precision import integer_rows
from random_specs import POSITIONS, random_batch, random_spec, random_weights

REDUCED = [name for name in _core.PRECISIONS if name != "float32"]
FUSED = _core.fused_isas()
WAYS = [("throughput", 1), ("throughput", 3), ("latency", 2), ("latency", 3), ("latency", 4), ("auto", 2)]
TEXTS = Path(__file__).parents[1] / "data" / "texts.txt"
UNIT = 2.0**-24


def states(
    encoder: _core.Encoder, layers: int, batch: tuple, schedule: str, threads: int, isa: str
) -> NDArray[np.float32]:
    ids, offsets, types = batch
    result = encoder.forward(
        ids, offsets, types, layers=[*range(layers + 1)], schedule=schedule, num_threads=threads, isa=isa
    )
    return np.stack([result["hidden"][i] for i in range(layers + 1)])


@pytest.mark.parametrize("precision", REDUCED)
@pytest.mark.parametrize("seed", range(4 * len(POSITIONS)))
def test_every_spec(seed: int, precision: str) -> None:
    """Any schedule, threads and level: one set of bits; not far from the reference, whose scheme is the same."""
    spec = random_spec(seed)
    weights = random_weights(spec, seed)
    encoder = _core.Encoder(native(spec), weights, precision=precision)
    layers = len(spec.layers)
    batch = random_batch(spec, seed, [[9, 1, 0, 40], [150, 17, 3], [70]][seed % 3])
    found = states(encoder, layers, batch, "throughput", 1, FUSED[0])
    for isa in FUSED:
        for schedule, threads in WAYS:
            assert states(encoder, layers, batch, schedule, threads, isa).tobytes() == found.tobytes()
    exact = np.stack(reference.encode_tokens(spec, weights, *batch).hidden_states)
    scheme = np.stack(reference.encode_tokens(spec, weights, *batch, precision=precision).hidden_states)
    # Sums err as in test_graph.py. A number which that carries over the border of a rounding moves by a step, at most
    # twice what rounding had moved it by; few numbers do, so that they move a state by less than the rounding of all.
    moved = np.abs(scheme - exact).max(axis=(1, 2), initial=0.0)
    largest = np.maximum(np.abs(exact).max(axis=(1, 2), initial=0.0), 1.0)
    widest = max([spec.hidden, *(layer.ffn.width for layer in spec.layers)])
    walk = 16 * UNIT * np.arange(1, layers + 2) * widest**0.5 * largest
    assert (np.abs(found - scheme).max(axis=(1, 2), initial=0.0) <= moved + walk).all()


@pytest.mark.parametrize("precision", REDUCED)
def test_neighbours_and_poison(precision: str) -> None:
    """Each text alone has the bits that it has between others, some of them full of NaN and infinity."""
    spec = random_spec(0)
    weights = random_weights(spec, 0)
    poison = range(len(weights["embeddings.token"]) - 4, len(weights["embeddings.token"]))
    weights["embeddings.token"] = weights["embeddings.token"].copy()
    weights["embeddings.token"][poison] = np.array([[np.nan], [np.inf], [-np.inf], [3e38]], np.float32)
    encoder = _core.Encoder(native(spec), weights, precision=precision)
    layers, rng = len(spec.layers), np.random.default_rng(1)
    texts = [rng.integers(0, poison[0], n).astype(np.int32) for n in (1, 2, 7, 15, 16, 17, 33, 48, 70, 130)]
    bad = [np.full(n, row, np.int32) for n, row in zip((5, 1, 40, 9), poison, strict=True)]

    def run(members: list[NDArray[np.int32]], schedule: str, threads: int, isa: str) -> list[bytes]:
        offsets = np.cumsum([0, *map(len, members)]).astype(np.int64)
        found = states(encoder, layers, (np.concatenate(members), offsets, None), schedule, threads, isa)
        return [found[:, a:b].tobytes() for a, b in pairwise(offsets)]

    alone = [run([text], "throughput", 1, FUSED[0])[0] for text in texts]
    for _ in range(120):
        order = rng.permutation(len(texts) + len(bad))[: rng.integers(1, 9)]
        members = [(texts + bad)[i] for i in order]
        schedule, threads = WAYS[rng.integers(len(WAYS))]
        found = run(members, schedule, threads, FUSED[rng.integers(len(FUSED))])
        for i, bits in zip(order, found, strict=True):
            assert i >= len(texts) or bits == alone[i]


def test_memory_of_the_default_model(default: polysemy.Encoder) -> None:
    assert default.precision == "float32"
    sizes = {
        name: polysemy.Encoder.from_pretrained(default.card.folder, precision=name)._network.weight_bytes
        for name in _core.PRECISIONS
    }
    assert sizes["bfloat16"] < 0.51 * sizes["float32"]
    assert sizes["float16"] < 0.51 * sizes["float32"]
    assert sizes["int8"] < 0.28 * sizes["float32"]
    assert sizes["int16"] < 0.51 * sizes["float32"]


def probabilities(queries: NDArray[np.float32], keys: NDArray[np.float32]) -> NDArray[np.float64]:
    """(heads, n, dim) each -> (heads, n, n)."""
    scores = np.matmul(queries.astype(float), np.swapaxes(keys.astype(float), 1, 2)) / queries.shape[2] ** 0.5
    weights: NDArray[np.float64] = np.exp(scores - scores.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


@pytest.mark.parametrize("precision", _core.PRECISIONS)
def test_scores_are_products_of_the_integers_of_the_reference(
    default: polysemy.Encoder, precision: str
) -> None:
    """To the last digits, where attention multiplies integers, and of the floats themselves elsewhere."""
    encoder = polysemy.Encoder.from_pretrained(default.card.folder, precision=precision)
    text = "The bank by the river pays interest on the money that herons deposit there, one coin at a time."
    output = encoder.forward(text, attentions=(1, 6), projections=(1, 6))[0]
    for layer in (1, 6):
        queries, keys, _ = output.projections(layer)
        floats, integers = (
            probabilities(queries, keys),
            probabilities(integer_rows(queries), integer_rows(keys)),
        )
        expected, other = (floats, integers) if precision in ("float32", "float16") else (integers, floats)
        found = output.attention(layer)
        assert np.abs(found - expected).max() < 16 * UNIT
        assert np.abs(found - other).max() > 1000 * UNIT


@pytest.fixture(scope="module")
def sentences() -> list[str]:
    lines = [line for line in TEXTS.read_text("utf-8").splitlines() if line]
    assert len(lines) > 300
    return lines


@pytest.fixture(scope="module")
def vectors(sentences: list[str]) -> NDArray[np.float32]:
    """In float32."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", polysemy.errors.TruncationWarning)
        return polysemy.Encoder.from_pretrained().encode(sentences)


@pytest.mark.filterwarnings("ignore::polysemy.errors.TruncationWarning")
@pytest.mark.parametrize("precision", REDUCED)
def test_sentence_vectors_keep_what_is_promised(
    sentences: list[str], vectors: NDArray[np.float32], precision: str
) -> None:
    """Against float32, whose own distance from float64 is far below all of these. The cosines are sums of ``dim``
    products of float32 numbers, of vectors that are as long as one to within a few units, here and there."""
    encoder = polysemy.Encoder.from_pretrained(precision=precision)
    cosine = (encoder.encode(sentences).astype(float) * vectors).sum(axis=1)
    assert cosine.mean() >= PROMISED[precision] - 4 * UNIT


def test_what_auto_stands_for() -> None:
    products = _core.products()
    assert set(products) == set(_core.PRECISIONS)
    wanted = "bfloat16" if products["bfloat16"][1] else "float32"
    assert choose().precision == resolve("auto") == wanted
    by_speed = [name for name in ("int8", "bfloat16", "int16", "float32") if products[name][1]]
    assert choose(PROMISED["int8"]).precision == by_speed[0]
    assert choose(PROMISED["int16"]).precision == ("int16" if products["int16"][1] else "float32")
    assert resolve("auto", 1.0) == "float32"
    assert choose(1.0).reason


def test_errors() -> None:
    with pytest.raises(ValueError, match=r"precision must be one of float32, .*auto, got 'int4'"):
        polysemy.Encoder.from_pretrained(precision="int4")
    with pytest.raises(ValueError, match=r"floor must be None unless precision is 'auto', got 0.9"):
        polysemy.Encoder.from_pretrained(precision="int8", floor=0.9)
    with pytest.raises(ValueError, match=r"floor must be 0 to 1, got 2.0"):
        polysemy.Encoder.from_pretrained(precision="auto", floor=2.0)
    with pytest.raises(TypeError, match=r"floor must be a float, got str"):
        choose("high")  # type: ignore[arg-type]
