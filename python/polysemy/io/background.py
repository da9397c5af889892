"""Work that a checkpoint can do while the rest of it loads: reading and hashing leave the interpreter free."""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Generic, TypeVar

__all__ = ["Background", "Following"]

T = TypeVar("T")


class Background:
    """Runs a function once, in a thread of its own, or at once where none can be started.

    Also ``at_once`` where it is over before a thread is there: starting one takes some tenths of a millisecond.
    """

    __slots__ = ("_error", "_thread", "_work")

    def __init__(self, work: Callable[[], None], *, at_once: bool = False) -> None:
        self._work = work
        self._error: BaseException | None = None
        self._thread = None if at_once else _started(self._run, "polysemy-weights")
        if self._thread is None:
            self._run()

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as error:  # raised again where somebody waits for it
            self._error = error

    def wait(self) -> None:
        """Return when the work is done. Raises what it raised."""
        if self._thread is not None:
            self._thread.join()
        if self._error is not None:
            raise self._error


class Following(Generic[T]):
    """Calls a function for one item after the other, in a thread of its own, or at once where none can be started."""

    __slots__ = ("_error", "_items", "_thread", "_work")

    def __init__(self, work: Callable[[T], object]) -> None:
        self._work = work
        self._error: BaseException | None = None
        self._items: SimpleQueue[tuple[T] | None] = SimpleQueue()
        self._thread = _started(self._run, "polysemy-follow")

    def _run(self) -> None:
        while (item := self._items.get()) is not None:
            try:
                self._work(*item)
            except BaseException as error:  # the later items may be waited for, too
                self._error = self._error or error

    def put(self, item: T) -> None:
        """The next one."""
        if self._thread is None:
            self._work(item)
        else:
            self._items.put((item,))

    def wait(self) -> None:
        """Return when the function was called for all items. Raises the first error of its thread."""
        if self._thread is not None:
            self._items.put(None)
            self._thread.join()
        if self._error is not None:
            raise self._error


def _started(work: Callable[[], None], name: str) -> Thread | None:
    """A thread, if one can be started: there is a limit of the user, and one of the memory.

    None is kept that never ran: it would be part of a cycle, and a Ctrl-C that came while the collector takes it away
    would be lost, as in every function that a weak reference calls.
    """
    thread = Thread(target=work, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError:
        return None
    return thread
