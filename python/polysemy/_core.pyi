"""The compiled core: strict functions on exact arrays.

Every array must be aligned and of native byte order, with exactly the dtype and shape named here, and C-contiguous
where nothing else is said; nothing is converted or copied. A wrong type or dtype raises ``TypeError``, a wrong shape,
layout or value ``ValueError``; both name the operation and the argument. Nothing may overlap ``out`` unless it says
so.

``num_threads``: 0 = ``get_num_threads()``. ``isa``: one of ``isas()``, None = ``default_isa()``.
Results don't depend on ``num_threads``, nor on ``isa`` among ``fused_isas()``. The interpreter lock is released.

`polysemy.ops` and `polysemy.Encoder` are the friendly side of this module.
"""

from collections.abc import Sequence
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

__version__: str

class _CpuInfo(TypedDict):
    model: str
    features: list[str]
    l1d: int
    l2: int
    l3: int

class _BuildInfo(TypedDict):
    version: str
    compiler: str
    build_type: str
    openmp: str

class _ForwardResult(TypedDict):
    hidden: dict[int, NDArray[np.float32]]
    attentions: dict[int, NDArray[np.float32]]
    pooled: NDArray[np.float32] | None

def built_isas() -> list[str]:
    """Instruction-set levels in this build, weakest first."""

def isas() -> list[str]:
    """Levels that this CPU can run, weakest first."""

def fused_isas() -> list[str]:
    """Those of ``isas()`` with fused multiply-adds: bit-identical to each other."""

def default_isa() -> str:
    """Level in use: the environment variable POLYSEMY_ISA, else the strongest usable one.

    Raises ``ValueError`` that names the possible values when POLYSEMY_ISA is none of them.
    """

def cpu_info() -> _CpuInfo:
    """Name, usable features, and cache sizes in bytes (0 = unknown)."""

def build_info() -> _BuildInfo:
    """Version, compiler, CMake build type and OpenMP runtime of this build."""

def default_num_threads() -> int:
    """Least of CPU affinity, cgroup quota and physical cores, or OMP_NUM_THREADS."""

def num_threads_reason() -> str:
    """What decided ``get_num_threads()``."""

def set_num_threads(n: int) -> int:
    """Set the number of threads of this process's calls, 1 to 1024; 0 goes back to the default.

    Returns the setting before, 0 where there was none.
    """

def get_num_threads() -> int:
    """Threads of a call that does not say: what was set, otherwise ``default_num_threads()`` or OpenMP's limit."""

_C_API: object
"""A capsule with the C functions of ``polysemy.h``, for ``polysemy.cython_ops``."""

def startable_threads(wanted: int) -> int:
    """How many of so many threads can exist beside those of now: they are made, and ended again."""

def measure_fma_peak(num_threads: int = 0, isa: str | None = None) -> float:
    """Multiply-adds from registers alone, in GFLOP/s of all threads. Takes some tens of milliseconds."""

def measure_read_bandwidth(bytes: int, num_threads: int = 0) -> float:
    """Rate of reading ``bytes`` (4096 to 2**34) per thread over and over, in GB/s of all threads."""

class PackedWeight:
    """A float32 weight (n, k) in the order in which the kernels read it: a copy."""

    def __init__(self, weight: NDArray[np.float32]) -> None: ...
    @property
    def shape(self) -> tuple[int, int]:
        """(n, k) as given."""

    @property
    def nbytes(self) -> int:
        """Size of the packed copy in bytes."""

def linear(
    x: NDArray[np.float32],
    weight: PackedWeight,
    bias: NDArray[np.float32] | None,
    residual: NDArray[np.float32] | None,
    activation: int,
    out: NDArray[np.float32],
    *,
    num_threads: int = 0,
    isa: str | None = None,
) -> None:
    """out = activation(x @ weight.T + bias) + residual.

    x (..., k), weight (n, k), bias (n,), residual and out (..., n), all float32.
    activation: 0 none, 1 GELU (erf), 2 GELU (tanh), 3 ReLU, 4 SiLU, 5 tanh, 6 quick GELU.
    """

