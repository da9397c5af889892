"""Texts in, blocks of sentence vectors out, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..card import ModelCard
from ..model.network import Network
from ..model.pooling import Plan
from ..progress import progress_bar
from ..shown import shown
from ..text.batch import split_by_tokens
from ..text.check import check_text, is_ordered
from ..text.chunks import text_chunks
from ..text.inputs import read_texts
from .losses import Losses
from .sink import Sink

if TYPE_CHECKING:
    from ..card import ModelCard
    from ..text.tokenizer import TextTokenizer

__all__ = ["BATCH_TOKENS", "Stream", "prompt_text"]

# Tokens of one forward pass: enough to keep many cores busy, and at a hidden size of 1024 still no more than
# 64 MiB per buffer.
BATCH_TOKENS = 16_384
# As good as no limit; small enough to be added to an offset.
_UNLIMITED = 1 << 48


class Stream:
    """Iterates over the sentence vectors of any number of texts, in their order, in blocks (k, width) float32.

    Texts are taken from their iterable a bounded number at a time, when the next block is asked for; the vectors
    don't depend on the blocks. Made by `Encoder.stream`; can be iterated as often as the texts can.
    """

    __slots__ = (
        "__weakref__",
        "_batch_tokens",
        "_limit",
        "_method",
        "_network",
        "_num_threads",
        "_plan",
        "_prompt",
        "_texts",
        "_tokenizer",
        "losses",
        "total",
        "width",
    )

    def __init__(
        self,
        texts: object,
        network: Network,
        tokenizer: TextTokenizer,
        plan: Plan,
        *,
        width: int,
        prompt: str = "",
        batch_tokens: int | None = None,
        num_threads: int = 0,
        method: str = "stream",
    ) -> None:
        if not is_ordered(texts):
            raise TypeError(
                f"{method}: texts must be a str or an ordered iterable of str, got {type(texts).__name__}"
            )
        self._texts: Iterable[object] = texts
        self._network = network
        self._tokenizer = tokenizer
        self._plan = plan
        self._prompt = prompt
        self._batch_tokens = BATCH_TOKENS if batch_tokens is None else min(batch_tokens, _UNLIMITED)
        self._num_threads = num_threads
        self._method = method
        self.width = width
        """Length of a vector."""
        self.total = len(texts) if isinstance(texts, Sized) else None
        """Number of texts, None where it is not known beforehand."""
        self.losses = Losses()
        """What was cut off the texts so far."""

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        spec = self._network.spec
        self.losses = Losses()
        for chunk in text_chunks(self._texts, self._prompt, name=f"{self._method}: texts"):
            read = read_texts(chunk, spec, self._tokenizer, spans=False, num_threads=self._num_threads)
            self.losses.add(read.tokens_cut)
            for first, last in split_by_tokens(read.batch.offsets, self._batch_tokens):
                part = read.batch.part(first, last)
                results = self._network.run(
                    part.ids, part.offsets, part.types, plan=self._plan, num_threads=self._num_threads
                )
                assert results.pooled is not None  # there is a plan
                yield results.pooled

    def pour(self, sink: Sink, *, show_progress: bool | None = None) -> None:
        """Put every block into a sink. A progress bar is shown on a terminal, or as ``show_progress`` says."""
        with progress_bar(self.total, show_progress, unit="text") as bar:
            for block in self:
                sink.add(block)
                bar.update(len(block))

    def warn_of_losses(self) -> None:
        """A `TruncationWarning` if texts were cut."""
        self.losses.warn(self._method, self._tokenizer.max_length)


def prompt_text(card: ModelCard, method: str, name: object, text: object) -> str:
    """The text to put before each text: ``text``, or the model's prompt of this name."""
    if text is None:
        return card.prompt(name, method)
    if name is not None:
        raise ValueError(f"{method}: prompt must not be given beside prompt_name, got {shown(text)}")
    return check_text(text, f"{method}: prompt")
