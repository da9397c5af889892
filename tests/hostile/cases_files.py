"""Files that are none, JSON that is none, and weights that are broken."""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from folders import FILES, Build, put, put_json, replaced
from tiny_models import SPEC, bert_config, stored, write_json

__all__ = ["config_fields", "contents", "headers", "shards", "things"]

MIB = 1 << 20


def things() -> Iterator[tuple[str, Build]]:
    """Under the name of a file, everything that is none."""

    def sparse(path: Path) -> None:
        with path.open("wb") as file:
            file.truncate(1 << 40)

    def a_socket(path: Path) -> None:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(os.path.relpath(path))

    kinds: dict[str, Callable[[Path], object]] = {
        "nothing": lambda path: None,
        "a folder": Path.mkdir,
        "a pipe": os.mkfifo,
        "a socket": a_socket,
        "a dangling link": lambda path: path.symlink_to("nowhere"),
        "a loop": lambda path: path.symlink_to(path.name),
        "zeros": lambda path: path.symlink_to("/dev/zero"),
        "a terabyte": sparse,
        "memory": lambda path: path.symlink_to("/proc/self/mem"),
        "no permission": lambda path: path.touch(0),
    }
    for file in FILES:
        for kind, make in kinds.items():
            yield f"{kind} as {file}", replaced(file, make)


def contents() -> Iterator[tuple[str, Build]]:
    """Under the name of a JSON file, what is no JSON, or too much of it."""
    kinds: dict[str, bytes] = {
        "an empty file": b"",
        "null": b"null",
        "a list": b"[1, 2]",
        "a number": b"3",
        "UTF-16": '{"a": 1}'.encode("utf-16"),
        "a byte order mark": b'\xef\xbb\xbf{"a": 1}',
        "no UTF-8": b'{"a": "\xff\xfe"}',
        "depth": b"[" * 200_000,
        "depth of objects": b'{"a":' * 200_000,
        "many digits": b'{"hidden_size": ' + b"9" * 20_000 + b"}",
        "a key twice": b'{"model_type": "bert", "model_type": "roberta"}',
        "half a pair": b'{"\\ud800": "\\udfff", "prompts": {"\\ud800": "x"}}',
        "not a number": b'{"layer_norm_eps": NaN, "model_max_length": NaN}',
        "many lists": b"[" + b"[]," * 300_000 + b"[]]",
        "a long string": b'{"model_type": "' + b"x" * 900_000 + b'"}',
        "a long emoji string": b'{"model_type": "' + "\U0001f600".encode() * 200_000 + b'"}',
        "a long key": b'{"' + b"x" * 900_000 + b'": 1}',
        "many keys": json.dumps({f"k{i}": i for i in range(50_000)}).encode(),
        "60 megabytes": b'{"a": "' + b"x" * (60 * MIB) + b'"}',
    }
    for file in (name for name in FILES if name.endswith(".json")):
        for kind, content in kinds.items():
            yield f"{kind} in {file}", put(file, content)


def config_fields() -> Iterator[tuple[str, Build]]:
    values: tuple[object, ...] = (
        -1,
        0,
        2**31,
        2**63,
        2**200,
        1e308,
        float("inf"),
        "x" * 10_000,
        True,
        [],
        {"a": []},
    )
    fields = (
        "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size",
        "max_position_embeddings", "type_vocab_size", "hidden_act", "layer_norm_eps", "model_type",
    )  # fmt: skip
    for name in fields:
        for i, value in enumerate(values):
            yield f"config {name} {i}", put_json("config.json", bert_config(**{name: value}))