def matmul(
    a: NDArray[np.float32],
    b: NDArray[np.float32],
    out: NDArray[np.float32],
    *,
    num_threads: int = 0,
    isa: str | None = None,
) -> None:
    """out = a @ b for float32 a (..., m, k), b (..., k, n) and out (..., m, n).

    a and b may have any strides, and leading axes that broadcast to those of out.
    """

def attention(
    q: NDArray[np.float32],
    k: NDArray[np.float32],
    v: NDArray[np.float32],
    out: NDArray[np.float32],
    *,
    q_offsets: NDArray[np.int64],
    k_offsets: NDArray[np.int64],
    v_offsets: NDArray[np.int64],
    out_offsets: NDArray[np.int64],
    q_lens: NDArray[np.int64],
    k_lens: NDArray[np.int64],
    heads: int,
    kv_heads: int,
    dim: int,
    v_dim: int,
    q_strides: Sequence[int],
    k_strides: Sequence[int],
    v_strides: Sequence[int],
    out_strides: Sequence[int],
    scale: float,
    causal: bool = False,
    window: Sequence[int] | None = None,
    alibi_slopes: NDArray[np.float32] | None = None,
    mask: NDArray[np.uint8] | NDArray[np.float32] | None = None,
    mask_offsets: NDArray[np.int64] | None = None,
    mask_strides: Sequence[int] = (0, 0, 0),
    weights: NDArray[np.float32] | None = None,
    weights_offsets: NDArray[np.int64] | None = None,
    lse: NDArray[np.float32] | None = None,
    lse_offsets: NDArray[np.int64] | None = None,
    num_threads: int = 0,
    isa: str | None = None,
) -> None:
    """out = softmax(scale * q k^T + modifiers) v, per problem and head; fully masked rows give zeros.

    q, k, v, out, mask, weights and lse are flat (1-D) buffers; P problems lie in them as the int64 arrays (P,) and
    the strides say, in elements: head h, row r of problem p starts at offsets[p] + h * strides[0] + r * strides[1],
    and its dim (v_dim) values follow each other. Strides of inputs may be 0.

    heads is a multiple of kv_heads; query head h reads key head h // (heads // kv_heads).
    causal: key j takes part for query i when j <= i. window (l, r): when i - l <= j <= i + r; -1 = no limit.
    alibi_slopes (heads,): score -= slope * abs(i - j).
    mask: uint8 (nonzero takes part) or float32 (added), element (h, i, j) at mask_strides from mask_offsets[p].
    weights: the probabilities, (heads, q_len, k_len) dense from weights_offsets[p].
    lse: log of the sum of exponentials, (heads, q_len) dense from lse_offsets[p].
    """

def attention_dense(
    q: NDArray[np.float32],
    k: NDArray[np.float32],
    v: NDArray[np.float32],
    out: NDArray[np.float32],
    kv_heads: int,
    scale: float,
    *,
    causal: bool = False,
    window: Sequence[int] | None = None,
    alibi_slopes: NDArray[np.float32] | None = None,
    mask: NDArray[np.uint8] | NDArray[np.float32] | None = None,
    weights: NDArray[np.float32] | None = None,
    lse: NDArray[np.float32] | None = None,
    num_threads: int = 0,
    isa: str | None = None,
) -> None:
    """``attention`` for problems of one shape: out (..., heads, length, v_dim), of which heads may be missing.

    q (..., heads or 1, length, dim), k and v (..., kv_heads or 1, keys, dim or v_dim): axes before these broadcast to
    those of out. Any strides, but the elements of the last axis follow each other. mask broadcasts to
    (..., heads, length, keys) and may have any strides. weights (..., heads, length, keys) and lse
    (..., heads, length) are outputs.
    """

