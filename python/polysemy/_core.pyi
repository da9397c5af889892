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
    projections: dict[int, NDArray[np.float32]]
    pooled: NDArray[np.float32] | None

def built_isas() -> list[str]:
    """Instruction sets in this build, weakest first."""

def isas() -> list[str]:
    """Those that this CPU can run, weakest first."""

def fused_isas() -> list[str]:
    """Those of ``isas()`` with fused multiply-adds: bit-identical to each other."""

def default_isa() -> str:
    """The one in use: the environment variable POLYSEMY_ISA, else the best one for this CPU.

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

MOST_THREADS: int
"""The largest number of threads that is taken for no mistake."""

_C_API: object
"""A capsule with the C functions of ``polysemy.h``, for ``polysemy.cython_ops``."""

def startable_threads(wanted: int) -> int:
    """How many of so many threads can exist beside those of now: they are made, and ended again."""

PRECISIONS: tuple[str, ...]
"""Of matrix products."""

def products(isa: str | None = None) -> dict[str, tuple[str, bool]]:
    """By precision: the instruction that multiplies, and whether it is one made for that precision."""

def measure_fma_peak(num_threads: int = 0, isa: str | None = None) -> float:
    """Multiply-adds from registers alone, in GFLOP/s of all threads. Takes some tens of milliseconds."""

def measure_read_bandwidth(bytes: int, num_threads: int = 0) -> float:
    """Rate of reading ``bytes`` (4096 to 2**34) per thread over and over, in GB/s of all threads."""

def repeated_key(json: bytes) -> bytes | None:
    """A key that an object of a JSON text has twice, in UTF-8, escapes resolved; None where there is none.

    None also for a text that is no JSON, or nested deeper than 128 levels.
    """

ACTIVATIONS: tuple[str, ...]
"""The names of the elementwise functions: none (the identity), gelu, gelu_tanh, relu, silu, tanh, quick_gelu, exp,
erf, sigmoid."""

POOLINGS: tuple[str, ...]
"""The names of the ways from the rows of a sequence to one vector: mean, cls, max, mean_sqrt_len, weightedmean,
lasttoken."""

class PackedWeight:
    """A weight (n, k) in the order in which the kernels read it, in one of ``PRECISIONS``: a copy.

    Its pickle has n, k, the precision, and the number of the layout with the packed bytes.
    """

    def __init__(self, weight: NDArray[np.float32], precision: str = "float32") -> None: ...
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
    activation: str | None,
    out: NDArray[np.float32],
    num_threads: int = 0,
    *,
    isa: str | None = None,
) -> None:
    """out = activation(x @ weight.T + bias) + residual.

    x (..., k), weight (n, k), bias (n,), residual and out (..., n), all float32.
    activation: one of ``ACTIVATIONS``, or None.
    """

def matmul(
    a: NDArray[np.float32],
    b: NDArray[np.float32],
    out: NDArray[np.float32],
    num_threads: int = 0,
    *,
    isa: str | None = None,
) -> None:
    """out = a @ b for float32 a (..., m, k), b (..., k, n) and out (..., m, n).

    a and b may have any strides, and leading axes that broadcast to those of out.
    """

def attention(
    query: NDArray[np.float32],
    key: NDArray[np.float32],
    value: NDArray[np.float32],
    out: NDArray[np.float32],
    scale: float,
    q_offsets: NDArray[np.int64] | None = None,
    k_offsets: NDArray[np.int64] | None = None,
    causal: bool = False,
    window: Sequence[int] | None = None,
    alibi_slopes: NDArray[np.float32] | None = None,
    mask: NDArray[np.uint8] | NDArray[np.float32] | None = None,
    weights: NDArray[np.float32] | None = None,
    lse: NDArray[np.float32] | None = None,
    num_threads: int = 0,
    *,
    isa: str | None = None,
) -> None:
    """out = softmax(scale * query key^T + modifiers) value; a query without keys gives zeros.

    Dense: query (..., heads or 1, length, dim), key and value (..., kv_heads or 1, keys, dim or value_dim),
    out (..., heads, length, value_dim), of which heads may be missing; axes before these broadcast to those of out.
    mask broadcasts to (..., heads, length, keys); outputs weights (..., heads, length, keys), lse (..., heads, length).

    Ragged, with q_offsets int64 (n + 1,): query (tokens, heads or 1, dim), key and value (kv_tokens, kv_heads or 1, dim
    or value_dim), out (tokens, heads, value_dim). Sequence i is rows q_offsets[i] to q_offsets[i + 1] of query, and of
    key and value by k_offsets, which None makes equal to q_offsets. mask broadcasts to (n, heads, longest length,
    longest keys); weights is flat, (heads, length, keys) of one sequence after the other; lse (tokens, heads).

    query, key, value and mask may have any strides, but the elements of the last axis follow each other in the first
    three. heads is a multiple of kv_heads; query head h reads key head h // (heads // kv_heads).
    causal: key j takes part for query i when j <= i. window (l, r): when i - l <= j <= i + r; -1 = no limit.
    alibi_slopes (heads,): score -= slope * abs(i - j). mask: uint8 (nonzero takes part) or float32 (added).
    """

def layer_norm(
    x: NDArray[np.float32],
    weight: NDArray[np.float32] | None,
    bias: NDArray[np.float32] | None,
    residual: NDArray[np.float32] | None,
    eps: float,
    out: NDArray[np.float32],
    rms: bool = False,
    num_threads: int = 0,
    *,
    isa: str | None = None,
) -> None:
    """out = (x + residual - mean) / sqrt(variance + eps) * weight + bias, by rows.

    x, residual and out (..., n), weight and bias (n,), all float32. rms: no mean, the mean square as variance.
    out may be x or residual.
    """

def activation(
    x: NDArray[np.float32],
    kind: str,
    out: NDArray[np.float32],
    num_threads: int = 0,
    *,
    isa: str | None = None,
) -> None:
    """out = f(x), float32 of any shape. kind: one of ``ACTIVATIONS``. out may be x."""

def softmax(
    x: NDArray[np.float32], out: NDArray[np.float32], num_threads: int = 0, *, isa: str | None = None
) -> None:
    """out = exp(x - max) / sum by rows of float32 (..., n); a row of -inf gives zeros. out may be x."""

def l2_normalize(
    x: NDArray[np.float32], out: NDArray[np.float32], num_threads: int = 0, *, isa: str | None = None
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
    num_threads: int = 0,
    *,
    isa: str | None = None,
) -> None:
    """out = layer_norm(token_table[ids] + type_table[types] + position_table[positions]).

    ids, positions, types int32 (t,); tables float32 (rows, h); norm_weight, norm_bias (h,); out (t, h).
    types None with a type_table: all zero. norm_weight None: no norm. Ids are checked against their table.
    """

def pool(
    x: NDArray[np.float32],
    offsets: NDArray[np.int64],
    mode: str,
    out: NDArray[np.float32],
    num_threads: int = 0,
    *,
    isa: str | None = None,
) -> None:
    """Row i of out (n, h) from rows offsets[i] to offsets[i + 1] of x (t, h); offsets int64 (n + 1,).

    mode: one of ``POOLINGS``: mean, first row, maximum, sum / sqrt(count), mean weighted 1, 2, 3..., last row.
    No rows give zeros.
    """

def keep_largest(
    products: NDArray[np.float32],
    first: int,
    best: NDArray[np.float32],
    places: NDArray[np.int64],
    num_threads: int = 0,
) -> None:
    """Take products (rows, n), of rows from number ``first`` on, into the best so far of each of n queries.

    best (n, k) has the largest first, places (n, k) their rows, -1 where there was none so far. Of equal ones the
    earlier row comes first, NaN after all numbers.
    """

def rotary(
    x: NDArray[np.float32],
    cosine: NDArray[np.float32],
    sine: NDArray[np.float32],
    out: NDArray[np.float32],
    num_threads: int = 0,
    *,
    isa: str | None = None,
) -> None:
    """Turns the pairs (d, d + dim / 2) of x (t, heads, dim) by the angles of cosine, sine (t, dim / 2)."""

class NormSpec:
    """The records of `polysemy.model.spec`, with the same fields, as keyword arguments.

    Names of enums are str, limits that there are not are None (and read as 2**40). A missing or unknown field and a
    value of the wrong type raise ``TypeError``; ``EncoderSpec`` is checked as a whole and raises ``ValueError``.
    """

    def __init__(self, **fields: Any) -> None: ...
    def fields(self) -> dict[str, Any]:
        """Name -> value."""

class RotarySpec:
    def __init__(self, **fields: Any) -> None: ...
    def fields(self) -> dict[str, Any]:
        """Name -> value."""

class PositionBiasSpec:
    def __init__(self, **fields: Any) -> None: ...
    def fields(self) -> dict[str, Any]:
        """Name -> value."""

class AttentionSpec:
    def __init__(self, **fields: Any) -> None: ...
    def fields(self) -> dict[str, Any]:
        """Name -> value."""

class FeedForwardSpec:
    def __init__(self, **fields: Any) -> None: ...
    def fields(self) -> dict[str, Any]:
        """Name -> value."""

class LayerSpec:
    def __init__(self, **fields: Any) -> None: ...
    def fields(self) -> dict[str, Any]:
        """Name -> value."""

class EmbeddingSpec:
    def __init__(self, **fields: Any) -> None: ...
    def fields(self) -> dict[str, Any]:
        """Name -> value."""

class EncoderSpec:
    def __init__(self, **fields: Any) -> None: ...
    def fields(self) -> dict[str, Any]:
        """Name -> value."""

def parameters(spec: EncoderSpec) -> list[tuple[str, tuple[int, ...]]]:
    """Name and shape of every parameter, in the order of their use."""

class Packing:
    """The weights of an encoder while they come in."""

    def __init__(self, spec: EncoderSpec, precision: str) -> None: ...
    @property
    def tables(self) -> list[str]:
        """Names of the parameters that are not packed."""

    def put(self, name: str, first: int, rows: NDArray[Any]) -> None:
        """Pack the next rows of a parameter that is no table, without the interpreter lock; one thread at a time.

        first: the number that came before, a multiple of 16. rows: (n, columns), or (n,) of a vector: float32, float16,
        or the bits of bfloat16 as uint16. n is a multiple of 16, too, unless these are the last ones.
        """

    def finish(self, tables: dict[str, NDArray[Any]]) -> Encoder:
        """The encoder, once all rows have come; tables are kept by reference. Nothing may follow."""

class Encoder:
    """An encoder with its packed weights; immutable, shared by any number of threads."""

    def __init__(
        self,
        spec: EncoderSpec,
        weights: dict[str, NDArray[Any]],
        precision: str = "float32",
        packed: tuple[int, NDArray[np.uint8]] | None = None,
    ) -> None:
        """weights: name -> array of each of ``parameters(spec)``: float32, float16, or the bits of bfloat16 as uint16.

        Tables (of tokens, positions, types) are kept by reference, all else is packed, without the interpreter lock.
        precision: of the matrix products, one of ``PRECISIONS``. packed: that of an encoder of this spec and precision;
        weights are only the tables then.
        """

    @property
    def tables(self) -> dict[str, NDArray[Any]]:
        """The tables as they were given, by name."""

    @property
    def packed(self) -> tuple[int, NDArray[np.uint8]]:
        """All other weights: the number of their layout, and a view of their memory."""

    @property
    def weight_bytes(self) -> int:
        """Memory of the packed weights, in bytes."""

    def forward(
        self,
        ids: NDArray[np.int32],
        offsets: NDArray[np.int64],
        types: NDArray[np.int32] | None = None,
        *,
        seen: NDArray[np.int64] | None = None,
        layers: Sequence[int] = [],
        attentions: Sequence[int] = [],
        projections: Sequence[int] = [],
        pooling: str | None = None,
        normalize: bool = False,
        schedule: str = "auto",
        num_threads: int = 0,
        isa: str | None = None,
    ) -> _ForwardResult:
        """One pass over a ragged batch: ids, types int32 (t,), sequence i from offsets[i] to offsets[i + 1].

        seen: int64 (sequences,), of each sequence the tokens that are looked at: the later ones only look. None: all.
        layers: wanted hidden states, 0 = embedding output. attentions, projections: wanted layers, from 1.
        pooling: a mode of ``pool``, None for none. schedule: "auto", "throughput" or "latency".

        Returns hidden: layer -> float32 (t, hidden); attentions: layer -> float32, flat, (heads, n, n) of one
        sequence of n tokens after the other; projections: layer -> float32 (t, (heads + 2 kv_heads) * head_dim),
        queries, keys and values as attention reads them; pooled: float32 (sequences, hidden), None without pooling.
        """
