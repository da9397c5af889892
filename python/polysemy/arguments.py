"""Numbers and switches among the arguments of public functions."""

from __future__ import annotations

from operator import index

__all__ = ["MOST_THREADS", "positive", "switch", "thread_count", "whole"]

MOST_THREADS = 1024
"""As in the compiled core: more is taken for a mistake."""


def whole(value: object, name: str) -> int:
    """Any integer type as an int. Raises ``TypeError`` for other types, bool among them."""
    try:
        if isinstance(value, bool):
            raise TypeError
        return index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{name} must be an int, got {type(value).__name__}") from None


def positive(value: object, name: str, *, most: int | None = None) -> int:
    """As `whole`, at least 1, and at most ``most``."""
    number = whole(value, name)
    if number < 1:
        raise ValueError(f"{name} must be at least 1, got {number}")
    if most is not None and number > most:
        raise ValueError(f"{name} must be at most {most}, got {number}")
    return number


def thread_count(value: object, default: int, method: str) -> int:
    """A ``num_threads`` argument: None is the default, 0 in the core's own terms."""
    return default if value is None else positive(value, f"{method}: num_threads", most=MOST_THREADS)


def switch(value: object, name: str) -> bool | None:
    """True, False or None. Raises ``TypeError`` for what only counts as one of them, such as "no"."""
    if value is None or isinstance(value, bool):
        return value
    raise TypeError(f"{name} must be True, False or None, got {type(value).__name__}")
