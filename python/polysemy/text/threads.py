"""The thread pool of the `tokenizers` library, held to the limit of our own threads."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .. import _core

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["prepare_pool"]

_SIZE, _SWITCH = "RAYON_NUM_THREADS", "TOKENIZERS_PARALLELISM"
_started: list[int] = []  # the size of the pool, once there is one


def prepare_pool(tokenizer: Tokenizer, num_threads: int = 0, *, alone: bool = False) -> bool:
    """Should several texts go to the pool together? Otherwise one after the other, so that no pool starts.

    ``alone``: should one text go there, because the interpreter is free only while the pool works?

    The library's pool is one per process and keeps the size that it starts with: here ``num_threads``, or
    `get_num_threads` where that is 0, or fewer where no more threads can be made. With one thread there is no
    pool but for one text alone. What the user said in ``RAYON_NUM_THREADS`` or ``TOKENIZERS_PARALLELISM`` stands.
    """
    limit = num_threads or _core.get_num_threads()
    least = 1 if alone else 2
    if limit < least:
        return False
    if _started or _SIZE in os.environ or _SWITCH in os.environ:
        return True
    size = _core.startable_threads(limit)
    if size < least:
        return False
    os.environ[_SIZE] = str(size)  # read when the pool starts, and not meant for other libraries or children
    try:
        tokenizer.encode_batch(["", ""])
        _started.append(size)
    finally:
        del os.environ[_SIZE]
    return True
