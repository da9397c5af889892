"""Work that a checkpoint can do while the rest of it loads: reading and hashing leave the interpreter free."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread

__all__ = ["Background"]


class Background:
    """Runs a function once, in a thread of its own, or at once where none can be started."""

    __slots__ = ("_error", "_thread", "_work")

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._error: BaseException | None = None
        self._thread = Thread(target=self._run, name="polysemy-weights", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # no further thread: a limit of the user or of the memory
            self._run()

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as error:  # raised again where somebody waits for it
            self._error = error

    def wait(self) -> None:
        """Return when the work is done. Raises what it raised."""
        if self._thread.ident is not None:
            self._thread.join()
        if self._error is not None:
            raise self._error
