"""An encoder does not change after it is loaded, whatever happens to the files of its folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from polysemy import Encoder
from safetensors.numpy import save_file
from tiny_models import MODULES, VOCAB, shard, stored, write_json, write_sentence_model, write_transformer

TEXTS = ["we sat on the bank of the river", "money in the bank"]


def sentence_model(folder: Path) -> Path:
    return write_sentence_model(
        folder, settings={"max_seq_length": 12}, prompts={"prompts": {"query": "the "}}
    )


def sharded(folder: Path) -> Path:
    sentence_model(folder)
    shard(folder)
    return folder


def half(folder: Path) -> Path:
    sentence_model(folder)
    write_transformer(folder, tensors={name: array.astype(np.float16) for name, array in stored().items()})
    return folder


def static(folder: Path) -> Path:
    folder.mkdir()
    write_json(
        folder / "modules.json", [MODULES[0] | {"type": "sentence_transformers.models.StaticEmbedding"}]
    )
    table = np.random.default_rng(4).standard_normal((len(VOCAB), 24)).astype(np.float32)
    save_file({"embedding.weight": table}, folder / "model.safetensors")
    words = {token: i for i, token in enumerate(VOCAB)}
    write_json(
        folder / "tokenizer.json",
        {
            "version": "1.0", "added_tokens": [], "normalizer": None, "post_processor": None, "decoder": None,
            "pre_tokenizer": {"type": "WhitespaceSplit"},
            "model": {"type": "WordLevel", "vocab": words, "unk_token": "[UNK]"},
        },
    )  # fmt: skip
    return folder


KINDS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "one file": (sentence_model, "float32"),
    "shards": (sharded, "float32"),
    "16 bits": (half, "float32"),
    "16 bits packed": (half, "float16"),
    "int8": (sentence_model, "int8"),
    "static": (static, "float32"),
}


@pytest.mark.parametrize("change", ["write", "truncate", "delete"])
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_changes(kind: str, change: str, tmp_path: Path) -> None:
    make, precision = KINDS[kind]
    folder = make(tmp_path / "m")
    encoder = Encoder.from_pretrained(folder, precision=precision)
    expected = encoder.encode(TEXTS)
    untouched = Encoder.from_pretrained(
        folder, precision=precision
    )  # its first vectors come after the change
    for file in [path for path in folder.rglob("*") if path.is_file()]:
        if change == "delete":
            file.unlink()
        else:
            with file.open("r+b") as other:
                size = other.seek(0, 2)
                other.truncate(0)
                other.write(bytes(size) if change == "write" else b"")
    for live in (encoder, untouched):
        np.testing.assert_array_equal(live.encode(TEXTS), expected)
        assert live.with_max_seq_length(6).encode("bank " * 3).shape == expected[0].shape
