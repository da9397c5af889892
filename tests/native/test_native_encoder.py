"""The encoder of the C library gives the very bits of the encoder of Python."""

from __future__ import annotations

import ctypes
import hashlib
import json
import re
from ctypes import POINTER, Structure, byref, c_int64
from dataclasses import replace
from pathlib import Path
from typing import Any

import c_encoder
import deterministic
import numpy as np
import pytest
import random_specs
import tiny_models
from c_encoder import CEncoder, CParameter, c_spec
from c_library import OK, Library, SdpaArgs
from numpy.typing import NDArray
from polysemy import Encoder, _core
from polysemy.model.params import expected_shapes
from polysemy.model.spec import EncoderSpec, PositionBias, PositionBiasSpec, native

TESTS = Path(__file__).parents[1]

SCHEDULES = ["auto", "throughput", "latency"]


def same(a: NDArray[Any], b: NDArray[Any]) -> None:
    assert a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def compare(
    lib: Library,
    spec: EncoderSpec,
    weights: dict[str, NDArray[Any]],
    batch: Any,
    seed: int,
    precision: int = 0,
) -> None:
    layers = list(range(len(spec.layers) + 1))
    pooling, schedule, threads = seed % len(_core.POOLINGS), seed % 3, 1 + seed % 4
    expected = _core.Encoder(native(spec), weights, precision=_core.PRECISIONS[precision]).forward(
        *batch,
        layers=layers,
        attentions=layers[1:],
        projections=layers[1:],
        pooling=_core.POOLINGS[pooling],
        normalize=seed % 2 == 1,
        schedule=SCHEDULES[schedule],
        num_threads=threads,
    )
    with CEncoder(lib, spec, weights, precision) as encoder:
        found = encoder.forward(
            *batch,
            layers=layers[::-1],
            attentions=layers[1:],
            projections=layers[1:],
            pooling=pooling,
            normalize=seed % 2,
            schedule=schedule,
            num_threads=threads,
        )
    assert expected["pooled"] is not None
    same(found["pooled"], expected["pooled"])
    for kind in ("hidden", "attentions", "projections"):
        assert found[kind].keys() == expected[kind].keys()  # type: ignore[literal-required]
        for layer, array in expected[kind].items():  # type: ignore[literal-required]
            same(found[kind][layer], array)


@pytest.mark.parametrize("seed", range(6 * len(random_specs.POSITIONS)))
def test_every_spec(lib: Library, seed: int) -> None:
    spec = random_specs.random_spec(seed)
    batch = random_specs.random_batch(spec, seed, [9, 0, 40, 1, 3 + 7 * (seed % 10)])
    compare(lib, spec, random_specs.random_weights(spec, seed), batch, seed)


@pytest.mark.parametrize("precision", range(1, len(_core.PRECISIONS)), ids=_core.PRECISIONS[1:])
@pytest.mark.parametrize("seed", [0, 3])
def test_every_precision(lib: Library, seed: int, precision: int) -> None:
    spec = random_specs.random_spec(seed)
    batch = random_specs.random_batch(spec, seed, [9, 0, 40, 130])
    compare(lib, spec, random_specs.random_weights(spec, seed), batch, seed, precision)


def test_tables_and_weights_by_number(lib: Library) -> None:
    """Two tables of biases, of which the last layer has the first; it shares the weights of the second layer."""
    layers = []
    for layer, table, number in zip(tiny_models.SPEC.layers, (0, 1, 0), (0, 1, 1), strict=True):
        bias = PositionBiasSpec(PositionBias.BUCKETS, table=table, buckets=8, max_distance=20)
        attention = replace(layer.attention, position_bias=bias)
        layers.append(replace(layer, attention=attention, weights=number))
    spec = replace(tiny_models.SPEC, layers=tuple(layers))
    weights = random_specs.random_weights(spec, 1)
    assert {"position_bias.0", "position_bias.1"} <= weights.keys()
    ids, offsets, types = random_specs.random_batch(spec, 1, [5, 20])
    compare(lib, spec, weights, (ids % spec.embedding.vocab, offsets, types), 1)


@pytest.mark.parametrize("stored", ["float16", "bfloat16"])
def test_16_bit_tensors(lib: Library, stored: str) -> None:
    for seed in range(len(random_specs.POSITIONS)):
        spec = random_specs.random_spec(seed)
        weights: dict[str, Any] = dict(random_specs.random_weights(spec, seed))
        for name, array in weights.items():
            upper = (array.view(np.uint32) >> 16).astype(np.uint16)
            weights[name] = upper if stored == "bfloat16" else array.astype(np.float16)
        compare(lib, spec, weights, random_specs.random_batch(spec, seed, [5, 33]), seed)


@pytest.mark.parametrize("model", deterministic.SPECS)
def test_golden_bits(lib: Library, model: str) -> None:
    """The hashes of the golden file, where this CPU has fused multiply-adds."""
    spec = deterministic.SPECS[model]
    offsets = np.cumsum([0, 1, 17, 64, 5, 530]).astype(np.int64)
    ids = deterministic.integers(f"golden {model}", int(offsets[-1]), 0, spec.embedding.vocab)
    layers = list(range(len(spec.layers) + 1))
    with CEncoder(lib, spec, deterministic.weights_of(model)) as encoder:
        found = encoder.forward(ids.astype(np.int32), offsets, layers=layers, attentions=layers[1:])
    golden = json.loads((TESTS / "data" / "golden.json").read_text("utf-8"))
    fused = _core.default_isa() in _core.fused_isas()
    for kind, name in (("hidden", "hidden"), ("attentions", "attention")):
        for layer, array in found[kind].items():
            hashed = hashlib.sha256(array.astype("<f4").tobytes()).hexdigest()
            assert not fused or hashed == golden[f"{model} {name} {layer}"]
            assert np.isfinite(array).all()


