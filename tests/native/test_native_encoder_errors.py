"""Specs, tensors and batches that can't be are refused by name, before anything is read or written."""

from __future__ import annotations

import ctypes
from ctypes import byref, c_int64, c_size_t, c_void_p
from typing import Any

import numpy as np
import pytest
import tiny_models
from c_encoder import (
    CEncoder,
    CEncoderSpec,
    CLayerSpec,
    CParameter,
    EncoderArgs,
    LayerOutput,
    Tensor,
    c_spec,
    c_tensors,
    initialised,
)
from c_library import ARGUMENT, OK, Library, address
from hypothesis import given, settings
from hypothesis import strategies as st

SPEC, WEIGHTS = tiny_models.SPEC, tiny_models.random_weights()
IDS = np.array([2, 5, 3, 2, 6, 7, 3], dtype=np.int32)
OFFSETS = np.array([0, 3, 7], dtype=np.int64)
VALUES = np.zeros(1000, dtype=np.float32)
A = VALUES.ctypes.data


def change(record: Any, path: str, value: Any) -> None:
    """Set a field by its path: ``layers[0].attention.heads``."""
    *parents, last = path.replace("[", ".").replace("]", "").split(".")
    for parent in parents:
        record = record[int(parent)] if parent.isdigit() else getattr(record, parent)
    assert last in dict(record._fields_)
    setattr(record, last, value)


def create(lib: Library, spec: Any, tensors: Any, count: int | None = None) -> int:
    """The status; an encoder that was made is gone again."""
    handle = c_void_p(1)
    pointer = None if spec is None else byref(spec)
    count = len(tensors) if count is None else count
    status = int(lib.encoder_create(pointer, tensors, c_int64(count), byref(handle)))
    assert (handle.value is None) == (status != OK)
    lib.encoder_destroy(handle)
    return status


