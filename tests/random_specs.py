"""Encoders of every shape that a spec can say, drawn at random, and weights for them."""

from __future__ import annotations

import math
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from polysemy.model.params import expected_shapes
from polysemy.model.spec import (
    Activation,
    AttentionSpec,
    EmbeddingSpec,
    EncoderSpec,
    FeedForwardSpec,
    LayerSpec,
    Norm,
    NormSpec,
    PositionBias,
    PositionBiasSpec,
    RotarySpec,
)

VOCAB = 40
MAX_POSITIONS = 700
NORM_SLOTS = ("attn_in", "attn_post", "attn_out", "ffn_in", "ffn_post", "ffn_out")

T = TypeVar("T")


class Draw:
    """Choices that depend on a seed only."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def one(self, *options: T) -> T:
        return options[int(self.rng.integers(len(options)))]

    def coin(self, chance: float = 0.5) -> bool:
        return bool(self.rng.random() < chance)

    def between(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def norm(self, chance: float = 1.0) -> NormSpec:
        if not self.coin(chance):
            return NormSpec()
        return NormSpec(self.one(Norm.LAYER, Norm.RMS), self.one(1e-12, 1e-5, 1e-3), bias=self.coin())


def attention_spec(draw: Draw, position: str) -> AttentionSpec:
    """``position``: none, rotary, partial (rotary on some features), alibi, buckets, causal, window or
    disentangled."""
    kv_heads = draw.one(1, 2, 3)
    heads = kv_heads * draw.one(1, 2, 3)
    head_dim = draw.one(6, 8, 16, 18, 32)
    pairs = head_dim // 2 if position == "rotary" else draw.between(1, head_dim // 2)
    frequencies = tuple(np.float32(10_000.0 ** -(np.arange(pairs) / pairs)).tolist())
    bias = PositionBiasSpec()
    if position == "alibi":
        bias = PositionBiasSpec(
            PositionBias.ALIBI, slopes=tuple(np.float32(draw.rng.random(heads) / 8).tolist())
        )
    if position == "buckets":
        bias = PositionBiasSpec(PositionBias.BUCKETS, buckets=draw.one(8, 32), max_distance=draw.one(20, 128))
    if position == "disentangled":
        keys, queries = draw.one((True, False), (False, True), (True, True))
        bias = PositionBiasSpec(
            PositionBias.DISENTANGLED,
            buckets=draw.one(8, 24, 64),
            max_distance=draw.one(20, 90),
            norm=draw.norm(0.5),
            position_keys=keys,
            position_queries=queries,
            shared=draw.coin(),
        )
    left, right = None, None
    if position == "causal":
        right = 0
    if position == "window":
        left, right = draw.one(None, 0, 3, 70), draw.one(None, 0, 5, 64)
    return AttentionSpec(
        heads,
        kv_heads,
        head_dim,
        scale=draw.one(1.0 / math.sqrt(head_dim), 0.3),
        bias=draw.coin(),
        output_bias=draw.coin(),
        query_key_norm=draw.norm(0.3),
        rotary=RotarySpec(frequencies if position in ("rotary", "partial") else ()),
        position_bias=bias,
        left=left,
        right=right,
    )


POSITIONS = ("none", "rotary", "partial", "alibi", "buckets", "causal", "window", "disentangled")


def random_spec(seed: int) -> EncoderSpec:
    """An encoder of zero to three layers; seeds take the kinds of position in turn."""
    draw = Draw(seed)
    hidden = draw.one(20, 24, 48, 65, 96)
    attention = attention_spec(draw, POSITIONS[seed % len(POSITIONS)])
    layers = []
    for i in range(draw.one(0, 1, 2, 2, 3)):
        ffn = FeedForwardSpec(
            draw.one(7, 32, 96, 200, 205),
            draw.one(*(a for a in Activation)),
            gated=draw.coin(),
            up_bias=draw.coin(),
            down_bias=draw.coin(),
        )
        norms = {slot: draw.norm(0.5) for slot in NORM_SLOTS}
        if draw.coin(0.3):  # another kind of attention in this layer
            other = attention_spec(draw, draw.one("none", "rotary", "alibi", "window"))
        else:
            other = attention
        layers.append(LayerSpec(other, ffn, weights=i, **norms))
    if layers and draw.coin(0.3):  # a layer once more, with its weights
        layers.append(layers[draw.between(0, len(layers) - 1)])
    positions = draw.coin()
    padding = draw.coin() and positions
    width = draw.one(hidden, hidden, 16, 30)
    embedding = EmbeddingSpec(
        VOCAB,
        width,
        scale=draw.one(1.0, math.sqrt(hidden)),
        token_types=draw.one(0, 1, 3),
        positions=positions,
        position_offset=2 if padding else draw.one(0, 3),
        padding_id=1 if padding else -1,
        norm=draw.norm(0.6),
        projection_bias=draw.coin(),
    )
    return EncoderSpec(hidden, MAX_POSITIONS, embedding, tuple(layers), draw.norm(0.4))


def random_weights(spec: EncoderSpec, seed: int) -> dict[str, NDArray[np.float32]]:
    """Norms near 1, everything else small enough that states stay near 1 in most encoders."""
    rng = np.random.default_rng([seed, 1])
    weights = {}
    for name, shape in expected_shapes(spec).items():
        scale = 1.0 / math.sqrt(shape[-1]) if len(shape) == 2 and name.startswith("layers") else 0.5
        array = rng.standard_normal(shape) * scale
        if (
            name.startswith(("final_norm", "embeddings.norm"))
            or "attn_" in name
            or "ffn_" in name
            or "norm." in name
        ):
            array = 0.3 * array + name.endswith("weight")
        weights[name] = array.astype(np.float32)
    return weights


def random_batch(
    spec: EncoderSpec, seed: int, lengths: list[int]
) -> tuple[NDArray[np.int32], NDArray[np.int64], Any]:
    """Token ids (some of them the padding id), offsets, and token types where the encoder has them."""
    rng = np.random.default_rng([seed, 2])
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    ids = rng.integers(0, VOCAB, offsets[-1]).astype(np.int32)
    types = spec.embedding.token_types
    return ids, offsets, rng.integers(0, types, offsets[-1]).astype(np.int32) if types else None
