"""Calls into the `tokenizers` library, which fails in ways of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from ..errors import PolysemyError, TokenizerError
from ..shown import clipped

__all__ = ["library", "steps"]

_LISTS = ("normalizers", "pretokenizers")


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


def steps(part: Any) -> Iterator[dict[str, Any]]:
    """What a normalizer or pre-tokenizer does, the steps of sequences one by one, in no order; None does nothing."""
    with library("tokenizer: its steps can't be read"):
        waiting: list[dict[str, Any]] = [] if part is None else [json.loads(part.__getstate__())]
    while waiting:
        step = waiting.pop()
        inner = next((step[name] for name in _LISTS if name in step), None)
        if isinstance(inner, list):
            waiting += inner
        else:
            yield step
