"""Texts and small helpers of the tests of the command."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

TEXTS = ["we sat on the bank of the river", "", "i deposited money in the bank", "a b c"]
# As a program of its own: what a shell sees.
COMMAND = [sys.executable, "-m", "polysemy"]

Run = Callable[..., tuple[int, str, str]]


def only(folder: Path, *names: str) -> bool:
    """Nothing but these is in the folder: no unfinished file."""
    return {path.name for path in folder.iterdir()} == set(names)
