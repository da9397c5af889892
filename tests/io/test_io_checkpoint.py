"""Folders of weights: single, sharded, and those that are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from polysemy import Encoder
from polysemy.encoding.loading import load_model
from polysemy.errors import CheckpointError, UnsupportedModelError
from polysemy.io.checkpoint import Checkpoint
from safetensors.numpy import save_file
from tiny_models import SHARDS, random_weights, shard, stored, write_json, write_transformer


def test_shards_load_as_one_file_does(tmp_path: Path) -> None:
    folder = write_transformer(tmp_path / "m")
    shard(folder)
    weights = load_model(folder).weights
    for name, array in random_weights().items():
        np.testing.assert_array_equal(weights[name], array)


@pytest.mark.parametrize(
    "name",
    [
        "../other.safetensors",
        "/etc/x.safetensors",
        "sub/x.safetensors",
        "..\\x.safetensors",
        "C:x.safetensors",
        "",
        "..",
        "x.bin",
        "x\0.safetensors",
        f"{'x' * 300}.safetensors",
        5,
        None,
    ],
)
def test_shards_stay_in_the_folder(tmp_path: Path, name: object) -> None:
    folder = write_transformer(tmp_path / "m")
    save_file(stored(), tmp_path / "other.safetensors")
    where = shard(folder)
    first = next(iter(where))
    write_json(folder / "model.safetensors.index.json", {"weight_map": {**where, first: name}})
    with pytest.raises(CheckpointError, match="must be the plain name"):
        Checkpoint(folder)


def test_missing_shard(tmp_path: Path) -> None:
    folder = write_transformer(tmp_path / "m")
    shard(folder)
    (folder / SHARDS[1]).unlink()
    with pytest.raises(CheckpointError, match=f"{SHARDS[1]} is missing"):
        Checkpoint(folder)


def test_index_and_shards_disagree(tmp_path: Path) -> None:
    folder = write_transformer(tmp_path / "m")
    where = shard(folder)
    first = next(iter(where))
    index = folder / "model.safetensors.index.json"
    write_json(index, {"weight_map": {**where, "ghost": SHARDS[0]}})
    with pytest.raises(CheckpointError, match=f"tensor 'ghost' is not in {SHARDS[0]}"):
        Checkpoint(folder)
    write_json(index, {"weight_map": {k: v for k, v in where.items() if k != first}})
    with pytest.raises(CheckpointError, match="does not list"):
        Checkpoint(folder)


@pytest.mark.parametrize("content", [{}, {"weight_map": {}}, {"weight_map": []}, [], 3])
def test_malformed_index(tmp_path: Path, content: object) -> None:
    folder = write_transformer(tmp_path / "m")
    (folder / "model.safetensors").unlink()
    write_json(folder / "model.safetensors.index.json", content)
    with pytest.raises(CheckpointError, match=r"index\.json"):
        Checkpoint(folder)


def test_pickles_are_not_opened(tmp_path: Path) -> None:
    folder = write_transformer(tmp_path / "m")
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="has no weights"):
        Checkpoint(folder)
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04cos\nabort\n(tR.")
    with pytest.raises(UnsupportedModelError, match=r"pytorch_model\.bin, a pickle"):
        Checkpoint(folder)


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff", b"[" * 100_000, b"nul"])
def test_unreadable_config(tmp_path: Path, content: bytes) -> None:
    folder = write_transformer(tmp_path / "m")
    (folder / "config.json").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"config\.json"):
        load_model(folder)


def test_half_precision_stays_until_it_is_packed(tmp_path: Path) -> None:
    """What the core gets is what the file has; its vectors are those of the same numbers in float32."""
    halves = {name: array.astype(np.float16) for name, array in stored().items()}
    wide = {name: array.astype(np.float32) for name, array in halves.items()}
    folders = [write_transformer(tmp_path / str(i), tensors=t) for i, t in enumerate((halves, wide))]
    assert {array.dtype for array in load_model(folders[0]).weights.values()} == {np.dtype(np.float16)}
    a, b = (Encoder.from_pretrained(folder) for folder in folders)
    ids = [[2, 5, 6, 7, 3], [2, 3]]
    for i in range(len(ids)):
        np.testing.assert_array_equal(a.forward(ids).hidden_state(i), b.forward(ids).hidden_state(i))
    np.testing.assert_array_equal(a.static_embedding(5), b.static_embedding(5))
