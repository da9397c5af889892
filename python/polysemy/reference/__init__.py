"""The executable specification: every operation and the whole encoder in plain NumPy.

Same names and signatures as :mod:`polysemy.ops`, in float32 or float64 (the precision of the arrays given),
one thread, no tricks. ``num_threads`` is accepted and has no effect. Use it to learn what an operation does,
or as the oracle of a test; use :mod:`polysemy.ops` for speed.
"""

from __future__ import annotations

from polysemy.reference.activations import erf, exp, gelu, quick_gelu, relu, silu, softmax, tanh
from polysemy.reference.attention import scaled_dot_product_attention
from polysemy.reference.embeddings import embedding, rotary
from polysemy.reference.encoder import TokenStates, encode_tokens
from polysemy.reference.norms import l2_normalize, layer_norm, rms_norm
from polysemy.reference.pooling import cls_pool, max_pool, mean_pool
from polysemy.reference.products import PackedWeight, linear, matmul
from polysemy.reference.search import topk

__all__ = [
    "PackedWeight",
    "TokenStates",
    "cls_pool",
    "embedding",
    "encode_tokens",
    "erf",
    "exp",
    "gelu",
    "l2_normalize",
    "layer_norm",
    "linear",
    "matmul",
    "max_pool",
    "mean_pool",
    "quick_gelu",
    "relu",
    "rms_norm",
    "rotary",
    "scaled_dot_product_attention",
    "silu",
    "softmax",
    "tanh",
    "topk",
]