#: Field, value, and what is said about it.
SPECS: list[tuple[str, Any, str]] = [
    ("struct_size", 8, "spec.struct_size must be"),
    ("hidden", 0, "hidden must be in 1..65536, got 0"),
    ("max_positions", -1, "max_positions must be in"),
    ("embedding.vocab", 0, "embedding.vocab must be in"),
    ("embedding.width", -1, "embedding.width must be in"),
    ("embedding.scale", float("nan"), "embedding.scale must be finite"),
    ("embedding.positions", 2, "spec.embedding.positions must be 0 or 1, got 2"),
    ("embedding.token_types", -1, "embedding.token_types must be in"),
    ("embedding.position_offset", -1, "embedding.position_offset must be in"),
    ("embedding.padding_id", 10**6, "embedding.padding_id must be in"),
    ("embedding.norm.kind", 3, "spec.embedding.norm.kind must be 0 to 2, got 3"),
    ("embedding.norm.eps", -1.0, "embedding.norm.eps must be at least"),
    ("embedding.norm.bias", -1, "spec.embedding.norm.bias must be 0 or 1"),
    ("embedding.projection_bias", 7, "spec.embedding.projection_bias must be 0 or 1"),
    ("layers", None, "spec.layers must not be null"),
    ("layer_count", -1, "number of spec.layers must be 0 to 4096, got -1"),
    ("layer_count", 2**62, "number of spec.layers must be 0 to 4096"),
    ("final_norm.kind", -1, "spec.final_norm.kind must be 0 to 2"),
    ("final_norm.bias", 2, "spec.final_norm.bias must be 0 or 1"),
    ("layers[1].struct_size", 0, "spec.layers[1].struct_size must be"),
    ("layers[1].weights", 5, "layers[1].weights must be one of those before it or 1"),
    ("layers[1].weights", -2, "layers[1].weights must be one of"),
    ("layers[0].attention.heads", 0, "layers[0].attention.heads must be in"),
    ("layers[0].attention.heads", 2**62, "layers[0].attention.heads must be in"),
    ("layers[0].attention.kv_heads", 2, "layers[0].attention.kv_heads must divide the 3 heads"),
    ("layers[0].attention.head_dim", 0, "layers[0].attention.head_dim must be in"),
    ("layers[0].attention.scale", float("inf"), "layers[0].attention.scale must be finite"),
    ("layers[0].attention.bias", 2, "spec.layers[0].attention.bias must be 0 or 1"),
    ("layers[0].attention.output_bias", 2, "spec.layers[0].attention.output_bias must be 0 or 1"),
    ("layers[2].attention.query_key_norm.kind", 9, "spec.layers[2].attention.query_key_norm.kind must be 0 to 2"),
    ("layers[0].attention.rotary.pairs", 4, "spec.layers[0].attention.rotary.frequencies must not be null"),
    ("layers[0].attention.rotary.pairs", -1, "number of spec.layers[0].attention.rotary.frequencies must be 0 to"),
    ("layers[0].attention.rotary.pairs", 2**62, "number of spec.layers[0].attention.rotary.frequencies must be"),
    ("layers[0].attention.position_bias.kind", 1, "spec.layers[0].attention.position_bias.slopes must not be null"),
    ("layers[0].attention.position_bias.kind", 2, "layers[0].attention.position_bias.buckets must be in"),
    ("layers[0].attention.position_bias.kind", 4, "spec.layers[0].attention.position_bias.kind must be 0 to 3, got 4"),
    ("layers[0].attention.left", -2, "layers[0].attention.left must be in"),
    ("layers[0].attention.right", -2, "layers[0].attention.right must be in"),
    ("layers[0].ffn.width", 0, "layers[0].ffn.width must be in"),
    ("layers[0].ffn.activation", 7, "spec.layers[0].ffn.activation must be 0 to 6, got 7"),
    *((f"layers[0].ffn.{name}", 2, f"spec.layers[0].ffn.{name} must be 0 or 1, got 2")
      for name in ("gated", "up_bias", "down_bias")),
    *((f"layers[2].{slot}.kind", 4, f"spec.layers[2].{slot}.kind must be 0 to 2, got 4")
      for slot in ("attn_in", "attn_post", "attn_out", "ffn_in", "ffn_post", "ffn_out")),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "words"), SPECS, ids=[f"{p}-{v}" for p, v, _ in SPECS])
def test_spec_refused_by_name(lib: Library, path: str, value: Any, words: str) -> None:
    spec = c_spec(lib, SPEC)
    change(spec, path, value)
    assert create(lib, spec, c_tensors(WEIGHTS)) == ARGUMENT
    created = lib.message()
    assert words in created
    assert created.startswith(("encoder_create: spec.", "encoder_create: number of spec."))
    assert lib.encoder_parameters(byref(spec), None, c_int64(0), byref(c_int64())) == ARGUMENT
    assert lib.message() == created.replace("encoder_create", "encoder_parameters")


def test_arrays_of_a_spec_are_aligned(lib: Library) -> None:
    for path, kind in [("rotary.frequencies", 0), ("position_bias.slopes", 1)]:
        spec = c_spec(lib, SPEC)
        spec.layers[0].attention.rotary.pairs = 1 - kind
        spec.layers[0].attention.position_bias.kind = kind
        change(spec.layers[0].attention, path, A + 2)
        assert create(lib, spec, c_tensors(WEIGHTS)) == ARGUMENT
        assert lib.message() == f"encoder_create: spec.layers[0].attention.{path} must be aligned to 4 bytes"


#: Field of the first tensor, the token table.
TENSORS: list[tuple[str, Any, str]] = [
    ("name", None, "tensors[0].name must not be null"),
    ("name", b"pooler", "tensors[0].name must be that of a parameter, each once, got 'pooler'"),
    ("name", b"embeddings.position", "embeddings.position must have shape (20, 24), got ("),
    ("data", None, "embeddings.token must not be null"),
    ("data", A + 1, "embeddings.token must be aligned to 4 bytes"),
    ("dtype", 3, "dtype of embeddings.token must be 0 to 2, got 3"),
    ("dtype", -1, "dtype of embeddings.token must be 0 to 2, got -1"),
    ("rows", 2**62, "embeddings.token must have shape"),
    ("columns", -24, "embeddings.token must have shape"),
]


