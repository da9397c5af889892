"""A whole transformer encoder over a ragged batch: what the C++ forward pass must compute.

The graph is that of BERT (Devlin et al., arXiv:1810.04805): learned positions, layer norm after every
residual.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from polysemy.reference.activations import NAME_OF_CODE
from polysemy.reference.arrays import FloatArray
from polysemy.reference.attention import scaled_dot_product_attention
from polysemy.reference.embeddings import embedding
from polysemy.reference.norms import layer_norm
from polysemy.reference.products import linear

if TYPE_CHECKING:
    from polysemy.model.spec import EncoderSpec


class TokenStates(NamedTuple):
    """Everything the encoder computed on its way.

    ``hidden_states`` has layers + 1 arrays (tokens, hidden): the embedding output, then one per layer.
    ``attentions`` has one list per layer, of one array (heads, length, length) per sequence.
    """

    hidden_states: list[FloatArray]
    attentions: list[list[FloatArray]]


def encode_tokens(
    spec: EncoderSpec,
    weights: Mapping[str, NDArray[Any]],
    ids: ArrayLike,
    offsets: ArrayLike,
    types: ArrayLike | None = None,
    dtype: DTypeLike = np.float64,
) -> TokenStates:
    """Hidden states and attention probabilities of a packed batch.

    ``ids`` and ``types`` are (tokens,), the sequences one after another; sequence i has the tokens from
    ``offsets[i]`` to ``offsets[i + 1]``. ``weights`` has canonical names, linear weights are (out, in).
    All arithmetic is in ``dtype``, float32 or float64.
    """
    cast = {name: np.asarray(array).astype(dtype) for name, array in weights.items()}
    bounds = np.asarray(offsets, dtype=np.int64)
    seqlens = bounds[1:] - bounds[:-1]
    states = [_embed(spec, cast, np.asarray(ids), seqlens, types)]
    attentions = []
    for layer in range(spec.layers):
        hidden, probabilities = _layer(spec, cast, f"layers.{layer}", states[-1], seqlens)
        states.append(hidden)
        attentions.append(probabilities)
    return TokenStates(states, attentions)


def _embed(
    spec: EncoderSpec,
    weights: Mapping[str, FloatArray],
    ids: NDArray[Any],
    seqlens: NDArray[np.int64],
    types: ArrayLike | None,
) -> FloatArray:
    """Token + position + type, then the norm."""
    x = embedding(ids, weights["embeddings.token"])
    starts = np.cumsum(seqlens) - seqlens
    positions = np.arange(ids.size) - np.repeat(starts, seqlens) + spec.position_offset
    x = x + embedding(positions, weights["embeddings.position"])
    if spec.token_types:
        segment = np.zeros_like(ids) if types is None else np.asarray(types)
        x = x + embedding(segment, weights["embeddings.type"])
    return _norm(spec, weights, "embeddings.norm", x)


def _layer(
    spec: EncoderSpec,
    weights: Mapping[str, FloatArray],
    name: str,
    x: FloatArray,
    seqlens: NDArray[np.int64],
) -> tuple[FloatArray, list[FloatArray]]:
    """Attention and feed-forward network, each with a residual and a norm after it."""
    tokens = x.shape[0]
    q, k, v = (
        _project(weights, f"{name}.attention.{part}", x).reshape(tokens, spec.heads, spec.head_dim)
        for part in ("query", "key", "value")
    )
    mixed, probabilities = scaled_dot_product_attention(q, k, v, seqlens=seqlens, return_weights=True)
    mixed = mixed.reshape(tokens, spec.heads * spec.head_dim)
    x = _norm(
        spec, weights, f"{name}.attention.norm", _project(weights, f"{name}.attention.output", mixed) + x
    )
    inner = _project(weights, f"{name}.ffn.up", x, NAME_OF_CODE[int(spec.activation)])
    x = _norm(spec, weights, f"{name}.ffn.norm", _project(weights, f"{name}.ffn.down", inner) + x)
    return x, probabilities


def _project(
    weights: Mapping[str, FloatArray], name: str, x: FloatArray, activation: str | None = None
) -> FloatArray:
    """A linear layer; its bias is optional and found by its presence."""
    return linear(x, weights[f"{name}.weight"], weights.get(f"{name}.bias"), activation=activation)


def _norm(spec: EncoderSpec, weights: Mapping[str, FloatArray], name: str, x: FloatArray) -> FloatArray:
    return layer_norm(x, spec.hidden, weights[f"{name}.weight"], weights.get(f"{name}.bias"), spec.norm_eps)
