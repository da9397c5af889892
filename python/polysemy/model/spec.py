"""`EncoderSpec`: an encoder as data.

The graph is the same for every family; a spec says how large its parts are and which variant of each part is
meant. The compiled core has the same records, field by field, and the NumPy reference reads these.
"""

from __future__ import annotations

from dataclasses import field, replace
from enum import Enum
from typing import Any

from .. import _core
from ..record import record

__all__ = [
    "Activation",
    "AttentionSpec",
    "EmbeddingSpec",
    "EncoderSpec",
    "FeedForwardSpec",
    "LayerSpec",
    "Norm",
    "NormSpec",
    "Pooling",
    "PositionBias",
    "PositionBiasSpec",
    "RotarySpec",
    "native",
]


class Activation(str, Enum):
    """Elementwise functions of a linear layer, by the names of the compiled core."""

    NONE = "none"
    GELU_ERF = "gelu"  #: x * Phi(x), with the error function
    GELU_TANH = "gelu_tanh"  #: x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3)))
    RELU = "relu"
    SILU = "silu"  #: x * sigmoid(x)
    TANH = "tanh"
    QUICK_GELU = "quick_gelu"  #: x * sigmoid(1.702 x)


class Pooling(str, Enum):
    """How the tokens of a text become one vector, by the names of the compiled core."""

    MEAN = "mean"
    CLS = "cls"  #: the first token
    MAX = "max"  #: the largest value of each feature
    MEAN_SQRT_LEN = "mean_sqrt_len"  #: the sum over tokens divided by the square root of their number
    WEIGHTED_MEAN = "weightedmean"  #: token i (from 1) weighs i
    LAST_TOKEN = "lasttoken"


class Norm(str, Enum):
    """Kinds of normalisation of a row."""

    NONE = "none"
    LAYER = "layer"  #: (x - mean) / sqrt(variance + eps) * weight + bias
    RMS = "rms"  #: x / sqrt(mean of squares + eps) * weight + bias


class PositionBias(str, Enum):
    """What is added to a score by the distance between query and key."""

    NONE = "none"
    ALIBI = "alibi"  #: -slope * |distance|
    BUCKETS = "buckets"  #: a learned number for each bucket of distances
    DISENTANGLED = "disentangled"  #: products of queries and keys with embeddings of buckets of distances


@record
class NormSpec:
    """A norm, or (the default) none."""

    kind: Norm = Norm.NONE
    eps: float = 0.0
    """Added to the variance, or to the mean square."""
    bias: bool = False

    def __bool__(self) -> bool:
        return self.kind is not Norm.NONE


@record
class RotarySpec:
    """Rotary positions (Su et al., arXiv:2104.09864): features d and d + pairs of each head turn together."""

    frequencies: tuple[float, ...] = ()
    """Radians per token of each pair, as float32; none: no rotation. At most half of ``head_dim``."""

    def __bool__(self) -> bool:
        return bool(self.frequencies)


@record
class PositionBiasSpec:
    """A bias of the scores by distance, or (the default) none."""

    kind: PositionBias = PositionBias.NONE
    slopes: tuple[float, ...] = ()
    """ALiBi, by head (Press et al., arXiv:2108.12409)."""
    table: int = 0
    """Buckets (Raffel et al., arXiv:1910.10683): which table of biases; layers may share one."""
    buckets: int = 0
    """Half of them are for later keys; half of each half for single distances, the rest grow in size."""
    max_distance: int = 0
    """From here on all distances are in the last bucket of their side."""
    norm: NormSpec = NormSpec()
    """Disentangled (He et al., arXiv:2006.03654): of the table's rows, each the embedding of a bucket."""
    position_keys: bool = False
    """Whether scores get the product of the query with the key made of the embedding."""
    position_queries: bool = False
    """Whether scores get the product of the query made of the embedding with the key."""
    shared: bool = False
    """Whether the layer's own projections make those; otherwise there are further ones."""


@record
class AttentionSpec:
    """Self-attention of a layer."""

    heads: int
    kv_heads: int
    """Divides ``heads``: neighbouring heads share keys and values."""
    head_dim: int
    scale: float
    """Factor of the scores, usually 1 / sqrt(head_dim)."""
    bias: bool = True
    """Whether queries, keys and values have a bias."""
    output_bias: bool = True
    query_key_norm: NormSpec = NormSpec()
    """Norm of each head's queries and keys, before they turn."""
    rotary: RotarySpec = RotarySpec()
    position_bias: PositionBiasSpec = PositionBiasSpec()
    left: int | None = None
    """Token i attends to tokens from i - left on; None: to all before it."""
    right: int | None = None
    """And up to i + right. Causal attention has ``right=0``."""


@record
class FeedForwardSpec:
    """``down(activation(up(x)))``, or gated ``down(activation(gate(x)) * up(x))``."""

    width: int
    activation: Activation
    gated: bool = False
    up_bias: bool = True
    """Of the gate, too."""
    down_bias: bool = True


@record
class LayerSpec:
    """A layer; every norm is optional.

    ``x = attn_out(x + attn_post(attention(attn_in(x))))``, then ``x = ffn_out(x + ffn_post(ffn(ffn_in(x))))``.
    """

    attention: AttentionSpec
    ffn: FeedForwardSpec
    weights: int = 0
    """Which set of weights this layer has; layers may share one."""
    attn_in: NormSpec = NormSpec()
    attn_post: NormSpec = NormSpec()
    attn_out: NormSpec = NormSpec()
    ffn_in: NormSpec = NormSpec()
    ffn_post: NormSpec = NormSpec()
    ffn_out: NormSpec = NormSpec()

    def times(self, count: int) -> tuple[LayerSpec, ...]:
        """``count`` layers like this one, each with weights of its own."""
        return tuple(replace(self, weights=i) for i in range(count))


@record
class EmbeddingSpec:
    """``projection(norm(scale * token + type + position))``, each part where there is one."""

    vocab: int
    """Rows of the token table: valid ids are ``0 .. vocab - 1``."""
    width: int
    """Width of the tables. Where it is not that of the hidden states, a projection follows the norm."""
    scale: float = 1.0
    """Factor of the token's row."""
    token_types: int = 0
    """Rows of the table of token types; 0 when there is none."""
    positions: bool = False
    """Whether there is a table of positions."""
    position_offset: int = 0
    """Its rows before that of the first token."""
    padding_id: int = -1
    """A token with this id has the row of this number, and is not counted; -1 when there is none."""
    norm: NormSpec = NormSpec()
    projection_bias: bool = False


@record
class EncoderSpec:
    """A transformer encoder.

    Raises ``TypeError`` for a field that is not of its type and ``ValueError`` for one that is out of range or
    contradicts another, naming the field, what it must be and what it is.
    """

    hidden: int
    """Width of a hidden state."""
    max_positions: int
    """Longest sequence, in tokens."""
    embedding: EmbeddingSpec
    layers: tuple[LayerSpec, ...] = field(default=())
    """None: a static embedding."""
    final_norm: NormSpec = NormSpec()

    def __post_init__(self) -> None:
        native(self)

    @property
    def heads(self) -> int:
        """Most attention heads of a layer; 0 without layers."""
        return max((layer.attention.heads for layer in self.layers), default=0)


def native(record: Any) -> Any:
    """The record of the compiled core that has the same fields."""
    made = getattr(_core, type(record).__name__)
    return made(**{name: _plain(value) for name, value in vars(record).items()})


def _plain(value: Any) -> Any:
    if hasattr(value, "__dataclass_fields__"):
        return native(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value.value if isinstance(value, Enum) else value
