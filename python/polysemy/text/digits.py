"""A long run of digits, of which a pattern may take some at a time for a word.

Where words begin in it depends on where the run does. To a pattern that names no digit all ten of a script are alike:
words begin where they do in a run of one and the same digit, which is a text that repeats itself (see `repetitions`).
"""

from __future__ import annotations

import re
import unicodedata

__all__ = ["run_of_digits", "script_of", "with_one_digit"]


def script_of(digit: str) -> str:
    """The ten digits of its script, from 0 to 9."""
    zero = ord(digit) - unicodedata.decimal(digit)
    return "".join(map(chr, range(zero, zero + 10)))


def run_of_digits(text: str, probe: int) -> range | None:
    """The run of digits of one script at this place; None where there is another character."""
    if not text[probe].isdecimal():
        return None
    ten = script_of(text[probe])
    stop = re.compile(f"[{ten}]*").match(text, probe)
    return range(len(text[:probe].rstrip(ten)), probe if stop is None else stop.end())


def with_one_digit(text: str, run: range, margin: int) -> str:
    """The text with the same digit all over the run, but at its ends, which may belong to an added token."""
    first, last = run.start + margin, run.stop - margin
    return text[:first] + text[run.start] * (last - first) + text[last:] if first < last else text
