"""Checkpoints in the spelling of their authors, whose code is not executed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from polysemy import Encoder
from polysemy.encoding.loading import load_model
from polysemy.errors import UnsupportedModelError
from polysemy.families import find_family
from polysemy.families.config import Config
from polysemy.model.spec import RotarySpec
from polysemy.reference.encoder import encode_tokens
from published_models import JINA, JinaBert, gte, nomic, stretched, write
from test_families_transformers import UNIT, bound, largest, texts, width_of
from transformers_models import build


def test_nomic(tmp_path: Path) -> None:
    """The same bits as from the spelling of transformers."""
    model = build("nomic", tmp_path / "theirs").single
    folder = write(tmp_path / "published", *nomic(model.config, model.state_dict()))
    theirs, published = (Encoder.from_pretrained(path) for path in (tmp_path / "theirs", folder))
    ids = texts(theirs.spec)
    assert published.spec == theirs.spec
    for i in range(len(ids)):
        np.testing.assert_array_equal(
            published.forward(ids).hidden_state(i), theirs.forward(ids).hidden_state(i)
        )


@pytest.mark.parametrize("case", ["gte", "gte-without-types"])
def test_gte(tmp_path: Path, case: str) -> None:
    """As transformers with the frequencies that the published configuration means."""
    built = build(case, tmp_path / "theirs")
    config = built.exact.config
    folder = write(tmp_path / "published", *gte(config, built.single.state_dict()))
    dim = config.hidden_size // config.num_attention_heads
    for model in (built.exact, built.single):
        model.rotary_emb.inv_freq = stretched(
            model.rotary_emb.inv_freq, dim, config.rope_parameters["rope_theta"], 4.0
        )
    encoder = Encoder.from_pretrained(folder)
    ours = np.float32(encoder.spec.layers[0].attention.rotary.frequencies)
    theirs = built.single.rotary_emb.inv_freq.numpy()
    assert (np.abs(ours - theirs) <= 2 * np.spacing(ours)).all()
    width = width_of(encoder.spec)
    for text in texts(encoder.spec):
        with torch.no_grad():
            exact = built.exact(torch.tensor([text])).last_hidden_state[0].numpy()
        got = encoder.forward([text]).hidden_state(0)
        assert largest(got, exact) <= bound(exact, UNIT, width, len(encoder.spec.layers))


@pytest.mark.parametrize("gate", ["geglu", "reglu"])
def test_jina(tmp_path: Path, gate: str) -> None:
    config = JINA | {"feed_forward_type": gate}
    model = JinaBert(config)
    folder = write(tmp_path, config, model.tensors | {"pooler.dense.weight": torch.zeros(60, 60)})
    encoder, loaded = Encoder.from_pretrained(folder), load_model(folder)
    spec, width = encoder.spec, width_of(encoder.spec)
    layers = range(len(spec.layers) + 1)
    for text in texts(spec):
        output = encoder.forward([text], layers=layers, attentions=layers[1:])
        exact, single = (model(text, dtype) for dtype in (torch.float64, torch.float32))
        wide = encode_tokens(spec, loaded.weights, np.array(text), np.array([0, len(text)]))
        for number in layers:
            oracle = exact[0][number].numpy()
            assert largest(wide.hidden_states[number], oracle) <= bound(oracle, 2.0**-53, width, number)
            error, theirs = (
                largest(x, oracle) for x in (output.hidden_state(0, number), single[0][number].numpy())
            )
            assert error <= min(2 * theirs + 4 * UNIT, bound(oracle, UNIT, width, number))
        for number in layers[1:]:
            oracle = exact[1][number - 1].numpy()
            assert largest(output.attention(0, number), oracle) <= 16 * bound(oracle, UNIT, width, number)


def test_frequencies_matter(tmp_path: Path) -> None:
    """A wrong base would be seen: the check of the checks above."""
    model = build("nomic", tmp_path).single
    loaded = load_model(tmp_path)
    layers = tuple(
        replace(layer, attention=replace(layer.attention, rotary=RotarySpec((1.0, 0.9, 0.1))))
        for layer in loaded.spec.layers
    )
    ids = np.arange(10, 40)
    wrong = encode_tokens(replace(loaded.spec, layers=layers), loaded.weights, ids, np.array([0, 30]))
    with torch.no_grad():
        right = model(torch.tensor(ids[None])).last_hidden_state[0].numpy()
    assert largest(wrong.hidden_states[-1], right) > 0.1


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"model_type": "bert", "auto_map": {"AutoModel": "x--modeling_bert.JinaBertModel"}},
            "auto_map names",
        ),
        (
            {
                "model_type": "bert",
                "auto_map": {"AutoModel": "jinaai/jina-bert-v2-qk-post-norm--modeling_bert.JinaBertModel"},
            },
            "auto_map names 'jinaai/jina-bert-v2-qk-post-norm",
        ),
        ({"model_type": "qwen3", "auto_map": {"AutoModel": "modeling.Qwen3Model"}}, "auto_map names"),
        ({"model_type": "bert", "auto_map": {"AutoConfig": "c.X"}}, "auto_map names ''"),
        (JINA | {"position_embedding_type": "absolute"}, "position_embedding_type='absolute'"),
        (JINA | {"feed_forward_type": "original"}, "feed_forward_type='original'"),
    ],
)
def test_code_is_not_run(config: dict[str, object], message: str) -> None:
    view = Config(config)
    with pytest.raises(UnsupportedModelError, match=message):
        find_family(view).spec(view)