def layer_norm(
    x: NDArray[np.float32],
    weight: NDArray[np.float32] | None,
    bias: NDArray[np.float32] | None,
    residual: NDArray[np.float32] | None,
    eps: float,
    out: NDArray[np.float32],
    *,
    rms: bool = False,
    num_threads: int = 0,
    isa: str | None = None,
) -> None:
    """out = (x + residual - mean) / sqrt(variance + eps) * weight + bias, by rows.

    x, residual and out (..., n), weight and bias (n,), all float32. rms: no mean, the mean square as variance.
    out may be x or residual.
    """

def activation(
    x: NDArray[np.float32],
    kind: int,
    out: NDArray[np.float32],
    *,
    num_threads: int = 0,
    isa: str | None = None,
) -> None:
    """out = f(x), float32 of any shape. kind: 0 to 6 as in ``linear``, 16 exp, 17 erf, 18 sigmoid. out may be x."""

def softmax(
    x: NDArray[np.float32], out: NDArray[np.float32], *, num_threads: int = 0, isa: str | None = None
) -> None:
    """out = exp(x - max) / sum by rows of float32 (..., n); a row of -inf gives zeros. out may be x."""

def l2_normalize(
    x: NDArray[np.float32], out: NDArray[np.float32], *, num_threads: int = 0, isa: str | None = None
) -> None:
    """out = x / sqrt(sum of squares) by rows of float32 (..., n); a row of zeros stays. out may be x."""

def embed(
    ids: NDArray[np.int32],
    positions: NDArray[np.int32] | None,
    types: NDArray[np.int32] | None,
    token_table: NDArray[np.float32],
    position_table: NDArray[np.float32] | None,
    type_table: NDArray[np.float32] | None,
    norm_weight: NDArray[np.float32] | None,
    norm_bias: NDArray[np.float32] | None,
    eps: float,
    out: NDArray[np.float32],
    *,
    num_threads: int = 0,
    isa: str | None = None,
) -> None:
    """out = layer_norm(token_table[ids] + type_table[types] + position_table[positions]).

    ids, positions, types int32 (t,); tables float32 (rows, h); norm_weight, norm_bias (h,); out (t, h).
    types None with a type_table: all zero. norm_weight None: no norm. Ids are checked against their table.
    """

def pool(
    x: NDArray[np.float32],
    offsets: NDArray[np.int64],
    mode: int,
    out: NDArray[np.float32],
    *,
    num_threads: int = 0,
    isa: str | None = None,
) -> None:
    """Row i of out (n, h) from rows offsets[i] to offsets[i + 1] of x (t, h); offsets int64 (n + 1,).

    mode: 0 mean, 1 first row, 2 maximum, 3 sum / sqrt(count), 4 mean weighted 1, 2, 3..., 5 last row.
    No rows give zeros.
    """

def rotary(
    x: NDArray[np.float32],
    cosine: NDArray[np.float32],
    sine: NDArray[np.float32],
    out: NDArray[np.float32],
    *,
    num_threads: int = 0,
    isa: str | None = None,
) -> None:
    """Turns the pairs (d, d + dim / 2) of x (t, heads, dim) by the angles of cosine, sine (t, dim / 2)."""

class NormSpec:
    """The records of `polysemy.model.spec`, with the same fields, as keyword arguments and read-only attributes.

    Names of enums are str, limits that there are not are None (and read as 2**40). A missing or unknown field and a
    value of the wrong type raise ``TypeError``; ``EncoderSpec`` is checked as a whole and raises ``ValueError``.
    """

    def __init__(self, **fields: Any) -> None: ...
    @property
    def kind(self) -> str: ...
    @property
    def eps(self) -> float: ...
    @property
    def bias(self) -> bool: ...

class RotarySpec:
    def __init__(self, **fields: Any) -> None: ...
    @property
    def frequencies(self) -> list[float]: ...

class PositionBiasSpec:
    def __init__(self, **fields: Any) -> None: ...
    @property
    def kind(self) -> str: ...
    @property
    def slopes(self) -> list[float]: ...
    @property
    def table(self) -> int: ...
    @property
    def buckets(self) -> int: ...
    @property
    def max_distance(self) -> int: ...

