"""Progress of long work, on the terminal."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Protocol

__all__ = ["Progress", "progress_bar"]


class Progress(Protocol):
    """What `progress_bar` returns: a context manager that counts."""

    def update(self, n: int, /) -> object:
        """Count n more."""

    def __enter__(self) -> Progress: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> object: ...


class _Silent:
    """Counts nothing."""

    def update(self, n: int, /) -> None:
        pass

    def __enter__(self) -> _Silent:
        return self

    def __exit__(self, *details: object) -> None:
        pass


def progress_bar(total: int | None, show: bool | None, *, unit: str) -> Progress:
    """A tqdm bar on standard error, or nothing.

    ``show`` None shows one only where standard error is a terminal. ``total`` None is an unknown amount.
    """
    if sys.stderr is None:  # it was closed
        show = False
    if show is None:
        show = sys.stderr.isatty()
    if not show:
        return _Silent()
    from tqdm import tqdm  # type: ignore[import-untyped]

    bar: Progress = tqdm(total=total, unit=unit, file=sys.stderr)
    return bar
