"""The C functions of encoders through ctypes: the records of the header, and a spec of Python as one of C."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from ctypes import POINTER, Structure, byref, c_char, c_char_p, c_float, c_int32, c_int64, c_size_t, c_void_p
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

import numpy as np
from c_library import OK, Library, address
from numpy.typing import NDArray
from polysemy.model.spec import EncoderSpec


class NormSpec(Structure):
    _fields_ = [("kind", c_int32), ("eps", c_float), ("bias", c_int32)]


class PositionBiasSpec(Structure):
    _fields_ = [
        ("kind", c_int32),
        ("slopes", c_void_p),
        *((name, c_int64) for name in ("table", "buckets", "max_distance")),
        ("norm", NormSpec),
        *((name, c_int32) for name in ("position_keys", "position_queries", "shared")),
    ]


class RotarySpec(Structure):
    _fields_ = [("frequencies", c_void_p), ("pairs", c_int64)]


class AttentionSpec(Structure):
    _fields_ = [
        *((name, c_int64) for name in ("heads", "kv_heads", "head_dim")),
        ("scale", c_float),
        ("bias", c_int32),
        ("output_bias", c_int32),
        ("query_key_norm", NormSpec),
        ("rotary", RotarySpec),
        ("position_bias", PositionBiasSpec),
        ("left", c_int64),
        ("right", c_int64),
    ]


class FeedForwardSpec(Structure):
    _fields_ = [
        ("width", c_int64),
        *((name, c_int32) for name in ("activation", "gated", "up_bias", "down_bias")),
    ]


class CLayerSpec(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("weights", c_int64),
        ("attention", AttentionSpec),
        ("ffn", FeedForwardSpec),
        *((n, NormSpec) for n in ("attn_in", "attn_post", "attn_out", "ffn_in", "ffn_post", "ffn_out")),
    ]


class EmbeddingSpec(Structure):
    _fields_ = [
        ("vocab", c_int64),
        ("width", c_int64),
        ("scale", c_float),
        ("positions", c_int32),
        *((name, c_int64) for name in ("token_types", "position_offset", "padding_id")),
        ("norm", NormSpec),
        ("projection_bias", c_int32),
    ]


class CEncoderSpec(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("hidden", c_int64),
        ("max_positions", c_int64),
        ("embedding", EmbeddingSpec),
        ("layers", POINTER(CLayerSpec)),
        ("layer_count", c_int64),
        ("final_norm", NormSpec),
    ]


class CParameter(Structure):
    _fields_ = [("name", c_char * 64), ("rows", c_int64), ("columns", c_int64)]


class Tensor(Structure):
    _fields_ = [
        ("name", c_char_p),
        ("data", c_void_p),
        ("dtype", c_int32),
        ("rows", c_int64),
        ("columns", c_int64),
    ]


class LayerOutput(Structure):
    _fields_ = [("layer", c_int64), ("out", c_void_p)]


class EncoderArgs(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("sequences", c_int64),
        ("offsets", c_void_p),
        ("ids", c_void_p),
        ("types", c_void_p),
        ("hidden", POINTER(LayerOutput)),
        ("hidden_count", c_int64),
        ("attentions", POINTER(LayerOutput)),
        ("attention_count", c_int64),
        ("projections", POINTER(LayerOutput)),
        ("projection_count", c_int64),
        ("pooled", c_void_p),
        *((name, c_int32) for name in ("pooling", "normalize", "schedule", "num_threads")),
    ]


DTYPES = {"float32": 0, "float16": 1, "uint16": 2}  # uint16: the bits of bfloat16


#: Arrays that a spec points to: a pointer does not keep them.
KEPT: list[Any] = []


def initialised(lib: Library, function: str, struct: type[Structure]) -> Any:
    made = struct()
    assert getattr(lib, function)(byref(made), c_size_t(ctypes.sizeof(made))) == OK, lib.message()
    return made


def fill(lib: Library, target: Any, record: Any) -> None:
    """Every field of a record of Python into that of its name."""
    for item in fields(record):
        value, name = getattr(record, item.name), item.name
        assert name in dict(target._fields_), f"{type(target).__name__} lacks {name}"
        if name == "layers":
            target.layers = (CLayerSpec * len(value))()
            target.layer_count = len(value)
            for i, layer in enumerate(value):
                target.layers[i] = initialised(lib, "layer_spec_init", CLayerSpec)
                fill(lib, target.layers[i], layer)
        elif name in ("frequencies", "slopes"):
            array = (c_float * len(value))(*value)
            setattr(target, name, ctypes.addressof(array) if value else None)
            KEPT.append(array)
            if name == "frequencies":
                target.pairs = len(value)
        elif is_dataclass(value):
            fill(lib, getattr(target, name), value)
        elif isinstance(value, Enum):
            setattr(target, name, list(type(value)).index(value))
        else:
            setattr(target, name, -1 if value is None else value)


def c_spec(lib: Library, spec: EncoderSpec) -> Any:
    made = initialised(lib, "encoder_spec_init", CEncoderSpec)
    fill(lib, made, spec)
    return made


def c_tensors(weights: Mapping[str, NDArray[Any]]) -> Any:
    return (Tensor * len(weights))(
        *(
            Tensor(
                name.encode(), array.ctypes.data, DTYPES[array.dtype.name], *np.atleast_2d(array).shape[-2:]
            )
            for name, array in weights.items()
        )
    )


class CEncoder:
    """An encoder by the C functions, with the shape of results that `_core.Encoder.forward` has."""

    def __init__(
        self, lib: Library, spec: EncoderSpec, weights: Mapping[str, NDArray[Any]], precision: int = 0
    ) -> None:
        self.lib, self.spec, self.handle = lib, spec, c_void_p()
        copies = {name: array.copy() for name, array in weights.items()}
        made, tensors = c_spec(lib, spec), c_tensors(copies)
        given, handle = (byref(made), tensors, c_int64(len(tensors))), byref(self.handle)
        if precision:
            status = lib.encoder_create_in(*given, precision, handle)
        else:
            status = lib.encoder_create(*given, handle)
        assert status == OK, lib.message()
        for array in copies.values():  # everything was copied
            array.view(np.uint8)[...] = 0xFF

    def __enter__(self) -> CEncoder:
        return self

    def __exit__(self, *_: object) -> None:
        self.lib.encoder_destroy(self.handle)

    def args(
        self, ids: NDArray[np.int32], offsets: NDArray[np.int64], types: NDArray[np.int32] | None = None
    ) -> Any:
        args = initialised(self.lib, "encoder_args_init", EncoderArgs)
        args.sequences = len(offsets) - 1
        args.offsets, args.ids, args.types = map(address, (offsets, ids, types))
        return args

    def forward(
        self,
        ids: NDArray[np.int32],
        offsets: NDArray[np.int64],
        types: NDArray[np.int32] | None = None,
        *,
        layers: list[int],
        attentions: list[int],
        projections: Sequence[int] = (),
        pooling: int | None = None,
        **options: int,
    ) -> dict[str, Any]:
        args = self.args(ids, offsets, types)
        squares = int((np.diff(offsets) ** 2).sum())
        hidden = {i: np.full((len(ids), self.spec.hidden), np.nan, np.float32) for i in layers}
        probabilities = {
            i: np.full(self.spec.layers[i - 1].attention.heads * squares, np.nan, np.float32)
            for i in attentions
        }
        attention = [layer.attention for layer in self.spec.layers]
        rows = {
            i: np.full((len(ids), (a.heads + 2 * a.kv_heads) * a.head_dim), np.nan, np.float32)
            for i, a in enumerate(attention, start=1)
            if i in projections
        }
        args.hidden, args.hidden_count = _outputs(hidden)
        args.attentions, args.attention_count = _outputs(probabilities)
        args.projections, args.projection_count = _outputs(rows)
        pooled = None
        if pooling is not None:
            pooled = np.full((len(offsets) - 1, self.spec.hidden), np.nan, np.float32)
            args.pooled, args.pooling = address(pooled), pooling
        for name, value in options.items():
            setattr(args, name, value)
        assert self.lib.encoder_forward(self.handle, byref(args)) == OK, self.lib.message()
        return {"hidden": hidden, "attentions": probabilities, "projections": rows, "pooled": pooled}


def _outputs(arrays: Mapping[int, NDArray[np.float32]]) -> tuple[Any, int]:
    return (LayerOutput * len(arrays))(
        *(LayerOutput(layer, array.ctypes.data) for layer, array in arrays.items())
    ), len(arrays)
