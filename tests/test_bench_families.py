"""What the benchmark of families' shapes counts, and that each shape is a model of its family."""

from __future__ import annotations

import json

import pytest
import transformers
from polysemy.encoding.loading import read_spec
from polysemy.families import find_family
from polysemy.families.config import Config

from bench.engines import shapes
from bench.engines.catalogue import ENGINES


@pytest.mark.parametrize("shape", shapes.SHAPES.values(), ids=list(shapes.SHAPES))
def test_shape(shape: shapes.Shape) -> None:
    settings = shape.settings | {"vocab_size": shapes.VOCAB}
    config = Config(
        json.loads(getattr(transformers, shape.config)(**settings).to_json_string(use_diff=False))
    )
    spec = read_spec(find_family(config), config)
    longest = max(max(shapes.work_of(name).lengths) for name in shape.works)
    assert spec.max_positions >= longest
    assert set(shape.engines) <= set(ENGINES)
    assert {goal.split()[-1] for goal in shape.goal} <= set(shape.engines)
    if shape.layer:
        assert {layer.attention.left is None for layer in spec.layers} == {shape.layer == "global"}
    # Products of the linear layers alone grow with the length, those of attention faster.
    assert shapes.flops(spec, [8, 8]) == 2 * shapes.flops(spec, [8]) < shapes.flops(spec, [16])


@pytest.mark.parametrize(("left", "right"), [(None, None), (3, 3), (None, 0), (4, 0), (0, 0), (9, None)])
def test_pairs(left: int | None, right: int | None) -> None:
    n = 7
    seen = [
        (i, j)
        for i in range(n)
        for j in range(n)
        if (left is None or j >= i - left) and (right is None or j <= i + right)
    ]
    assert shapes._pairs(n, left, right) == len(seen)