def test_vectors_of_texts(lib: Library, tmp_path: Path) -> None:
    """What `polysemy.Encoder` makes of texts, from their token ids and the tensors of the same checkpoint."""
    texts = ["money in the bank", "we sat on the bank of the river", "a"]
    python = Encoder.from_pretrained(tiny_models.write_sentence_model(tmp_path / "model"))
    words = {word: number for number, word in enumerate(tiny_models.VOCAB)}
    tokens = [[words[word] for word in f"[CLS] {text} [SEP]".split()] for text in texts]
    ids = np.concatenate(tokens).astype(np.int32)
    offsets = np.cumsum([0, *map(len, tokens)]).astype(np.int64)
    with CEncoder(lib, tiny_models.SPEC, tiny_models.random_weights()) as encoder:
        found = encoder.forward(ids, offsets, layers=[], attentions=[], pooling=0, normalize=1)
    same(found["pooled"], python.encode(texts))


@pytest.mark.parametrize("seed", range(len(random_specs.POSITIONS)))
def test_parameters(lib: Library, seed: int) -> None:
    spec = random_specs.random_spec(seed)
    made, count = c_spec(lib, spec), c_int64(-1)
    assert lib.encoder_parameters(byref(made), None, c_int64(0), byref(count)) == OK, lib.message()
    expected = [(name, shape) for name, shape in expected_shapes(spec).items()]
    assert count.value == len(expected)
    listed = (CParameter * (count.value + 1))()
    assert lib.encoder_parameters(byref(made), listed, c_int64(count.value), byref(count)) == OK
    for item, (name, shape) in zip(listed, expected, strict=False):
        assert (item.name.decode(), item.rows, item.columns) == (name, *((1, *shape)[-2:]))
    assert listed[count.value].name == b""
    few = (CParameter * 2)()
    assert lib.encoder_parameters(byref(made), few, c_int64(1), byref(count)) == OK
    assert (few[0].name.decode(), few[1].name, count.value) == (expected[0][0], b"", len(expected))


def test_what_is_left_out_has_its_default(lib: Library) -> None:
    """Zeros and the values of the init functions, for what most encoders have in common."""
    spec = tiny_models.SPEC
    weights = tiny_models.random_weights()
    ids, offsets = np.arange(9, dtype=np.int32), np.array([0, 4, 9], dtype=np.int64)
    with CEncoder(lib, spec, weights) as encoder:
        expected = encoder.forward(ids, offsets, layers=[3], attentions=[])
    short = c_spec(lib, spec)
    short.embedding.width = 0
    for i in range(3):
        assert short.layers[i].weights == i
        short.layers[i].weights = -1
        short.layers[i].attention.kv_heads = 0
        short.layers[i].attention.scale = 0.0
    tensors, handle = c_encoder.c_tensors(weights), ctypes.c_void_p()
    assert lib.encoder_create(byref(short), tensors, c_int64(len(tensors)), byref(handle)) == OK, (
        lib.message()
    )
    encoder.handle = handle
    with encoder:
        same(encoder.forward(ids, offsets, layers=[3], attentions=[])["hidden"][3], expected["hidden"][3])


def structs_of(header: str) -> dict[str, list[str]]:
    """The names of the fields of each struct of the header."""
    header = re.sub(r"/\*.*?\*/", "", header, flags=re.DOTALL)
    structs = re.findall(r"typedef struct \w+ \{(.*?)\} polysemy_(\w+);", header, re.DOTALL)
    return {name: names_in(body.split(";")[:-1]) for body, name in structs}


def structs_of_cython(declarations: str) -> dict[str, list[str]]:
    structs = re.findall(r'ctypedef struct \w+ "polysemy_(\w+)":\n((?: {8}.*\n)+)', declarations)
    return {
        name: names_in(body.splitlines())
        for name, body in structs
        if "pass" not in body and "nogil" not in body
    }


def names_in(declarations: list[str]) -> list[str]:
    parts = [part for declaration in declarations for part in declaration.split(",")]
    return [re.sub(r"\[\d+\]", "", part).split()[-1].lstrip("*") for part in parts]


def test_the_structs_of_these_tests_are_those_of_the_header() -> None:
    """Else a new field is neither converted nor tested; `fill` asserts that none of Python's is missing."""
    mirrors: dict[str, type[Structure]] = {
        "norm_spec": c_encoder.NormSpec,
        "position_bias_spec": c_encoder.PositionBiasSpec,
        "rotary_spec": c_encoder.RotarySpec,
        "attention_spec": c_encoder.AttentionSpec,
        "feed_forward_spec": c_encoder.FeedForwardSpec,
        "layer_spec": c_encoder.CLayerSpec,
        "embedding_spec": c_encoder.EmbeddingSpec,
        "encoder_spec": c_encoder.CEncoderSpec,
        "parameter": CParameter,
        "tensor": c_encoder.Tensor,
        "layer_output": c_encoder.LayerOutput,
        "encoder_args": c_encoder.EncoderArgs,
        "sdpa_args": SdpaArgs,
    }
    structs = structs_of((TESTS.parent / "csrc" / "capi" / "polysemy.h").read_text("utf-8"))
    cython = TESTS.parent / "python" / "polysemy" / "cython_ops.pxd"
    assert structs_of_cython(cython.read_text("utf-8")) == structs
    assert structs == {name: [field for field, *_ in mirror._fields_] for name, mirror in mirrors.items()}
    assert dict(c_encoder.CEncoderSpec._fields_)["layers"] is POINTER(c_encoder.CLayerSpec)  # type: ignore[arg-type]
