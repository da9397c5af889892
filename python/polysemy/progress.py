"""Progress of long work, on the terminal or in a notebook."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any, Protocol

__all__ = ["Progress", "bar_class", "progress_bar"]


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


def _is_shown(show: bool | None) -> bool:
    """Whether ``show`` says so, or is None and somebody looks: in a notebook, or on a terminal."""
    if sys.stderr is None:  # it was closed
        return False
    return (_in_notebook() or sys.stderr.isatty()) if show is None else show


def progress_bar(total: int | None, show: bool | None, *, unit: str) -> Progress:
    """A tqdm bar on standard error, in a notebook a bar of its own, or nothing.

    ``show`` None shows one only in a notebook, or where standard error is a terminal. ``total`` None is an unknown
    amount.
    """
    if not _is_shown(show):
        return _Silent()
    bar: Progress = _tqdm()(total=total, unit=unit, file=sys.stderr)
    return bar


def bar_class(show: bool | None) -> type[Any]:
    """A class of tqdm's for libraries that make their own bars; none of these is seen unless ``show`` says so."""
    shown = _is_shown(show)

    class Bar(_tqdm()):  # type: ignore[misc]
        def __init__(self, *items: Any, **options: Any) -> None:
            super().__init__(*items, **options | ({} if shown else {"disable": True}))

    return Bar


def _tqdm() -> Any:
    if _in_notebook():
        from tqdm.auto import tqdm  # type: ignore[import-untyped]
    else:
        from tqdm import tqdm  # type: ignore[import-untyped]  # the smaller import
    return tqdm


def _in_notebook() -> bool:
    """Whether this process is the kernel of a notebook, by what tqdm goes by."""
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module is not None and hasattr(module, "get_ipython") else None
    return shell is not None and "IPKernelApp" in getattr(shell, "config", ())
