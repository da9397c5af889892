"""Same text, same bits, for a small model of every family."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.typing import NDArray
from polysemy import _core
from polysemy.encoding.loading import read_spec
from polysemy.families import all_families, find_family, static
from polysemy.families.config import Config
from polysemy.model.spec import EncoderSpec, native
from published_models import JINA
from random_specs import random_weights
from transformers_models import CASES

TRIALS = 12
LENGTHS = (1, 2, 5, 16, 17, 33, 40, 70, 130, 150)
SCHEDULES = ("auto", "throughput", "latency")
ISAS = _core.fused_isas() or _core.isas()[:1]
CONFIGS: dict[str, dict[str, object]] = {
    **{name: json.loads(case.config_class(**case.settings).to_json_string()) for name, case in CASES.items()},
    "jina": JINA,
}


def spec_of(name: str) -> EncoderSpec:
    config = Config(CONFIGS[name])
    return read_spec(find_family(config), config)


def run(
    encoder: _core.Encoder,
    spec: EncoderSpec,
    texts: list[NDArray[np.int32]],
    schedule: str,
    threads: int,
    isa: str,
) -> list[bytes]:
    """All hidden states, attention weights and the mean of each text."""
    offsets = np.concatenate([[0], np.cumsum([len(text) for text in texts])]).astype(np.int64)
    layers = list(range(len(spec.layers) + 1))
    found = encoder.forward(
        np.concatenate(texts),
        offsets,
        None,
        layers=layers,
        attentions=layers[1:],
        pooling="mean",
        schedule=schedule,
        num_threads=threads,
        isa=isa,
    )
    assert found["pooled"] is not None
    areas = np.diff(offsets) ** 2
    results = []
    for i in range(len(texts)):
        parts = [found["pooled"][i]] + [found["hidden"][n][offsets[i] : offsets[i + 1]] for n in layers]
        for n in layers[1:]:
            starts = spec.layers[n - 1].attention.heads * np.concatenate([[0], np.cumsum(areas)])
            parts.append(found["attentions"][n][starts[i] : starts[i + 1]])
        assert all(np.isfinite(part).all() for part in parts)
        results.append(b"".join(np.ascontiguousarray(part).tobytes() for part in parts))
    return results


def test_every_family_is_here() -> None:
    assert {find_family(Config(config)).spec for config in CONFIGS.values()} == {
        family.spec for family in all_families() if family is not static.FAMILY
    }


@pytest.mark.parametrize("name", CONFIGS)
def test_no_bit_depends_on_the_batch(name: str) -> None:
    spec = spec_of(name)
    encoder = _core.Encoder(native(spec), random_weights(spec, seed=5))
    rng = np.random.default_rng(9)
    lengths = [n for n in LENGTHS if n <= spec.max_positions]
    texts = [rng.integers(5, 60, n).astype(np.int32) for n in lengths]
    alone = [run(encoder, spec, [text], "throughput", 1, ISAS[0])[0] for text in texts]
    assert len(set(alone)) == len(alone)
    for trial in range(TRIALS):
        members = rng.permutation(len(texts))[: rng.integers(1, len(texts) + 1)]
        way = SCHEDULES[trial % 3], int(rng.integers(1, 5)), ISAS[trial % len(ISAS)]
        found = run(encoder, spec, [texts[m] for m in members], *way)
        assert found == [alone[m] for m in members], (trial, members, way)
