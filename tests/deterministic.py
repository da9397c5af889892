"""Numbers that are the same on every machine and in every version of NumPy, and encoders made of them."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from polysemy import _core
from polysemy.families.bert import post_norm_layer
from polysemy.model.params import expected_shapes
from polysemy.model.spec import Activation, EmbeddingSpec, EncoderSpec, Norm, NormSpec, native

Floats = NDArray[np.float32]


def words(name: str, count: int) -> NDArray[np.uint64]:
    """``count`` pseudo-random 64-bit words: splitmix64 (Steele, Lea, Flood 2014), started from the name."""
    with np.errstate(over="ignore"):  # arithmetic modulo 2**64 is meant
        state = np.uint64(zlib.crc32(name.encode()) << 32) + np.arange(
            1, count + 1, dtype=np.uint64
        ) * np.uint64(0x9E3779B97F4A7C15)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return state ^ (state >> np.uint64(31))


def values(name: str, *shape: int, scale: float = 1.0) -> Floats:
    """Float32 in [-scale, scale), multiples of scale / 2**23."""
    integers = (words(name, math.prod(shape)) >> np.uint64(40)).astype(np.int64) - (1 << 23)
    return (integers.astype(np.float32) * np.float32(scale / (1 << 23))).reshape(shape)


def integers(name: str, count: int, low: int, high: int) -> NDArray[np.int64]:
    """Whole numbers in [low, high)."""
    return (words(name, count) % np.uint64(high - low)).astype(np.int64) + low


def post_norm(
    hidden: int = 64,
    layers: int = 2,
    heads: int = 4,
    ffn: int = 128,
    activation: Activation = Activation.GELU_ERF,
    eps: float = 1e-12,
    position_offset: int = 0,
    token_types: int = 2,
) -> EncoderSpec:
    """An encoder of BERT's kind."""
    norm = NormSpec(Norm.LAYER, eps, bias=True)
    embedding = EmbeddingSpec(
        48, hidden, token_types=token_types, positions=True, position_offset=position_offset, norm=norm
    )
    layer = post_norm_layer(heads, hidden // heads, ffn, activation, norm)
    return EncoderSpec(hidden, 640, embedding, layer.times(layers))


#: Small encoders that between them have: sizes that fill no panel of 16 columns, heads of several widths,
#: products over several blocks of k, an offset of positions, no token types.
SPECS = {
    "even": post_norm(),
    "uneven": post_norm(
        hidden=78,
        heads=3,
        ffn=203,
        position_offset=2,
        token_types=0,
        eps=1e-5,
        activation=Activation.GELU_TANH,
    ),
    "deep": post_norm(hidden=96, layers=3, heads=2, ffn=800, activation=Activation.SILU),
}

#: The norms' names when the hashes in golden.json were made: an array depends on its name.
_FIRST_NAMES = {".attn_out.": ".attention.norm.", ".ffn_out.": ".ffn.norm."}


def weights_of(model: str) -> dict[str, Floats]:
    """Canonical name -> array. Scaled so that states stay near 1 and attention is far from uniform."""
    weights = {}
    for name, shape in expected_shapes(SPECS[model]).items():
        scale = 2.5 / math.sqrt(shape[-1]) if len(shape) == 2 and name.startswith("layers") else 0.5
        seed = name
        for now, then in _FIRST_NAMES.items():
            seed = seed.replace(now, then)
        weights[name] = values(f"{model}/{seed}", *shape, scale=scale) + np.float32(
            seed.endswith("norm.weight")
        )
    return weights


def encoder_of(model: str, weights: Mapping[str, Floats]) -> _core.Encoder:
    return _core.Encoder(native(SPECS[model]), dict(weights))
