"""The kernels as functions of arrays.

Arguments may be NumPy arrays, objects with the buffer protocol or ``__array_interface__``, or DLPack arrays
in CPU memory (torch, JAX). Layouts are taken as they are where the kernel can walk them and copied otherwise.
float32 is computed on directly; float16 and foreign byte order are converted; every other dtype is refused.
Results are new float32 NumPy arrays in C order, or the array given as ``out``.

:mod:`polysemy.reference` has the same functions in plain NumPy.
"""

from __future__ import annotations

from polysemy.ops.activations import gelu, quick_gelu, relu, silu, softmax, tanh
from polysemy.ops.attention import scaled_dot_product_attention
from polysemy.ops.embeddings import embedding, rotary
from polysemy.ops.norms import l2_normalize, layer_norm, rms_norm
from polysemy.ops.packed import PackedWeight
from polysemy.ops.pooling import cls_pool, max_pool, mean_pool
from polysemy.ops.products import linear, matmul
from polysemy.ops.search import topk

__all__ = [
    "PackedWeight",
    "cls_pool",
    "embedding",
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