def headers() -> Iterator[tuple[str, Build]]:
    def file(header: object, data: bytes = b"") -> Build:
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        return put("model.safetensors", struct.pack("<Q", len(text)) + text + data)

    def entry(dtype: object, shape: object, *offsets: object) -> dict[str, object]:
        return {"dtype": dtype, "shape": shape, "data_offsets": list(offsets)}

    for length in (0, 1, 100, 1 << 30, (1 << 63) - 1, (1 << 64) - 1):
        yield f"a header of {length} bytes", put("model.safetensors", struct.pack("<Q", length))
    yield (
        "a header of 95 megabytes",
        put("model.safetensors", struct.pack("<Q", 95 * MIB) + b" " * (95 * MIB)),
    )
    yield "a header of 8 megabytes of lists", file(b'{"x": [' + b"[]," * (2 * MIB) + b"1]}")
    yield "many tensors", file({f"t{i}": entry("F32", [0], 0, 0) for i in range(60_000)})
    yield "a long name", file({"x" * 100_000: entry("F32", [0], 0, 0)})
    yield (
        "a name of half a pair",
        file(b'{"\\ud800": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}}'),
    )
    odd: dict[str, tuple[object, bytes]] = {
        "negative": (entry("F32", [-1], 0, 4), bytes(4)),
        "large": (entry("F32", [1 << 62, 1 << 62], 0, 4), bytes(4)),
        "beyond": (entry("F32", [2], 0, 8), bytes(4)),
        "far beyond": (entry("F32", [1], 1 << 62, (1 << 62) + 4), bytes(4)),
        "backwards": (entry("F32", [1], 4, 0), bytes(4)),
        "a hole": (entry("F32", [1], 4, 8), bytes(8)),
        "many dimensions": (entry("F32", [1] * 10_000, 0, 4), bytes(4)),
        "half numbers": (entry("F32", [0.5], 0, 4), bytes(4)),
        "words": (entry("F32", ["1"], "0", "4"), bytes(4)),
        "truth": (entry("F32", [True], False, 4), bytes(4)),
        "another dtype": (entry("F99", [1], 0, 4), bytes(4)),
        "no dtype": (entry(None, [1], 0, 4), bytes(4)),
        "integers": (entry("I32", [1], 0, 4), bytes(4)),
        "nothing": (None, b""),
    }
    for name, (value, data) in odd.items():
        yield f"a tensor: {name}", file({"x": value}, data)
    yield "a tensor twice", file(b'{"x": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}, "x": 1}')
    tensors = stored()
    for dtype in ("<f4", "<f2", "<f8"):
        for name, number in (("NaN", np.nan), ("infinity", np.inf)):
            yield f"{name} in {dtype}", file(*with_value(tensors, dtype, number))
    yield "float64 beyond float32", file(*with_value(tensors, "<f8", 1e300))
    whole, data = with_value(tensors, "<f4", 0.5)
    text = json.dumps(whole).encode()
    for cut in (1, 4, len(data) // 2, len(data) - 1):
        yield (
            f"weights cut by {cut} bytes",
            put("model.safetensors", struct.pack("<Q", len(text)) + text + data[:-cut]),
        )
    yield "a table that huge pages may hold", large_table
    yield "weights with a tail", put("model.safetensors", struct.pack("<Q", len(text)) + text + data + b"x")


def large_table(folder: Path) -> None:
    """Nothing is wrong with it; the kernel is asked for memory in another way."""
    spec = replace(SPEC, embedding=replace(SPEC.embedding, vocab=100_000))
    header, data = with_value(stored(spec), "<f4", 1.0)
    text = json.dumps(header).encode()
    put_json("config.json", bert_config(spec))(folder)
    put("model.safetensors", struct.pack("<Q", len(text)) + text + data)(folder)


def with_value(tensors: dict[str, Any], dtype: str, value: float) -> tuple[dict[str, object], bytes]:
    """Header and data of weights with one value of their own."""
    code = {"<f4": "F32", "<f2": "F16", "<f8": "F64"}[dtype]
    header: dict[str, object] = {}
    data = b""
    for name, array in tensors.items():
        wide = array.astype(dtype)
        if name == "embeddings.LayerNorm.weight":
            wide[3] = value
        header[name] = {
            "dtype": code,
            "shape": list(array.shape),
            "data_offsets": [len(data), len(data) + wide.nbytes],
        }
        data += wide.tobytes()
    return header, data


def shards() -> Iterator[tuple[str, Build]]:
    def index(weight_map: object) -> Build:
        def build(folder: Path) -> None:
            (folder / "model.safetensors").rename(folder / "model-1.safetensors")
            write_json(folder / "model.safetensors.index.json", {"weight_map": weight_map})

        return build

    names = list(stored())
    sound = dict.fromkeys(names, "model-1.safetensors")
    yield "sound shards", index(sound)
    for shard in (
        "../x.safetensors",
        "/dev/zero",
        "\ud800.safetensors",
        "x" * 5000,
        5,
        None,
        "model-1.bin",
        ".",
        "a\0b",
    ):
        yield f"a shard {str(shard)[:20]!r}", index({**sound, names[0]: shard})
    yield "many shards", index({f"t{i}": f"{i}.safetensors" for i in range(20_000)})
    yield "a missing tensor", index(dict.fromkeys(names[1:], "model-1.safetensors"))
    yield "a surplus tensor", index({**sound, "ghost": "model-1.safetensors"})
