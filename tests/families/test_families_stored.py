"""Checkpoints of new families in 16 bits and in several files: the bits of the same numbers in float32."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from polysemy import Encoder
from safetensors.torch import load_file, save_file
from test_families_transformers import texts
from transformers_models import build

# Fused tensors, norms stored as a distance from 1, tables of biases, shared layers, embeddings of distances.
KINDS = ("modernbert", "gemma3", "t5", "albert-groups", "deberta-shared")


@pytest.fixture(scope="module", params=KINDS)
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(request.param, tmp_path_factory.mktemp(request.param)).folder


def copy(whole: Path, target: Path, dtype: torch.dtype, stored: torch.dtype, files: int) -> Path:
    """The model rounded to ``dtype`` and kept as ``stored``, in one file or in several with an index."""
    shutil.copytree(whole, target)
    tensors = {name: t.to(dtype).to(stored) for name, t in load_file(whole / "model.safetensors").items()}
    if files == 1:
        save_file(tensors, target / "model.safetensors")
        return target
    (target / "model.safetensors").unlink()
    names = {name: f"model-{i % files}.safetensors" for i, name in enumerate(tensors)}
    for file in set(names.values()):
        save_file({name: tensors[name] for name in tensors if names[name] == file}, target / file)
    (target / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))
    return target


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=["float16", "bfloat16"])
@pytest.mark.parametrize("files", [1, 3])
def test_16_bits(whole: Path, tmp_path: Path, dtype: torch.dtype, files: int) -> None:
    wide = Encoder.from_pretrained(copy(whole, tmp_path / "wide", dtype, torch.float32, 1))
    short = Encoder.from_pretrained(copy(whole, tmp_path / "short", dtype, dtype, files))
    ids = texts(wide.spec)
    assert short.spec == wide.spec
    for i in range(len(ids)):
        expected, got = (encoder.forward(ids).hidden_state(i) for encoder in (wide, short))
        assert got.tobytes() == expected.tobytes()
