"""What counts as text among the arguments, and how error messages show one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import TypeGuard

__all__ = ["check_text", "is_ordered", "shortened"]

# Characters of a text that an error message shows.
_SHOWN = 60


def check_text(text: object, name: str) -> str:
    """The text itself.

    Raises ``TypeError`` naming the argument when it is no str, and ``ValueError`` when it is one that stands
    for no text: it has half of a surrogate pair, which badly decoded bytes leave.
    """
    if not isinstance(text, str):
        raise TypeError(f"{name} must be a str, got {type(text).__name__}")
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise ValueError(
                f"{name} must be valid Unicode, got a lone surrogate at character {error.start}"
            ) from None
    return text


def is_ordered(items: object) -> TypeGuard[Iterable[object]]:
    """Whether these are items in an order that means something; bytes are none."""
    if isinstance(items, (bytes, bytearray, Mapping, Set)):
        return False
    return isinstance(items, Iterable) and getattr(items, "shape", None) != ()  # an array of no dimensions


def shortened(text: str) -> str:
    """The text in quotes, or its beginning."""
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "...")
