"""All cases of all operations."""

from __future__ import annotations

from bench.kernels import attention, gemm, rowwise
from bench.kernels.case import Case

OPS = ("gemm", "attention", "layer_norm", "gelu", "softmax")


def all_cases() -> list[Case]:
    return gemm.cases() + attention.cases() + rowwise.cases()
