"""y = x W^T, weights (n, k) packed once where a library can: the linear layers of MiniLM and BERT-base."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from bench.kernels.case import UNIT, Array, Call, Case, Prepared, have

ROWS = (1, 2, 4, 6, 8, 12, 16, 32, 64, 128, 512, 4096)
SHAPES = (
    (1152, 384), (384, 384), (1536, 384), (384, 1536),  # MiniLM: query-key-value, output, up, down
    (2304, 768), (768, 768), (3072, 768), (768, 3072),  # BERT-base
)  # fmt: skip


def _ours(x: Array, weight: Array, threads: int) -> Call:
    from polysemy import _core

    packed, out = _core.PackedWeight(weight), np.empty((x.shape[0], weight.shape[0]), np.float32)

    def call() -> Array:
        _core.linear(x, packed, None, None, None, out, num_threads=threads)
        return out

    return call


def _numpy(x: Array, weight: Array) -> Call:
    out, transposed = np.empty((x.shape[0], weight.shape[0]), np.float32), weight.T
    return lambda: np.matmul(x, transposed, out=out)


def _scipy(x: Array, weight: Array) -> Call:
    from scipy.linalg.blas import sgemm

    # BLAS counts in columns: out^T = W x^T, all of them views without a copy.
    out = np.empty((weight.shape[0], x.shape[0]), np.float32, order="F")
    return lambda: sgemm(1.0, weight.T, x.T, trans_a=True, c=out, overwrite_c=True).T


def _torch(x: Array, weight: Array) -> dict[str, Call]:
    import torch
    from torch.nn.functional import linear

    a, b = torch.from_numpy(x), torch.from_numpy(weight)
    calls: dict[str, Call] = {"torch": lambda: linear(a, b)}
    onednn: Any = torch.backends.mkldnn
    if onednn.is_available():  # what torch.compile uses for frozen weights
        packed = torch.ops.mkldnn._reorder_linear_weight(b, x.shape[0])
        calls["torch packed"] = lambda: torch.ops.mkldnn._linear_pointwise(a, packed, None, "none", [], "")
    return calls


def _onnxruntime(x: Array, weight: Array, threads: int) -> Call:
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])], "gemm",
        [value("x", TensorProto.FLOAT, ["m", weight.shape[1]])],
        [value("y", TensorProto.FLOAT, ["m", weight.shape[0]])],
        [numpy_helper.from_array(np.ascontiguousarray(weight.T), "w")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return lambda: session.run(None, {"x": x})[0]


def _build(m: int, n: int, k: int, threads: int) -> Prepared:
    rng = np.random.default_rng(m)
    x, weight = rng.standard_normal((m, k), dtype=np.float32), rng.standard_normal((n, k), dtype=np.float32)
    calls = {"polysemy": _ours(x, weight, threads), "numpy": _numpy(x, weight)}
    if have("scipy"):
        calls["scipy"] = _scipy(x, weight)
    if have("torch"):
        calls |= _torch(x, weight)
    if have("onnxruntime", "onnx"):
        calls["onnxruntime"] = _onnxruntime(x, weight, threads)
    # |rounding| <= 8 u sum |x||w| <= 8 u |x| |w|, by Cauchy and Schwarz.
    tolerance = 8 * UNIT * float(np.linalg.norm(x, axis=1).max() * np.linalg.norm(weight, axis=1).max())
    return Prepared(calls, x.astype(np.float64) @ weight.astype(np.float64).T, tolerance)


def cases() -> list[Case]:
    return [
        Case(
            "gemm", f"m={m} n={n} k={k}", 2.0 * m * n * k, 4.0 * (m * k + n * k + m * n),
            m <= 16 and n <= 1536, partial(_build, m, n, k),
        )
        for n, k in SHAPES
        for m in ROWS
    ]  # fmt: skip
