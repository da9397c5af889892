"""Calls into the `tokenizers` library, which fails in ways of its own."""

from __future__ import annotations

from types import TracebackType

from ..errors import PolysemyError, TokenizerError
from ..shown import clipped

__all__ = ["library"]


class library:  # noqa: N801  # named as those of contextlib; a generator would take three times as long
    """Turns everything that the library raises into ``TokenizerError``, whose message begins with ``problem``.

    It raises bare ``Exception`` for files that it can't read, ``OverflowError`` for ids beyond its integers,
    and where it panics something that is no ``Exception`` at all.
    """

    __slots__ = ("_problem",)

    def __init__(self, problem: str) -> None:
        self._problem = problem

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        own = (KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError, PolysemyError)
        if error is not None and not isinstance(error, own):
            raise TokenizerError(f"{self._problem}: {clipped(str(error), 300)}") from None
