"""A whole transformer encoder over a ragged batch: what the C++ forward pass must compute."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from polysemy.reference.arrays import FloatArray
from polysemy.reference.attention import scaled_dot_product_attention
from polysemy.reference.embeddings import embedding
from polysemy.reference.norms import layer_norm, rms_norm
from polysemy.reference.positions import (
    bucket_bias,
    disentangled_buckets,
    rotary_angles,
    token_positions,
    turn,
)
from polysemy.reference.precision import KEYS, PROBABILITY_ONE, integer_rows, integer_values
from polysemy.reference.products import linear

if TYPE_CHECKING:
    from polysemy.model.spec import AttentionSpec, EncoderSpec, FeedForwardSpec, LayerSpec, NormSpec


class TokenStates(NamedTuple):
    """Everything the encoder computed on its way.

    ``hidden_states`` has layers + 1 arrays (tokens, hidden): the embedding output, then one per layer; the last
    one after the final norm, if there is one. ``attentions`` has one list per layer, of one array
    (heads, length, length) per sequence. ``projections`` has one tuple per layer: queries (tokens, heads, head_dim),
    keys and values (tokens, kv_heads, head_dim) as attention takes them, after their norm and rotation.
    """

    hidden_states: list[FloatArray]
    attentions: list[list[FloatArray]]
    projections: list[tuple[FloatArray, FloatArray, FloatArray]]


def encode_tokens(
    spec: EncoderSpec,
    weights: Mapping[str, NDArray[Any]],
    ids: ArrayLike,
    offsets: ArrayLike,
    types: ArrayLike | None = None,
    dtype: DTypeLike = np.float64,
    precision: str = "float32",
    seen: ArrayLike | None = None,
) -> TokenStates:
    """Hidden states and attention probabilities of a packed batch.

    ``ids`` and ``types`` are (tokens,), the sequences one after another; sequence i has the tokens from
    ``offsets[i]`` to ``offsets[i + 1]``. ``weights`` has canonical names, linear weights are (out, in).
    Of sequence i the first ``seen[i]`` tokens are looked at, None means all.
    All arithmetic is in ``dtype``, float32 or float64; linear layers round their numbers to ``precision`` first.
    In bfloat16, int8 and int16, attention other than disentangled multiplies integers.
    """
    cast = {name: np.asarray(array).astype(dtype) for name, array in weights.items()}
    bounds = np.asarray(offsets, dtype=np.int64)
    return _Pass(spec, cast, np.asarray(ids), bounds[1:] - bounds[:-1], types, precision, seen).run()


class _Pass:
    """One forward pass."""

    def __init__(
        self,
        spec: EncoderSpec,
        weights: Mapping[str, FloatArray],
        ids: NDArray[Any],
        seqlens: NDArray[np.int64],
        types: ArrayLike | None,
        precision: str,
        seen: ArrayLike | None,
    ) -> None:
        self.precision = precision
        self.spec = spec
        self.weights = weights
        self.ids = ids
        self.seqlens = seqlens
        self.projections: list[tuple[FloatArray, FloatArray, FloatArray]] = []
        self.types = np.zeros_like(ids) if types is None else np.asarray(types)
        self.mask: FloatArray | None = None  # (sequences, 1, 1, longest), added to scores
        if seen is not None:
            keys = np.arange(int(seqlens.max(initial=0)))
            looked_at = keys < np.asarray(seen)[:, None, None, None]
            self.mask = np.where(looked_at, np.float32(0), np.float32(-np.inf))

    def run(self) -> TokenStates:
        x = self._embed()
        states, attentions = [x], []
        for layer in self.spec.layers:
            x, probabilities = self._layer(layer, x)
            states.append(x)
            attentions.append(probabilities)
        states[-1] = self._norm(self.spec.final_norm, "final_norm", states[-1])
        return TokenStates(states, attentions, self.projections)

    def _embed(self) -> FloatArray:
        spec = self.spec.embedding
        x = embedding(self.ids, self.weights["embeddings.token"])
        x = x * x.dtype.type(spec.scale)
        if spec.token_types:
            x = x + embedding(self.types, self.weights["embeddings.type"])
        if spec.positions:
            rows = token_positions(self.ids, self.seqlens, spec.position_offset, spec.padding_id)
            x = x + embedding(rows, self.weights["embeddings.position"])
        x = self._norm(spec.norm, "embeddings.norm", x)
        return self._linear("embeddings.projection", x) if spec.width != self.spec.hidden else x

    def _layer(self, spec: LayerSpec, x: FloatArray) -> tuple[FloatArray, list[FloatArray]]:
        name = f"layers.{spec.weights}"
        mixed, probabilities = self._attention(
            spec.attention, name, self._norm(spec.attn_in, f"{name}.attn_in", x)
        )
        x = self._norm(
            spec.attn_out, f"{name}.attn_out", x + self._norm(spec.attn_post, f"{name}.attn_post", mixed)
        )
        inner = self._feed_forward(spec.ffn, name, self._norm(spec.ffn_in, f"{name}.ffn_in", x))
        x = self._norm(
            spec.ffn_out, f"{name}.ffn_out", x + self._norm(spec.ffn_post, f"{name}.ffn_post", inner)
        )
        return x, probabilities

    def _attention(
        self, spec: AttentionSpec, layer: str, x: FloatArray
    ) -> tuple[FloatArray, list[FloatArray]]:
        name = f"{layer}.attention"
        q, k, v = (
            self._linear(f"{name}.{part}", x).reshape(len(x), heads, spec.head_dim)
            for part, heads in (("query", spec.heads), ("key", spec.kv_heads), ("value", spec.kv_heads))
        )
        q = self._norm(spec.query_key_norm, f"{name}.query_norm", q)
        k = self._norm(spec.query_key_norm, f"{name}.key_norm", k)
        q, k = self._turn(spec, q), self._turn(spec, k)
        self.projections.append((q, k, v))
        bias = spec.position_bias
        if bias.kind.value == "disentangled":
            mixed, probabilities = self._disentangled(spec, name, q, k, v)
            return self._linear(f"{name}.output", mixed.reshape(len(x), -1)), probabilities
        mask = self.mask
        if bias.kind.value == "buckets":
            table = self.weights[f"position_bias.{bias.table}"]
            distances = bucket_bias(table, int(self.seqlens.max(initial=0)), bias.max_distance)
            mask = distances if mask is None else distances + mask
        reduced = self.precision in ("bfloat16", "int8", "int16")
        if reduced:
            q, k = (integer_rows(a).astype(x.dtype) for a in (q, k))
        mixed, probabilities = scaled_dot_product_attention(
            q,
            k,
            v,
            mask,
            scale=spec.scale,
            enable_gqa=spec.heads != spec.kv_heads,
            seqlens=self.seqlens,
            window=(-1 if spec.left is None else spec.left, -1 if spec.right is None else spec.right),
            alibi_slopes=np.array(bias.slopes, x.dtype) if bias.kind.value == "alibi" else None,
            return_weights=True,
        )
        if reduced:
            mixed = self._integer_sums(probabilities, v)
        return self._linear(f"{name}.output", mixed.reshape(len(x), -1)), probabilities

    def _integer_sums(self, probabilities: list[FloatArray], v: FloatArray) -> FloatArray:
        """P V of integers: probabilities count from the largest of their row so far, block by block of keys."""
        mixed, start = [], 0
        for weights in probabilities:
            values = np.swapaxes(v[start : start + weights.shape[-1]], 0, 1)
            values = np.repeat(values, len(weights) // len(values), axis=0)
            total = np.zeros((*weights.shape[:-1], v.shape[-1]), v.dtype)
            for first in range(0, weights.shape[-1], KEYS):
                part = slice(first, first + KEYS)
                largest = weights[..., : part.stop].max(-1, keepdims=True, initial=0.0)
                relative = np.divide(
                    weights[..., part], largest, out=np.zeros_like(weights[..., part]), where=largest > 0
                )
                counted = np.rint(relative * PROBABILITY_ONE) / PROBABILITY_ONE
                total += largest * np.matmul(counted, integer_values(values[:, part]).astype(v.dtype))
            mixed.append(np.swapaxes(total, 0, 1))
            start += weights.shape[-1]
        return np.concatenate(mixed) if mixed else v

    def _disentangled(
        self, spec: AttentionSpec, name: str, q: FloatArray, k: FloatArray, v: FloatArray
    ) -> tuple[FloatArray, list[FloatArray]]:
        """Attention whose scores get products with what the layer makes of the embeddings of distances."""
        bias, table = spec.position_bias, f"position_bias.{spec.position_bias.table}"
        rows = self._norm(bias.norm, f"{table}.norm", self.weights[table])
        key, query = ("key", "query") if bias.shared else ("position_key", "position_query")
        groups = spec.heads // spec.kv_heads
        mixed, probabilities = [], []
        starts = np.cumsum(self.seqlens) - self.seqlens
        for i, (start, length) in enumerate(zip(starts, self.seqlens, strict=True)):
            part = slice(start, start + length)
            one_q, one_k = q[part], np.repeat(k[part], groups, axis=1)
            places = np.arange(length)
            buckets = disentangled_buckets(places[:, None] - places, bias.buckets, bias.max_distance)
            scores = np.zeros((spec.heads, length, length), q.dtype)
            if bias.position_keys:
                of_rows = self._linear(f"{name}.{key}", rows).reshape(len(rows), spec.kv_heads, spec.head_dim)
                products = np.einsum("ihd,bhd->hib", one_q, np.repeat(of_rows, groups, axis=1))
                scores += np.take_along_axis(products, buckets[None], axis=2)
            if bias.position_queries:
                of_rows = self._linear(f"{name}.{query}", rows).reshape(len(rows), spec.heads, spec.head_dim)
                products = np.einsum("jhd,bhd->hjb", one_k, of_rows)
                scores += np.swapaxes(np.take_along_axis(products, buckets.T[None], axis=2), 1, 2)
            scores *= q.dtype.type(spec.scale)
            one, weights = scaled_dot_product_attention(
                one_q,
                k[part],
                v[part],
                scores if self.mask is None else scores + self.mask[i, ..., :length],
                scale=spec.scale,
                enable_gqa=groups > 1,
                seqlens=[length],
                return_weights=True,
            )
            mixed.append(one)
            probabilities += weights
        return np.concatenate(mixed) if mixed else q, probabilities

    def _turn(self, spec: AttentionSpec, x: FloatArray) -> FloatArray:
        if not spec.rotary:
            return x
        return turn(x, *rotary_angles(spec.rotary.frequencies, self.seqlens))

    def _feed_forward(self, spec: FeedForwardSpec, layer: str, x: FloatArray) -> FloatArray:
        name, activation = f"{layer}.ffn", spec.activation
        if spec.gated:
            inner = self._linear(f"{name}.gate", x, activation) * self._linear(f"{name}.up", x)
        else:
            inner = self._linear(f"{name}.up", x, activation)
        return self._linear(f"{name}.down", inner)

    def _linear(self, name: str, x: FloatArray, activation: str | None = None) -> FloatArray:
        """A linear layer; its bias is found by its presence."""
        return linear(
            x,
            self.weights[f"{name}.weight"],
            self.weights.get(f"{name}.bias"),
            activation=activation,
            precision=self.precision,
        )

    def _norm(self, spec: NormSpec, name: str, x: FloatArray) -> FloatArray:
        if not spec:
            return x
        weight, bias = self.weights[f"{name}.weight"], self.weights.get(f"{name}.bias")
        if spec.kind.value == "layer":
            return layer_norm(x, x.shape[-1], weight, bias, spec.eps)
        scaled = rms_norm(x, x.shape[-1], weight, spec.eps)
        return scaled if bias is None else scaled + bias
