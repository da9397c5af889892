"""`EncoderSpec`: an encoder as data.

The graph is the same for every family; a spec says how large its parts are and which variant of each
part is meant. The C++ core and the NumPy reference read the same fields.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import IntEnum

__all__ = ["Activation", "EncoderSpec", "Pooling"]


class Activation(IntEnum):
    """Elementwise functions of a linear layer. The numbers are those of the compiled core."""

    NONE = 0
    GELU_ERF = 1  #: x * Phi(x), with the error function
    GELU_TANH = 2  #: x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3)))
    RELU = 3
    SILU = 4  #: x * sigmoid(x)
    TANH = 5
    QUICK_GELU = 6  #: x * sigmoid(1.702 x)


class Pooling(IntEnum):
    """How the tokens of a text become one vector. The numbers are those of the compiled core."""

    MEAN = 0
    CLS = 1  #: the first token
    MAX = 2  #: the largest value of each feature
    MEAN_SQRT_LEN = 3  #: the sum over tokens divided by the square root of their number
    WEIGHTED_MEAN = 4  #: token i (from 1) weighs i
    LAST_TOKEN = 5


# Upper limits keep a hostile configuration from costing time or overflowing a product of sizes. They are
# far above any encoder that fits a machine (2^16 * 2^20 floats in one matrix are 256 GiB), and none is above
# what the compiled core takes.
_LIMITS = {
    "hidden": 1 << 16,
    "layers": 1 << 12,
    "heads": 1 << 12,
    "head_dim": 1 << 12,
    "ffn": 1 << 20,
    "vocab": 1 << 24,
    "max_positions": 1 << 24,
    "position_offset": 1 << 16,
    "token_types": 1 << 16,
}
_MAY_BE_ZERO = {"position_offset", "token_types"}
_LEAST_EPS = (
    2.0**-126
)  # the smallest normal float32: less would be 0 in the core, and 0 / 0 for a constant row


@dataclass(frozen=True, slots=True)
class EncoderSpec:
    """Sizes and variants of a transformer encoder (post-norm, learned absolute positions).

    Raises ``TypeError`` for a field that is not of its type and ``ValueError`` for one out of range, naming
    the field, what was expected and what came.
    """

    hidden: int
    """Width of a hidden state."""
    layers: int
    """Number of layers."""
    heads: int
    """Attention heads per layer."""
    head_dim: int
    """Width of one head; ``heads * head_dim == hidden``."""
    ffn: int
    """Inner width of the feed-forward network."""
    vocab: int
    """Rows of the token table: valid ids are ``0 .. vocab - 1``."""
    max_positions: int
    """Longest sequence, in tokens."""
    position_offset: int = 0
    """Rows of the position table that come before the row of the first token."""
    token_types: int = 2
    """Rows of the token type table; 0 when there is none."""
    norm_eps: float = 1e-12
    """Added to the variance in every layer norm."""
    activation: Activation = Activation.GELU_ERF
    """Function between the two linear layers of the feed-forward network."""

    def __post_init__(self) -> None:
        for name, limit in _LIMITS.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int):
                raise TypeError(f"EncoderSpec: {name} must be an int, got {type(value).__name__}")
            least = 0 if name in _MAY_BE_ZERO else 1
            if not least <= value <= limit:
                raise ValueError(f"EncoderSpec: {name} must be in {least}..{limit}, got {value}")
        if self.heads * self.head_dim != self.hidden:
            raise ValueError(
                f"EncoderSpec: heads * head_dim must equal hidden={self.hidden}, "
                f"got {self.heads} * {self.head_dim} = {self.heads * self.head_dim}"
            )
        eps = self.norm_eps
        if isinstance(eps, bool) or not isinstance(eps, (int, float)):
            raise TypeError(f"EncoderSpec: norm_eps must be a float, got {type(eps).__name__}")
        if not _LEAST_EPS <= eps < 1.0:
            raise ValueError(f"EncoderSpec: norm_eps must be at least 2^-126 and less than 1, got {eps}")
        if not isinstance(self.activation, Activation):
            raise TypeError(
                f"EncoderSpec: activation must be an Activation, got {type(self.activation).__name__}"
            )

    def plain(self) -> dict[str, object]:
        """The fields as plain numbers, the form that the compiled core takes."""
        values: dict[str, object] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            values[field.name] = int(value) if isinstance(value, IntEnum) else value
        values["norm_eps"] = float(self.norm_eps)
        return values
