"""Numbers, flags, thread counts and devices among the arguments of public functions.

``name`` is what a message begins with: the operation and the argument, as in ``"encode: batch_size"``.
"""

from __future__ import annotations

import math
from collections.abc import Container
from operator import index
from typing import TypeGuard

import numpy as np

from ._core import MOST_THREADS
from .shown import shown

__all__ = [
    "MOST_THREADS",
    "check_device",
    "flag",
    "is_one_of",
    "number",
    "positive",
    "switch",
    "thread_count",
    "whole",
]

_BOOL = (bool, np.bool_)
_NUMBER = (int, float, np.integer, np.floating)
_LARGEST_FLOAT32 = float(np.finfo(np.float32).max)


def whole(value: object, name: str, *, least: int | None = None, most: int | None = None) -> int:
    """Any integer type as an int from ``least`` to ``most``. ``TypeError`` for other types, bool among them."""
    try:
        if isinstance(value, _BOOL):
            raise TypeError
        result = index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{name} must be an int, got {type(value).__name__}") from None
    if least is not None and result < least:
        raise ValueError(f"{name} must be at least {least}, got {shown(result)}")
    if most is not None and result > most:
        raise ValueError(f"{name} must be at most {most}, got {shown(result)}")
    return result


def positive(value: object, name: str, *, most: int | None = None) -> int:
    """As `whole`, at least 1."""
    return whole(value, name, least=1, most=most)


def thread_count(value: object, default: int, operation: str) -> int:
    """A ``num_threads`` argument: None is the default, 0 in the core's own terms."""
    return default if value is None else positive(value, f"{operation}: num_threads", most=MOST_THREADS)


def number(value: object, name: str, *, least: float = -math.inf) -> float:
    """Any real number as a float that float32 can hold and that is not below ``least``."""
    if isinstance(value, _BOOL) or not isinstance(value, _NUMBER):
        raise TypeError(f"{name} must be a number, got {type(value).__name__}")
    try:
        result = float(value)
    except OverflowError:
        result = math.inf
    if not abs(result) <= _LARGEST_FLOAT32 or result < least:
        bound = "" if least == -math.inf else f" of at least {least:g}"
        raise ValueError(f"{name} must be a finite float32 number{bound}, got {result}")
    return result


def flag(value: object, name: str) -> bool:
    """True or False. ``TypeError`` for what only counts as one of them: it may be a misplaced argument."""
    if isinstance(value, _BOOL):
        return bool(value)
    raise TypeError(f"{name} must be True or False, got {type(value).__name__}")


def switch(value: object, name: str) -> bool | None:
    """True, False or None. ``TypeError`` for what only counts as one of them, such as "no"."""
    if value is None or isinstance(value, _BOOL):
        return None if value is None else bool(value)
    raise TypeError(f"{name} must be True, False or None, got {type(value).__name__}")


def is_one_of(value: object, names: Container[str]) -> TypeGuard[str]:
    """Whether it is one of these names. Arrays, which can't be compared, and lists, which have no hash, are not."""
    return isinstance(value, str) and value in names


def check_device(device: object, operation: str) -> None:
    """None or the CPU, by name or as torch's object, or several of them. ``ValueError`` for any other device."""
    if isinstance(device, (list, tuple)):
        for one in device:
            check_device(one, operation)
    elif device is not None and str(device).partition(":")[0] != "cpu":
        raise ValueError(f"{operation}: device must be 'cpu', got {device!s:.60}")
