"""Canonical parameters: all problems of a checkpoint are in one error."""

from __future__ import annotations

from dataclasses import replace

import pytest
from polysemy.errors import CheckpointError
from polysemy.model.params import check_shapes, count_parameters, expected_shapes
from random_specs import random_spec
from tiny_models import SPEC


def test_count_is_that_of_the_formula() -> None:
    h, f = SPEC.hidden, SPEC.layers[0].ffn.width
    layer = 4 * (h * h + h) + (f * h + f) + (h * f + h) + 4 * h
    tables = (SPEC.embedding.vocab + SPEC.max_positions + SPEC.embedding.token_types) * h + 2 * h
    assert count_parameters(SPEC) == tables + len(SPEC.layers) * layer


def test_skipped_positions_have_rows() -> None:
    shapes = expected_shapes(replace(SPEC, embedding=replace(SPEC.embedding, position_offset=2)))
    assert shapes["embeddings.position"] == (SPEC.max_positions + 2, SPEC.hidden)


def test_no_token_types_no_table() -> None:
    assert "embeddings.type" not in expected_shapes(
        replace(SPEC, embedding=replace(SPEC.embedding, token_types=0))
    )


@pytest.mark.parametrize("seed", range(30))
def test_every_parameter_is_listed_once(seed: int) -> None:
    """Names of shared weights appear once, and gates, projections and norms only where the spec has them."""
    spec = random_spec(seed)
    names = list(expected_shapes(spec))
    assert len(set(names)) == len(names)
    assert ("embeddings.projection.weight" in names) == (spec.embedding.width != spec.hidden)
    assert ("final_norm.weight" in names) == bool(spec.final_norm)
    for layer in spec.layers:
        name = f"layers.{layer.weights}"
        assert (f"{name}.ffn.gate.weight" in names) == layer.ffn.gated
        assert (f"{name}.ffn.up.bias" in names) == layer.ffn.up_bias
        assert (f"{name}.attention.query.bias" in names) == layer.attention.bias
        assert (f"{name}.attn_post.weight" in names) == bool(layer.attn_post)
        assert (f"{name}.attention.key_norm.weight" in names) == bool(layer.attention.query_key_norm)


def test_every_problem_is_named_at_once() -> None:
    shapes = expected_shapes(SPEC)
    del shapes["layers.1.ffn.up.bias"]
    del shapes["embeddings.norm.weight"]
    shapes["layers.0.attention.query.weight"] = (24, 23)
    shapes["layers.9.ffn.up.bias"] = (40,)
    with pytest.raises(CheckpointError) as caught:
        check_shapes(
            SPEC, shapes, surplus=["extra.weight"], stored_as={"embeddings.norm.weight": "emb.LN.weight"}
        )
    message = str(caught.value)
    for part in (
        "2 missing: embeddings.norm.weight (emb.LN.weight), layers.1.ffn.up.bias",
        "2 surplus: extra.weight, layers.9.ffn.up.bias",
        "1 misshaped: layers.0.attention.query.weight must have shape (24, 24), got (24, 23)",
    ):
        assert part in message


def test_thousands_of_problems_make_a_short_message() -> None:
    with pytest.raises(CheckpointError) as caught:
        check_shapes(replace(SPEC, layers=SPEC.layers[0].times(4000)), {})
    assert "and 63985 more" in str(caught.value) and len(str(caught.value)) < 2000
