"""Canonical parameters: all problems of a checkpoint are in one error."""

from __future__ import annotations

from dataclasses import replace

import pytest
from polysemy.errors import CheckpointError
from polysemy.model.params import check_shapes, count_parameters, expected_shapes
from tiny_models import SPEC


def test_count_is_that_of_the_formula() -> None:
    h, f = SPEC.hidden, SPEC.ffn
    layer = 4 * (h * h + h) + (f * h + f) + (h * f + h) + 4 * h
    tables = (SPEC.vocab + SPEC.max_positions + SPEC.token_types) * h + 2 * h
    assert count_parameters(SPEC) == tables + SPEC.layers * layer


def test_skipped_positions_have_rows() -> None:
    shapes = expected_shapes(replace(SPEC, position_offset=2))
    assert shapes["embeddings.position"] == (SPEC.max_positions + 2, SPEC.hidden)


def test_no_token_types_no_table() -> None:
    assert "embeddings.type" not in expected_shapes(replace(SPEC, token_types=0))


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
        "1 misshaped: layers.0.attention.query.weight: expected (24, 24), got (24, 23)",
    ):
        assert part in message


def test_thousands_of_problems_make_a_short_message() -> None:
    with pytest.raises(CheckpointError) as caught:
        check_shapes(replace(SPEC, layers=4000), {})
    assert "and 63985 more" in str(caught.value) and len(str(caught.value)) < 2000