@pytest.mark.parametrize(("field", "value", "words"), TENSORS, ids=[f"{f}-{v}" for f, v, _ in TENSORS])
def test_tensor_refused_by_name(lib: Library, field: str, value: Any, words: str) -> None:
    tensors = c_tensors(WEIGHTS)
    change(tensors[0], field, value)
    assert create(lib, c_spec(lib, SPEC), tensors) == ARGUMENT
    assert lib.message().startswith(f"encoder_create: {words}")


def test_all_tensors_once(lib: Library) -> None:
    spec, tensors = c_spec(lib, SPEC), c_tensors(WEIGHTS)
    last = tensors[-1].name.decode()
    assert create(lib, spec, tensors, len(tensors) - 1) == ARGUMENT
    assert lib.message() == f"encoder_create: tensors must have '{last}'"
    assert create(lib, spec, (Tensor * (len(tensors) + 1))(*tensors, tensors[3])) == ARGUMENT
    assert f"tensors[{len(tensors)}].name must be that of a parameter, each once" in lib.message()
    for array, count, words in [
        (tensors, -1, "count must be 0 or more, got -1"),
        (tensors, 2**60, "tensors has more elements than memory can hold"),
        (None, 3, "tensors must not be null"),
        (None, 0, "tensors must have 'embeddings.token'"),
    ]:
        assert create(lib, spec, array, count) == ARGUMENT
        assert lib.message() == f"encoder_create: {words}"
    assert create(lib, spec, tensors) == OK


@pytest.mark.parametrize("precision", [-1, 5])
def test_precision_refused_by_name(lib: Library, precision: int) -> None:
    tensors, handle = c_tensors(WEIGHTS), c_void_p(1)
    given = byref(c_spec(lib, SPEC)), tensors, c_int64(len(tensors))
    assert lib.encoder_create_in(*given, precision, byref(handle)) == ARGUMENT
    assert handle.value is None
    assert lib.message() == f"encoder_create_in: precision must be 0 to 4, got {precision}"


def test_null_and_sizes(lib: Library) -> None:
    spec = c_spec(lib, SPEC)
    assert create(lib, None, c_tensors(WEIGHTS)) == ARGUMENT
    assert lib.message() == "encoder_create: spec must not be null"
    assert lib.encoder_create(byref(spec), None, c_int64(0), None) == ARGUMENT
    assert lib.message() == "encoder_create: encoder must not be null"
    assert lib.encoder_parameters(byref(spec), None, c_int64(0), None) == ARGUMENT
    assert lib.message() == "encoder_parameters: count must not be null"
    listed = (CParameter * 1)()
    assert lib.encoder_parameters(byref(spec), listed, c_int64(-1), byref(c_int64())) == ARGUMENT
    assert lib.message() == "encoder_parameters: capacity must be 0 or more, got -1"
    for function, struct, name in [
        ("encoder_spec_init", CEncoderSpec, "spec"),
        ("layer_spec_init", CLayerSpec, "layer"),
        ("encoder_args_init", EncoderArgs, "args"),
    ]:
        size = ctypes.sizeof(struct)
        assert getattr(lib, function)(None, c_size_t(size)) == ARGUMENT
        assert lib.message() == f"{function}: {name} must not be null"
        assert getattr(lib, function)(byref(struct()), c_size_t(size - 8)) == ARGUMENT
        assert f"{function}: size must be {size}, got {size - 8}" in lib.message()
    lib.encoder_destroy(None)


def outputs(*pairs: tuple[int, int | None]) -> Any:
    return (LayerOutput * len(pairs))(*(LayerOutput(*pair) for pair in pairs))


