"""Configurations in the form of older files mean the same as what `transformers` writes today."""

from __future__ import annotations

import json

import pytest
from polysemy.encoding.loading import read_spec
from polysemy.families import find_family
from polysemy.families.config import Config
from polysemy.model.spec import EncoderSpec
from transformers_models import CASES


def spec_of(config: dict[str, object]) -> EncoderSpec:
    view = Config(config)
    return read_spec(find_family(view), view)


# Case, and what an older file has in place of layer_types and rope_parameters.
OLD: list[tuple[str, dict[str, object]]] = [
    (
        "modernbert",
        {"global_attn_every_n_layers": 3, "global_rope_theta": 160000.0, "local_rope_theta": 10000.0},
    ),
    ("modernbert", {}),
    (
        "gemma3-causal",
        {"sliding_window_pattern": 6, "rope_theta": 1000000.0, "rope_local_base_freq": 10000.0, "rope_scaling": None},
    ),
    ("gemma3-causal", {}),
    ("eurobert", {"rope_theta": 10000.0}),
    ("qwen3", {"rope_theta": 10000, "rope_scaling": None}),
    ("qwen3-sliding", {"rope_theta": 5000.0, "rope_scaling": {"type": "linear", "factor": 3.0}}),
    (
        "eurobert-with-biases",
        {
            "rope_theta": 500.0,
            "rope_scaling": {
                "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                "original_max_position_embeddings": 24,
            },
        },
    ),
    ("nomic", {"rope_theta": 1000.0}),
    ("gte", {"rope_theta": 160000.0, "rope_scaling": {"type": "dynamic", "factor": 2.0}}),
    ("deberta", {"pos_att_type": "c2p|p2c"}),
]  # fmt: skip


@pytest.mark.parametrize(("case", "old"), OLD)
def test_old_form(case: str, old: dict[str, object]) -> None:
    new = json.loads(CASES[case].config_class(**CASES[case].settings).to_json_string())
    older = {name: value for name, value in new.items() if name not in ("layer_types", "rope_parameters")}
    assert spec_of(older | old) == spec_of(new)


def test_the_old_fields_are_read() -> None:
    """Another value is another model: the check of the check above."""
    base = json.loads(CASES["gemma3-causal"].config_class(**CASES["gemma3-causal"].settings).to_json_string())
    older = {name: value for name, value in base.items() if name not in ("layer_types", "rope_parameters")}
    fields = ("sliding_window_pattern", "rope_theta", "rope_local_base_freq")
    specs = [spec_of(older | {name: 3}) for name in fields]
    scaled = spec_of(older | {"rope_scaling": {"rope_type": "linear", "factor": 8.0}})
    assert len({str(spec) for spec in (*specs, scaled, spec_of(older))}) == 5
    attentions = [
        (layer.attention.right, layer.attention.left, layer.attention.rotary) for layer in scaled.layers
    ]
    plain = [
        (layer.attention.right, layer.attention.left, layer.attention.rotary)
        for layer in spec_of(older).layers
    ]
    changed = [a != b for a, b in zip(attentions, plain, strict=True)]
    assert changed == [
        layer.attention.left is None for layer in scaled.layers
    ]  # full attention alone is scaled
