"""Calls into the `tokenizers` library, which fails in ways of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import PolysemyError, TokenizerError
from ..shown import clipped

__all__ = ["library"]


@contextmanager
def library(problem: str) -> Iterator[None]:
    """Turns everything that the library raises into ``TokenizerError``, whose message begins with ``problem``.

    It raises bare ``Exception`` for files that it can't read, ``OverflowError`` for ids beyond its integers,
    and where it panics something that is no ``Exception`` at all.
    """
    try:
        yield
    except (KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError, PolysemyError):
        raise
    except BaseException as error:
        raise TokenizerError(f"{problem}: {clipped(str(error), 300)}") from None
