"""Forks at any moment, while other threads compute: a child that hangs or has other bits is a failure.

``python -m campaigns.forks 100000`` (some milliseconds per fork).
"""

from __future__ import annotations

import os
import signal
import threading
import time
import warnings
from collections import deque

from campaigns.common import counted, small_calls, trials

#: Seconds that a child may take before it counts as hanging. It needs some milliseconds.
PATIENCE = 60.0
#: Threads that compute meanwhile; the forking one computes now and then, too.
BUSY = 3
#: Children alive at once: on few CPUs one alone would wait for the busy threads most of its life.
FAMILY = 24


def ended(child: int) -> int | None:
    """The exit code of a child, or None if it had to be killed."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.0005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def forks(count: int) -> dict[str, int]:
    """How many children ended well, hung, or were wrong."""
    warnings.filterwarnings("ignore", "This process:*", DeprecationWarning)
    calls = small_calls()
    expected = calls()
    found = {"well": 0, "hung": 0, "wrong": 0}
    stop = threading.Event()

    def busy() -> None:
        while not stop.is_set():
            calls()

    team = [threading.Thread(target=busy, daemon=True) for _ in range(BUSY)]
    for thread in team:
        thread.start()
    family: deque[int] = deque()

    def reap() -> None:
        code = ended(family.popleft())
        found["hung" if code is None else "wrong" if code else "well"] += 1

    for i in counted(count):
        if i % 16 == 0 and calls() != expected:
            found["wrong"] += 1
        child = os.fork()
        if child == 0:
            os._exit(0 if calls() == expected else 3)
        family.append(child)
        if len(family) == FAMILY:
            reap()
    while family:
        reap()
    stop.set()
    for thread in team:
        thread.join()
    return found


if __name__ == "__main__":
    print(forks(trials(1000, __doc__)))
