"""Bars made of characters."""

from __future__ import annotations

import shutil
from typing import TextIO

__all__ = ["bar", "supports_blocks", "text_width"]

# A character cell filled to n eighths from the left.
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def bar(share: float, width: int, *, blocks: bool) -> str:
    """A bar for a share of 1, which fills ``width`` characters; nothing for a share of 0 or less."""
    share = min(max(share, 0.0), 1.0)
    if not blocks:
        return "#" * round(share * width)
    eighths = round(share * width * 8)
    return (_EIGHTHS[8] * (eighths // 8) + _EIGHTHS[eighths % 8]).rstrip()


def supports_blocks(stream: TextIO) -> bool:
    """Whether the characters of a bar can be written there."""
    try:
        _EIGHTHS.encode(stream.encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return True


def text_width(stream: TextIO) -> int:
    """Columns of the terminal; 80 where it is none."""
    return shutil.get_terminal_size((80, 24)).columns if stream.isatty() else 80