BATCHES: list[tuple[dict[str, Any], str]] = [
    ({"struct_size": 8}, "args.struct_size must be"),
    ({"sequences": -1}, "sequences must be 0 or more, got -1"),
    ({"sequences": 2**62}, "offsets has"),
    ({"offsets": None}, "offsets must not be null"),
    ({"offsets": np.array([1, 3, 7])}, "offsets must start at 0"),
    ({"offsets": np.array([0, 4, 3])}, "offsets must not decrease"),
    ({"offsets": np.array([-1, 3, 7])}, "offsets[0] must be 0 or more"),
    ({"offsets": np.array([0, 5, -(2**63)])}, "offsets must end at 0 or more"),
    ({"offsets": np.array([0, -(2**63), 7])}, "offsets must not decrease"),
    ({"offsets": np.array([-(2**63), 2**63 - 1, 7])}, "offsets[0] must be 0 or more"),
    ({"offsets": np.array([0, 2**63 - 1, 7])}, "offsets must not decrease"),
    ({"offsets": np.array([0, 21, 24])}, "sequence 0 must have 0 to 20 tokens, got 21"),
    ({"ids": None}, "ids must not be null"),
    ({"ids": A + 1}, "ids must be aligned"),
    ({"ids": IDS - 3}, "ids[0] must be 0 to"),
    ({"ids": IDS + 2**20}, "ids[0] must be 0 to"),
    ({"types": A + 2}, "types must be aligned"),
    ({"types": IDS}, "types[0] must be 0 to 1, got 2"),
    ({"hidden_count": 5}, "number of hidden must be 0 to 4, got 5"),
    ({"hidden_count": -1}, "number of hidden must be 0 to 4, got -1"),
    ({"hidden_count": 1}, "hidden must not be null"),
    ({"attention_count": 4}, "number of attentions must be 0 to 3, got 4"),
    ({"attention_count": 1}, "attentions must not be null"),
    ({"hidden": outputs((4, A)), "hidden_count": 1}, "hidden[0].layer must be 0 to 3, got 4"),
    ({"hidden": outputs((0, A), (-1, A)), "hidden_count": 2}, "hidden[1].layer must be 0 to 3, got -1"),
    ({"hidden": outputs((2, A), (2, A)), "hidden_count": 2}, "hidden[1].layer must be another one"),
    ({"hidden": outputs((2, None)), "hidden_count": 1}, "hidden[0].out must not be null"),
    ({"hidden": outputs((2, A + 3)), "hidden_count": 1}, "hidden[0].out must be aligned"),
    ({"attentions": outputs((0, A)), "attention_count": 1}, "attentions[0].layer must be 1 to 3, got 0"),
    ({"attentions": outputs((1, None)), "attention_count": 1}, "attentions[0].out must not be null"),
    ({"projection_count": 4}, "number of projections must be 0 to 3, got 4"),
    ({"projections": outputs((0, A)), "projection_count": 1}, "projections[0].layer must be 1 to 3, got 0"),
    ({"projections": outputs((1, A + 2)), "projection_count": 1}, "projections[0].out must be aligned"),
    ({"pooled": A + 1}, "pooled must be aligned"),
    ({"pooling": 6}, "pooling must be 0 to 5, got 6"),
    ({"pooling": -1}, "pooling must be 0 to 5, got -1"),
    ({"normalize": 2}, "normalize must be 0 or 1, got 2"),
    ({"schedule": 3}, "schedule must be 0 to 2, got 3"),
    ({"num_threads": -1}, "num_threads must be 0"),
    ({"num_threads": 10**6}, "num_threads must be 0"),
]


