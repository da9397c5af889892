"""What counts as text among the arguments, and how error messages show one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MappingView, Set, Sized
from typing import TypeAlias, TypeGuard

__all__ = [
    "Text",
    "check_text",
    "check_text_or_pair",
    "check_texts",
    "count_dimensions",
    "is_ordered",
    "is_textual",
    "members",
    "shortened",
]

Text: TypeAlias = str | tuple[str, str]
"""A text, or a pair of texts that a model reads together."""

# Characters of a text that an error message shows.
_SHOWN = 60
# Rows of a column that are converted at a time.
_COLUMN_ROWS = 2048


def check_text(text: object, name: str) -> str:
    """The text itself.

    Raises ``TypeError`` naming the argument when it is no str, and ``ValueError`` for a str that stands for no
    text: one with half of a surrogate pair, which badly decoded bytes leave.
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


def check_text_or_pair(item: object, name: str) -> Text:
    """A member of a list of texts: a str, or a tuple of two. Raises as `check_text`."""
    if not isinstance(item, tuple):
        return check_text(item, name)
    if len(item) != 2:
        raise TypeError(f"{name} must be a str or a tuple of two, got a tuple of {len(item)}")
    return check_text(item[0], f"{name}[0]"), check_text(item[1], f"{name}[1]")


def check_texts(items: object, name: str, *, wanted: str = "a list of str") -> list[str]:
    """The texts of a list or a column. Raises as `check_text`, with the place of the member that is none.

    ``wanted`` is what the argument may be, where that is more.
    """
    if isinstance(items, str) or not is_ordered(items):
        raise TypeError(f"{name} must be {wanted}, got {type(items).__name__}")
    return [check_text(item, f"{name}[{i}]") for i, item in enumerate(members(items))]


def is_textual(item: object) -> bool:
    """Whether a member of a list is meant as a text or as a pair of texts."""
    return isinstance(item, str) or (isinstance(item, tuple) and bool(item) and isinstance(item[0], str))


def is_ordered(items: object) -> TypeGuard[Iterable[object]]:
    """Whether iteration gives the members of a list, in an order that means something.

    That of a mapping or a table gives names of fields or columns, that of bytes gives numbers.
    """
    if isinstance(items, (list, tuple)):  # nearly all, and the checks below take microseconds
        return True
    if isinstance(items, (bytes, bytearray, memoryview, Mapping, MappingView, Set)):
        return False
    if not isinstance(items, Iterable):
        return False
    dimensions = count_dimensions(items)
    if dimensions is not None:
        return dimensions == 1
    return not hasattr(items, "keys")  # a mapping by its methods


def count_dimensions(items: object) -> int | None:
    """Of an array, a column or a table; None for what has no shape."""
    shape = getattr(items, "shape", None)
    try:
        return len(shape) if isinstance(shape, Sized) else None
    except TypeError:  # one that is not known yet, such as that of a Dask task
        return None


def members(items: Iterable[object]) -> Iterator[object]:
    """The members as Python objects, also those of an Arrow array, whose own iteration wraps each of them."""
    to_list = getattr(items, "to_pylist", None)
    if to_list is None or not hasattr(items, "slice") or not isinstance(items, Sized):
        yield from items
        return
    for start in range(0, len(items), _COLUMN_ROWS):
        yield from items.slice(start, _COLUMN_ROWS).to_pylist()


def shortened(text: str) -> str:
    """The text in quotes, or its beginning."""
    return repr(str(text) if len(text) <= _SHOWN else text[: _SHOWN - 3] + "...")  # without NumPy's type
