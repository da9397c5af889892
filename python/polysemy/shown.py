"""How error messages show a value that came from outside: never longer than a line or two."""

from __future__ import annotations

from reprlib import Repr

__all__ = ["MESSAGE_LENGTH", "clipped", "shown"]

# Characters of one value, and of a whole message: a file decides how long a value is, not how much is printed.
_VALUE_LENGTH = 100
MESSAGE_LENGTH = 4_000


class _Repr(Repr):
    def repr_int(self, x: int, level: int) -> str:
        try:
            return super().repr_int(x, level)
        except ValueError:  # more digits than Python converts
            return f"an int of {x.bit_length()} bits"


_REPR = _Repr()
_REPR.maxlevel = 3
_REPR.maxlist = _REPR.maxtuple = _REPR.maxdict = _REPR.maxset = _REPR.maxfrozenset = 8
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = _VALUE_LENGTH


def shown(value: object) -> str:
    """The ``repr`` of a value, with "..." for what is left out of a long one."""
    return clipped(_REPR.repr(value), 4 * _VALUE_LENGTH)


def clipped(text: str, length: int = MESSAGE_LENGTH) -> str:
    """A text of at most ``length`` characters: its beginning and its end."""
    if len(text) <= length:
        return text
    end = length // 4
    return f"{text[: length - end - 5]} ... {text[-end:]}"