class AttentionSpec:
    def __init__(self, **fields: Any) -> None: ...
    @property
    def heads(self) -> int: ...
    @property
    def kv_heads(self) -> int: ...
    @property
    def head_dim(self) -> int: ...
    @property
    def scale(self) -> float: ...
    @property
    def bias(self) -> bool: ...
    @property
    def output_bias(self) -> bool: ...
    @property
    def query_key_norm(self) -> NormSpec: ...
    @property
    def rotary(self) -> RotarySpec: ...
    @property
    def position_bias(self) -> PositionBiasSpec: ...
    @property
    def left(self) -> int: ...
    @property
    def right(self) -> int: ...

class FeedForwardSpec:
    def __init__(self, **fields: Any) -> None: ...
    @property
    def width(self) -> int: ...
    @property
    def activation(self) -> str: ...
    @property
    def gated(self) -> bool: ...
    @property
    def up_bias(self) -> bool: ...
    @property
    def down_bias(self) -> bool: ...

class LayerSpec:
    def __init__(self, **fields: Any) -> None: ...
    @property
    def weights(self) -> int: ...
    @property
    def attention(self) -> AttentionSpec: ...
    @property
    def ffn(self) -> FeedForwardSpec: ...
    @property
    def attn_in(self) -> NormSpec: ...
    @property
    def attn_post(self) -> NormSpec: ...
    @property
    def attn_out(self) -> NormSpec: ...
    @property
    def ffn_in(self) -> NormSpec: ...
    @property
    def ffn_post(self) -> NormSpec: ...
    @property
    def ffn_out(self) -> NormSpec: ...

class EmbeddingSpec:
    def __init__(self, **fields: Any) -> None: ...
    @property
    def vocab(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def scale(self) -> float: ...
    @property
    def token_types(self) -> int: ...
    @property
    def positions(self) -> bool: ...
    @property
    def position_offset(self) -> int: ...
    @property
    def padding_id(self) -> int: ...
    @property
    def norm(self) -> NormSpec: ...
    @property
    def projection_bias(self) -> bool: ...

class EncoderSpec:
    def __init__(self, **fields: Any) -> None: ...
    @property
    def hidden(self) -> int: ...
    @property
    def max_positions(self) -> int: ...
    @property
    def embedding(self) -> EmbeddingSpec: ...
    @property
    def layers(self) -> list[LayerSpec]: ...
    @property
    def final_norm(self) -> NormSpec: ...

def parameters(spec: EncoderSpec) -> list[tuple[str, tuple[int, ...]]]:
    """Name and shape of every parameter, in the order of their use."""

class Encoder:
    """An encoder with its packed weights; immutable, shared by any number of threads."""

    def __init__(
        self,
        spec: EncoderSpec,
        weights: dict[str, NDArray[Any]],
        mapped: Sequence[str] = [],
    ) -> None:
        """weights: name -> array of each of ``parameters(spec)``: float32, float16, or the bits of bfloat16 as uint16.

        Tables (of tokens, positions, types) are kept by reference, all else is packed, without the interpreter lock.
        mapped: names of those that are views of a file mapped for reading: once packed, their pages leave the memory
        of the process.
        """

    def forward(
        self,
        ids: NDArray[np.int32],
        offsets: NDArray[np.int64],
        types: NDArray[np.int32] | None = None,
        *,
        layers: Sequence[int] = [],
        attentions: Sequence[int] = [],
        pooling: str | None = None,
        normalize: bool = False,
        schedule: str = "auto",
        num_threads: int = 0,
        isa: str | None = None,
    ) -> _ForwardResult:
        """One pass over a ragged batch: ids, types int32 (t,), sequence i from offsets[i] to offsets[i + 1].

        layers: wanted hidden states, 0 = embedding output. attentions: wanted layers, from 1.
        pooling: "mean", "cls", "max", "mean_sqrt_len", "weightedmean" or "lasttoken", None = none.
        schedule: "auto", "throughput" or "latency".

        Returns hidden: layer -> float32 (t, hidden); attentions: layer -> float32, flat, (heads, n, n) of one
        sequence of n tokens after the other; pooled: float32 (sequences, hidden), None without pooling.
        """
