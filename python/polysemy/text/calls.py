"""Texts through the `tokenizers` library: with long ones other threads run, Ctrl-C works, and memory is there."""

from __future__ import annotations

import mmap
import sys
from collections.abc import Callable, Sequence
from functools import partial
from queue import SimpleQueue
from threading import Thread, current_thread, main_thread
from typing import TYPE_CHECKING

from .library import library
from .threads import prepare_pool

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

__all__ = ["encode_texts"]

# Texts of more characters take hundredths of a second, beside which a thread costs nothing.
_MANY = 32_768
# What the library holds at most while it reads: measured are 56 to 321 bytes for each byte of a text, over byte-pair
# encoding, unigram models and WordPiece, and texts of letters, words, spaces, Chinese, emoji and ligatures.
_BYTES_PER_BYTE = 350


def encode_texts(
    tokenizer: Tokenizer, texts: Sequence[str], *, spans: bool, special: bool, num_threads: int = 0
) -> list[Encoding]:
    """The encodings of the texts, together where `prepare_pool` says so.

    Raises ``TokenizerError`` for what the library refuses, and ``MemoryError`` where there may be less memory than it
    needs: it would end the process.
    """
    long = [text for text in texts if len(text) > _MANY]
    if long:
        _reserve(long)
    batch = tokenizer.encode_batch if spans else tokenizer.encode_batch_fast

    def in_pool(texts: Sequence[str], *, alone: bool = False) -> list[Encoding] | None:
        """None where the library panics, as it does where no thread can be started; what is wrong is said later."""
        try:
            if not prepare_pool(tokenizer, num_threads, alone=alone):
                return None
            work = partial(batch, texts, add_special_tokens=special)
            return _interruptible(work) if long else work()
        except (KeyboardInterrupt, SystemExit, GeneratorExit):
            raise
        except BaseException:
            return None

    together = in_pool(texts) if len(texts) > 1 else None
    if together is not None:
        return together
    found = []
    for text in texts:
        read = in_pool([text], alone=True) if len(text) > _MANY else None
        if read is None:
            with library("tokenizer: a text can't be tokenized"):
                read = [tokenizer.encode(text, add_special_tokens=special)]
        found += read
    return found


def _reserve(texts: Sequence[str]) -> None:
    """Ask for the memory, and give it back: a limit of the process shows by that, and a machine that is too small."""
    if sys.platform == "win32":
        return
    most = sum(len(text) if text.isascii() else 4 * len(text) for text in texts) * _BYTES_PER_BYTE
    try:
        mmap.mmap(-1, most, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
    except (OSError, OverflowError):
        raise MemoryError(
            f"tokenizer: {max(map(len, texts)):,} characters of a text may need {most / 1e6:,.0f} MB, "
            "more memory than there is"
        ) from None


def _interruptible(work: Callable[[], list[Encoding]]) -> list[Encoding]:
    """The result of the work. In the main thread another one does it, since only so Ctrl-C is answered at once.

    After Ctrl-C that thread goes on until its work is done, and the interpreter ends no earlier.
    """
    if current_thread() is not main_thread():
        return work()
    outcome: SimpleQueue[list[Encoding] | BaseException] = SimpleQueue()

    def run() -> None:
        try:
            outcome.put(work())
        except BaseException as error:  # raised where it is waited for
            outcome.put(error)

    try:
        Thread(target=run, name="polysemy-texts", daemon=False).start()
    except RuntimeError:  # no more threads can be made
        return work()
    found = outcome.get()
    if isinstance(found, BaseException):
        raise found
    return found
