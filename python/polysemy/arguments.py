"""Whole numbers among the arguments of public functions."""

from __future__ import annotations

from operator import index

__all__ = ["positive", "thread_count", "whole"]


def whole(value: object, name: str) -> int:
    """Any integer type as an int. Raises ``TypeError`` for other types, bool among them."""
    try:
        if isinstance(value, bool):
            raise TypeError
        return index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{name} must be an int, got {type(value).__name__}") from None


def positive(value: object, name: str) -> int:
    """As `whole`, and at least 1."""
    number = whole(value, name)
    if number < 1:
        raise ValueError(f"{name} must be at least 1, got {number}")
    return number


def thread_count(value: object, default: int, method: str) -> int:
    """A ``num_threads`` argument: None is the default, 0 in the core's own terms."""
    return default if value is None else positive(value, f"{method}: num_threads")
