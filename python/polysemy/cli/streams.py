"""Standard streams that are there even where they were closed."""

from __future__ import annotations

import io
import os
import sys
from typing import TextIO

__all__ = ["discard_output", "prepare_streams"]


def prepare_streams() -> None:
    """Make output that nobody wants go nowhere, and standard output take every text.

    The numbers 0, 1 and 2 are taken, too: otherwise the next files to be opened would get them, and what a
    library writes to standard error would end up in a result.
    """
    for number in (0, 1, 2):
        _occupy(number)
    # Without them print() would write to standard output what was meant for standard error.
    sys.stdout = _there(sys.stdout)
    sys.stderr = _there(sys.stderr)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def discard_output() -> None:
    """Let Python's last flush at exit go nowhere: standard output has failed, and that was dealt with."""
    try:
        number = sys.stdout.fileno()
    except (OSError, ValueError):  # a stream that is no file
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)


def _occupy(number: int) -> None:
    try:
        os.fstat(number)
    except OSError:
        # The lowest free number is given out: this one, since those below it are taken.
        os.open(os.devnull, os.O_RDWR)


def _there(stream: TextIO | None) -> TextIO:
    if stream is not None:
        return stream
    return open(os.devnull, "w", encoding="utf-8")
