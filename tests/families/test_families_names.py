"""Which stored tensor is which parameter."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from polysemy.encoding.loading import load_model, read_spec
from polysemy.errors import CheckpointError
from polysemy.families import all_families, find_family, static
from polysemy.families.bert import FAMILY
from polysemy.families.config import Config
from polysemy.families.family import match_names, stored_as
from polysemy.io.jsonfile import read_json_object
from polysemy.model.params import expected_shapes
from tiny_models import SPEC, random_weights, stored, write_transformer
from transformers_models import CASES, Built

HEADS = ["cls.predictions.bias", "classifier.weight", "qa_outputs.bias"]


def legacy(name: str) -> str:
    if "LayerNorm" in name:
        return name.replace(".weight", ".gamma").replace(".bias", ".beta")
    return name


def test_every_parameter_has_one_place(built: Built) -> None:
    """All are named, and no two in the same way."""
    config = Config(read_json_object(built.folder / "config.json"))
    family = find_family(config)
    spec = read_spec(family, config)
    stored = stored_as(family, spec)
    assert set(expected_shapes(spec)) <= set(stored)
    places = [(way.name, way.part) for ways in stored.values() for way in ways]
    assert len(set(places)) == len(places)


def test_every_family_is_built_by_a_case() -> None:
    assert {case.config_class().model_type for case in CASES.values()} >= {
        family.model_types[0] for family in all_families() if family is not static.FAMILY
    }


@pytest.mark.parametrize("form", ["plain", "prefixed", "legacy", "with heads"])
def test_all_spellings_load_the_same(tmp_path: Path, form: str) -> None:
    tensors = stored()
    if form == "prefixed":
        tensors = {f"bert.{name}": array for name, array in tensors.items()}
    if form == "legacy":
        tensors = {f"bert.{legacy(name)}": array for name, array in tensors.items()}
    if form == "with heads":
        tensors |= {name: np.zeros((3, 5), np.float32) for name in HEADS}
        tensors["pooler.dense.weight"] = np.zeros((24, 24), np.float32)
        tensors["embeddings.position_ids"] = np.arange(20)[None]
    weights = load_model(write_transformer(tmp_path / "m", tensors=tensors)).weights
    expected = random_weights()
    assert weights.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(weights[name], array)


def test_two_names_of_one_parameter() -> None:
    with pytest.raises(CheckpointError, match=r"are the same parameter, embeddings\.token"):
        match_names(
            FAMILY, SPEC, ["embeddings.word_embeddings.weight", "bert.embeddings.word_embeddings.weight"]
        )


def test_all_problems_in_one_error(tmp_path: Path) -> None:
    tensors = stored()
    del tensors["encoder.layer.1.output.dense.bias"]
    tensors["encoder.layer.0.intermediate.dense.weight"] = np.zeros((24, 40), np.float32)
    tensors["adapter.weight"] = np.zeros(3, np.float32)
    with pytest.raises(CheckpointError) as caught:
        load_model(write_transformer(tmp_path / "m", tensors=tensors))
    message = str(caught.value)
    assert "1 missing: layers.1.ffn.down.bias (encoder.layer.1.output.dense.bias)" in message
    assert "1 surplus: adapter.weight" in message
    assert "(encoder.layer.0.intermediate.dense.weight) must have shape (40, 24), got (24, 40)" in message


@pytest.mark.parametrize(
    "name", ["projection.weight", "2_Dense.linear.weight", "encoder.layer.0.adapter.up.weight"]
)
def test_a_tensor_too_many_is_refused_by_name(name: str, tmp_path: Path) -> None:
    """A layer that is not known may change every vector."""
    tensors = {**stored(), name: np.zeros((3, 24), np.float32)}
    with pytest.raises(CheckpointError, match=f"1 surplus: {re.escape(name)}"):
        load_model(write_transformer(tmp_path / "m", tensors=tensors))
