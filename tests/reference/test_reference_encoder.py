"""The reference encoder against an independent implementation in float64."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from polysemy.families.bert import post_norm_layer
from polysemy.model.spec import Activation, EmbeddingSpec, EncoderSpec, Norm, NormSpec
from polysemy.reference import encode_tokens

HIDDEN, LAYERS, HEADS, FFN, VOCAB, POSITIONS = 24, 3, 4, 40, 50, 20
ACTIVATIONS = {
    "gelu": Activation.GELU_ERF,
    "gelu_new": Activation.GELU_TANH,
    "relu": Activation.RELU,
    "silu": Activation.SILU,
    "quick_gelu": Activation.QUICK_GELU,
}
PARTS = {
    "attention.query": "attention.self.query",
    "attention.key": "attention.self.key",
    "attention.value": "attention.self.value",
    "attention.output": "attention.output.dense",
    "attn_out": "attention.output.LayerNorm",
    "ffn.up": "intermediate.dense",
    "ffn.down": "output.dense",
    "ffn_out": "output.LayerNorm",
}


def _bert(activation: str) -> Any:
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=VOCAB,
        hidden_size=HIDDEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        intermediate_size=FFN,
        max_position_embeddings=POSITIONS,
        hidden_act=activation,
        initializer_range=0.3,
        attn_implementation="eager",
    )
    model = transformers.BertModel(config).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def _weights(model: Any) -> dict[str, Any]:
    given = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    weights = {
        "embeddings.token": given["embeddings.word_embeddings.weight"],
        "embeddings.position": given["embeddings.position_embeddings.weight"],
        "embeddings.type": given["embeddings.token_type_embeddings.weight"],
    }
    for kind in ("weight", "bias"):
        weights[f"embeddings.norm.{kind}"] = given[f"embeddings.LayerNorm.{kind}"]
        for layer in range(LAYERS):
            for ours, theirs in PARTS.items():
                weights[f"layers.{layer}.{ours}.{kind}"] = given[f"encoder.layer.{layer}.{theirs}.{kind}"]
    return weights


def _spec(activation: str) -> EncoderSpec:
    norm = NormSpec(Norm.LAYER, 1e-12, bias=True)
    layer = post_norm_layer(HEADS, HIDDEN // HEADS, FFN, ACTIVATIONS[activation], norm)
    embedding = EmbeddingSpec(VOCAB, HIDDEN, token_types=2, positions=True, norm=norm)
    return EncoderSpec(HIDDEN, POSITIONS, embedding, layer.times(LAYERS))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_state_is_that_of_transformers(activation: str) -> None:
    model, spec = _bert(activation), _spec(activation)
    rng = np.random.default_rng(1)
    lengths = [5, 1, POSITIONS]
    offsets = np.cumsum([0, *lengths])
    ids, types = rng.integers(0, VOCAB, offsets[-1]), rng.integers(0, 2, offsets[-1])
    states = encode_tokens(spec, _weights(model), ids, offsets, types)
    assert (len(states.hidden_states), len(states.attentions)) == (LAYERS + 1, LAYERS)
    for i, (start, end) in enumerate(pairwise(offsets)):
        with torch.no_grad():
            theirs = model(
                torch.from_numpy(ids[start:end])[None],
                token_type_ids=torch.from_numpy(types[start:end])[None],
                output_hidden_states=True,
                output_attentions=True,
            )
        # Rounding grows by a factor per layer at most as large as the widest sum it passes through.
        tolerance = 2.0**-53 * (HIDDEN + FFN) * (LAYERS + 1) * 4
        for ours, other in zip(states.hidden_states, theirs.hidden_states, strict=True):
            np.testing.assert_allclose(ours[start:end], other[0].numpy(), rtol=0, atol=tolerance)
        for ours_of, other in zip(states.attentions, theirs.attentions, strict=True):
            np.testing.assert_allclose(ours_of[i], other[0].numpy(), rtol=0, atol=tolerance)


def test_types_default_to_zero_and_precision_is_chosen() -> None:
    model, spec = _bert("gelu"), _spec("gelu")
    weights = _weights(model)
    ids, offsets = np.arange(10), [0, 4, 10]
    plain = encode_tokens(spec, weights, ids, offsets)
    zeros = encode_tokens(spec, weights, ids, offsets, np.zeros(10, dtype=np.int32))
    np.testing.assert_array_equal(plain.hidden_states[-1], zeros.hidden_states[-1])
    single = encode_tokens(spec, weights, ids, offsets, dtype=np.float32)
    assert all(state.dtype == np.float32 for state in single.hidden_states)
    error = np.abs(single.hidden_states[-1] - plain.hidden_states[-1]).max()
    assert 0 < error < 2.0**-24 * (HIDDEN + FFN) * (LAYERS + 1) * 4


def test_positions_may_start_later() -> None:
    """Rows of the position table that a family skips are never read."""
    model, spec = _bert("gelu"), _spec("gelu")
    weights = _weights(model)
    shifted = {
        **weights,
        "embeddings.position": np.concatenate([np.full((2, HIDDEN), np.nan), weights["embeddings.position"]]),
    }
    ids, offsets = np.arange(10), [0, 4, 10]
    expected = encode_tokens(spec, weights, ids, offsets)
    later = replace(spec, embedding=replace(spec.embedding, position_offset=2))
    moved = encode_tokens(later, shifted, ids, offsets)
    np.testing.assert_array_equal(moved.hidden_states[-1], expected.hidden_states[-1])
