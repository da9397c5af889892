"""A case: one operation at one size, the answer, and the libraries that compute it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Call = Callable[[], Any]  # returns an array or a torch tensor
UNIT = float(np.finfo(np.float32).eps) / 2


@dataclass(frozen=True, slots=True)
class Prepared:
    calls: dict[str, Call]  # by library, ours first
    expected: NDArray[np.float64]
    tolerance: float  # absolute, from the length of the sums and the size of the operands


@dataclass(frozen=True, slots=True)
class Case:
    op: str
    label: str
    flops: float  # 0 where memory is the limit
    moved: float  # bytes that have to be read and written
    small: bool  # cheap enough for a run that only checks answers
    build: Callable[[int], Prepared]  # takes the number of threads

    @property
    def name(self) -> str:
        return f"{self.op} {self.label}"


def have(*modules: str) -> bool:
    return all(find_spec(module) is not None for module in modules)


def wrong(prepared: Prepared, library: str) -> str:
    """What is wrong with a library's answer; empty when it is right."""
    got = np.asarray(prepared.calls[library](), dtype=np.float64)
    if got.shape != prepared.expected.shape:
        return f"{library}: shape {got.shape}, expected {prepared.expected.shape}"
    error = float(np.abs(got - prepared.expected).max())
    if not error <= prepared.tolerance:
        return f"{library}: error {error:.3g}, allowed {prepared.tolerance:.3g}"
    return ""


def limit_threads(threads: int) -> None:
    """The same number of threads for every library in this process, for good."""
    from threadpoolctl import threadpool_limits

    if have("scipy"):
        import scipy.linalg.blas  # noqa: F401 - brings a BLAS of its own, which is limited only once it is loaded
    threadpool_limits(threads, user_api="blas")
    if have("torch"):
        import torch

        torch.set_num_threads(threads)
