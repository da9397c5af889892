"""config.json -> EncoderSpec: what is read, and what is refused with which words."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from polysemy import Activation, EncoderSpec
from polysemy.encoding.loading import read_spec
from polysemy.errors import CheckpointError, UnsupportedModelError
from polysemy.families import find_family
from polysemy.families.config import Config
from tiny_models import SPEC, bert_config


def spec_of(config: dict[str, object]) -> EncoderSpec:
    view = Config(config)
    return read_spec(find_family(view), view)


def test_bert() -> None:
    assert spec_of(bert_config()) == SPEC


def test_defaults_are_those_of_transformers() -> None:
    config = bert_config(
        hidden_act=None, layer_norm_eps=None, type_vocab_size=None, position_embedding_type=None
    )
    spec = spec_of(config)
    layer = spec.layers[0]
    assert (layer.ffn.activation, layer.attn_out.eps, spec.embedding.token_types) == (
        Activation.GELU_ERF,
        1e-12,
        2,
    )


@pytest.mark.parametrize("model_type", ["roberta", "xlm-roberta", "camembert"])
def test_roberta_positions_start_after_padding(model_type: str) -> None:
    spec = spec_of(bert_config(model_type=model_type, pad_token_id=1))
    assert (spec.embedding.position_offset, spec.max_positions) == (2, SPEC.max_positions - 2)
    assert spec.embedding.padding_id == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"model_type": "mamba"},
            "model_type='mamba' is not supported; supported: albert, bert, camembert, ",
        ),
        ({"model_type": None}, "model_type is missing"),
        ({"hidden_act": "mish"}, "hidden_act='mish' is not supported; supported: gelu, "),
        (
            {"position_embedding_type": "alibi"},
            "position_embedding_type='alibi' is not supported, expected 'absolute'",
        ),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type"),
        ({"is_decoder": True}, "is_decoder=True"),
        ({"add_cross_attention": True}, "add_cross_attention=True"),
        ({"pruned_heads": {"0": [1]}}, "pruned_heads"),
        ({"feed_forward_type": "geglu"}, "feed_forward_type='geglu'"),
        ({"quantization_config": {"bits": 4}}, "quantization_config"),
        ({"auto_map": {"AutoModel": "x.py--Y"}}, "auto_map"),
    ],
)
def test_not_modelled(changes: dict[str, object], message: str) -> None:
    with pytest.raises(UnsupportedModelError, match=message.replace("(", r"\(")):
        spec_of(bert_config(**changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden_size": None}, "hidden_size must be an integer, got None"),
        ({"hidden_size": "24"}, "hidden_size must be an integer, got '24'"),
        ({"hidden_size": 24.0}, "hidden_size must be an integer"),
        ({"num_hidden_layers": True}, "num_hidden_layers must be an integer"),
        ({"hidden_size": -24}, "hidden size must be a positive multiple"),
        ({"num_attention_heads": 0}, "got 24 and 0"),
        ({"num_attention_heads": 5}, "got 24 and 5"),
        ({"num_hidden_layers": 0}, "num_hidden_layers must be in 1"),
        ({"num_hidden_layers": 10**12}, "num_hidden_layers must be in 1"),
        ({"vocab_size": 10**30}, "vocab must be in 1"),
        ({"intermediate_size": 1 << 40}, "ffn.width must be in 1"),
        ({"layer_norm_eps": "small"}, "layer_norm_eps must be a number"),
        ({"layer_norm_eps": float("inf")}, "norm.eps"),
        ({"layer_norm_eps": 10**400}, "layer_norm_eps must be a float64, got more"),
        ({"hidden_act": 3}, "hidden_act must be a string"),
        ({"model_type": ["bert"]}, "model_type must be a string"),
        ({"model_type": "roberta", "pad_token_id": -5}, "position_offset"),
        ({"model_type": "roberta", "pad_token_id": 30}, "max_positions"),
    ],
)
def test_malformed(changes: dict[str, object], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        spec_of(bert_config(**changes))


LONG = "x" * (1 << 20)
HUGE = 10**4000


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (lambda config: config.integer("name"), LONG),
        (lambda config: config.number("name"), LONG),
        (lambda config: config.text("name"), [LONG]),
        (lambda config: config.switch("name", False), LONG),
        (lambda config: config.texts("name"), LONG),
        (lambda config: config.section("name"), LONG),
        (lambda config: config.activation("name"), LONG),
        (lambda config: config.require("name", "short"), LONG),
        (lambda config: config.layer_types(1, str), [LONG]),
    ],
)
def test_messages_are_short(read: Callable[[Config], object], value: object) -> None:
    with pytest.raises((CheckpointError, UnsupportedModelError), match=r"x\.\.\.x") as caught:
        read(Config({"name": value, "layer_types": value}))
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "read",
    [
        lambda config: config.layers("name"),
        lambda config: config.size("name"),
        lambda config: config.head_dim(config.integer("name"), 2),
        lambda config: config.head_dim(64, config.integer("name")),
        lambda config: spec_of(bert_config(hidden_size=HUGE)),
        lambda config: spec_of(bert_config(num_hidden_layers=HUGE)),
        lambda config: spec_of(bert_config(vocab_size=HUGE)),
        lambda config: spec_of(bert_config(intermediate_size=HUGE)),
        lambda config: spec_of(bert_config(max_position_embeddings=HUGE)),
        lambda config: spec_of(bert_config(type_vocab_size=HUGE)),
        lambda config: spec_of(bert_config(layer_norm_eps=HUGE)),
    ],
)
def test_huge_numbers_are_shown_in_short(read: Callable[[Config], object]) -> None:
    with pytest.raises(CheckpointError) as caught:
        read(Config({"name": HUGE}))
    assert len(str(caught.value)) < 500