@pytest.mark.parametrize(("fields", "words"), BATCHES, ids=[words for _, words in BATCHES])
def test_forward_refused_by_name(lib: Library, fields: dict[str, Any], words: str) -> None:
    pooled = np.full((2, SPEC.hidden), 7.0, dtype=np.float32)
    with CEncoder(lib, SPEC, WEIGHTS) as encoder:
        args = encoder.args(IDS, OFFSETS)
        args.pooled = address(pooled)
        for name, value in fields.items():
            change(args, name, address(value) if isinstance(value, np.ndarray) else value)
        assert lib.encoder_forward(encoder.handle, byref(args)) == ARGUMENT
        assert words in lib.message()
        assert lib.message().startswith(("encoder_forward: ", "num_threads "))
    assert np.all(pooled == 7.0) and not VALUES.any()


def test_forward_of_nothing(lib: Library) -> None:
    with CEncoder(lib, SPEC, WEIGHTS) as encoder:
        args = encoder.args(IDS, OFFSETS)
        assert lib.encoder_forward(None, byref(args)) == ARGUMENT
        assert lib.message() == "encoder_forward: encoder must not be null"
        assert lib.encoder_forward(encoder.handle, None) == ARGUMENT
        assert lib.message() == "encoder_forward: args must not be null"
        assert lib.encoder_forward(encoder.handle, byref(args)) == OK  # no output
        empty = np.zeros(3, dtype=np.int64)
        pooled = np.full((2, SPEC.hidden), 7.0, dtype=np.float32)
        args.offsets, args.ids, args.pooled = address(empty), None, address(pooled)
        args.hidden, args.hidden_count = outputs((3, None)), 1
        assert lib.encoder_forward(encoder.handle, byref(args)) == OK, lib.message()
        assert not pooled.any()
        args.sequences = 0
        assert lib.encoder_forward(encoder.handle, byref(args)) == OK


NUMBERS = st.sampled_from([-(2**63), -(2**40), -2, -1, 0, 1, 2, 3, 4, 24, 2**31 - 1, 2**40, 2**62, 2**63 - 1])
FLOATS = st.sampled_from([0.0, -1.0, 1e-12, 0.5, float("inf"), float("nan")])


def scalars(record: Any, prefix: str = "") -> list[str]:
    """The paths of all numbers of a record, not those of its pointers."""
    found = []
    for name, kind, *_ in record._fields_:
        if kind in (ctypes.c_int32, c_int64, ctypes.c_float):
            found.append(prefix + name)
        elif isinstance(getattr(record, name), ctypes.Structure):
            found += scalars(getattr(record, name), f"{prefix}{name}.")
    return found


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_spec_or_batch_crashes(lib: Library, data: st.DataObject) -> None:
    """Numbers drawn at random in some places: an encoder that can be, or a refusal."""
    spec, tensors = c_spec(lib, SPEC), c_tensors(WEIGHTS)
    places = scalars(spec) + [f"layers[{i}].{path}" for i in range(3) for path in scalars(spec.layers[i])]
    places.remove("layer_count")  # more layers than there are can't be noticed
    for path in data.draw(st.lists(st.sampled_from(places), max_size=3, unique=True)):
        value = data.draw(FLOATS if path.endswith(("eps", "scale")) else NUMBERS)
        change(spec, path, value)
    spec.layer_count = data.draw(st.sampled_from([3, 3, 2, 1, 0, -1, 2**40]))
    handle = c_void_p()
    assert lib.encoder_parameters(byref(spec), None, c_int64(0), byref(c_int64())) in (OK, ARGUMENT)
    status = lib.encoder_create(byref(spec), tensors, c_int64(len(tensors)), byref(handle))
    assert status in (OK, ARGUMENT)
    if status != OK:
        return
    args = initialised(lib, "encoder_args_init", EncoderArgs)
    args.sequences, args.offsets, args.ids = 2, address(OFFSETS), address(IDS)
    for name in data.draw(st.lists(st.sampled_from(scalars(args)), max_size=2)):
        number = data.draw(NUMBERS)
        if name != "sequences" or not 2 < number < 2**60:  # more of them than there are can't be noticed
            change(args, name, number)
    assert lib.encoder_forward(handle, byref(args)) in (OK, ARGUMENT)
    lib.encoder_destroy(handle)
