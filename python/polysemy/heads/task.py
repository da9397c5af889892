"""`Task`: a model with a head, and its way from texts to the rows that the head reads."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..arguments import switch, thread_count
from ..card import ModelCard
from ..encoding.lengths import with_length
from ..encoding.losses import Losses
from ..encoding.sink import ArraySink
from ..encoding.stream import BATCH_TOKENS, Stream
from ..families.config import Config
from ..io.sentence import SentenceFolder
from ..model.heads import Head, HeadKind
from ..model.network import Network
from ..progress import progress_bar
from ..record import record
from ..text.batch import RaggedBatch, split_by_tokens
from ..text.check import Text, check_text, check_texts
from ..text.chunks import text_chunks
from ..text.inputs import from_encoded, read_texts
from ..text.pairs import Encoded
from ..text.tokenizer import TextTokenizer
from ..text.windows import read_windows
from .model import TaskModel

__all__ = ["Part", "Task"]

Floats = NDArray[np.float32]
Arrange = Callable[[Sequence[Encoded]], tuple[RaggedBatch, NDArray[np.int64] | None]]
"""Encodings to a batch, and how many tokens of each are looked at by the others; None means all."""


@record
class Part:
    """Some texts, and the last hidden states of all their tokens, (tokens, hidden)."""

    texts: Sequence[Text]
    encodings: Sequence[Encoded]
    batch: RaggedBatch
    hidden: Floats
    numbers: Sequence[int]
    """Which text of the call each is: windows of a text have one number."""

    def rows(self, i: int) -> slice:
        """Where the tokens of text i are."""
        return slice(int(self.batch.offsets[i]), int(self.batch.offsets[i + 1]))


class Task:
    """A model with a head. Any number of threads may share it, as long as none sets its ``max_seq_length``.

    ``model`` is a folder or a Hugging Face id whose checkpoint has the head. ``num_threads`` is the default of all
    calls, None leaves it to the process. ``max_length`` is the longest text in tokens, if not the model's own. The
    other arguments are those of `Encoder.from_pretrained`. Raises `ModelNotFoundError`, `UnsupportedModelError`,
    `CheckpointError` or `TokenizerError`.

    It can be pickled: its model travels by name, as an `Encoder` does.
    """

    kind: ClassVar[HeadKind]

    # Those of the model. A class may put others in their place.
    _card: ModelCard
    _config: Config
    _head: Head
    _network: Network
    _sentence: SentenceFolder
    _tokenizer: TextTokenizer

    def __init__(
        self,
        model: str | os.PathLike[str],
        *,
        max_length: int | None = None,
        num_threads: int | None = None,
        mmap: bool = False,
        revision: str | None = None,
        cache_folder: str | os.PathLike[str] | None = None,
        local_files_only: bool = False,
        token: str | bool | None = None,
    ) -> None:
        name = type(self).__name__
        self._num_threads = thread_count(num_threads, 0, name)
        self._model = TaskModel.from_pretrained(
            model, kind=self.kind.value, max_length=max_length, mmap=bool(switch(mmap, f"{name}: mmap")),
            revision=revision, cache_folder=cache_folder, local_files_only=local_files_only, token=token, task=name,
        )  # fmt: skip

    if not TYPE_CHECKING:  # for a type checker every name would be an attribute

        def __getattr__(self, name: str) -> Any:
            if name not in TaskModel._parts:
                raise AttributeError(
                    f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self
                )
            value = self.__dict__[name] = getattr(self._model, name)
            return value

    def __getstate__(self) -> dict[str, Any]:
        """The model goes by its name, and what is the model's own with it."""
        return {
            name: value
            for name, value in self.__dict__.items()
            if not (name in TaskModel._parts and value is getattr(self._model, name))
        }

    @property
    def card(self) -> ModelCard:
        """Name, place and further facts about the model."""
        return self._card

    @property
    def labels(self) -> tuple[str, ...]:
        """What the model tells apart, in the order of its scores."""
        return self._head.labels

    @property
    def max_seq_length(self) -> int:
        """Longest text in tokens, special tokens included; longer ones are cut, with a warning.

        May be set, up to what the model has positions for; more than before comes with a warning.
        """
        return self._tokenizer.max_length

    @max_seq_length.setter
    def max_seq_length(self, length: int) -> None:
        self._tokenizer = with_length(self._tokenizer, length, self._network.spec, type(self).__name__)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._card.name!r}, max_seq_length={self.max_seq_length})"

    def _texts(self, inputs: object, method: str, argument: str = "inputs") -> tuple[list[str], bool]:
        """The texts of a call, and whether there was one that was no list."""
        name = f"{method}: {argument}"
        if isinstance(inputs, str):
            return [check_text(inputs, name)], True
        return check_texts(inputs, name, wanted="a str or a list of str"), False

    def _logits(
        self, texts: Sequence[Text], method: str, *, prompt: str = "", show_progress: bool | None = False
    ) -> Floats:
        """The head on one vector per text, (n, labels)."""
        stream = Stream(
            texts, self._network, self._tokenizer, self._head.plan, width=len(self.labels), prompt=prompt,
            num_threads=self._num_threads, method=method,
        )  # fmt: skip
        sink = ArraySink(stream.total, stream.width, None, single=False, name=method)
        stream.pour(sink, show_progress=show_progress)
        stream.warn_of_losses()
        return sink.finish()

    def _parts(
        self,
        texts: Sequence[Text],
        method: str,
        *,
        spans: bool = False,
        prompt: str = "",
        show_progress: bool | None = False,
        tokenizer: TextTokenizer | None = None,
        arranged: Arrange | None = None,
        overlap: int | None = None,
        overlap_name: str = "stride",
    ) -> Iterator[Part]:
        """Last hidden states of all tokens, some texts at a time.

        ``tokenizer`` replaces that of the model; ``arranged`` makes batches of encodings, in its own way. With an
        ``overlap``, of tokens, texts that are too long are read in windows, each of which is a text of the results.
        """
        tokenizer = tokenizer or self._tokenizer
        spec, losses = self._network.spec, Losses()
        last = len(spec.layers)
        with progress_bar(len(texts), show_progress, unit="text") as bar:
            done = 0
            for chunk in text_chunks(texts, prompt, name=f"{method}: inputs"):
                given, numbers = chunk, [*range(done, done + len(chunk))]
                done += len(chunk)
                if overlap is None:
                    read = read_texts(chunk, spec, tokenizer, spans=spans, num_threads=self._num_threads)
                    losses.add(read.tokens_cut)
                else:
                    windows = read_windows(
                        chunk, tokenizer, overlap, f"{method}: {overlap_name}", num_threads=self._num_threads
                    )
                    numbers = [number for number, some in zip(numbers, windows, strict=True) for _ in some]
                    given = [text for text, some in zip(chunk, windows, strict=True) for _ in some]
                    read = from_encoded([window.encoding for some in windows for window in some], spec)
                assert read.encodings is not None  # they are texts
                batch, seen = (read.batch, None) if arranged is None else arranged(read.encodings)
                for first, stop in split_by_tokens(batch.offsets, BATCH_TOKENS):
                    part = batch.part(first, stop)
                    run = self._network.run(
                        part.ids, part.offsets, part.types, seen=None if seen is None else seen[first:stop],
                        layers=(last,), num_threads=self._num_threads,
                    )  # fmt: skip
                    mine = numbers[first:stop]
                    yield Part(given[first:stop], read.encodings[first:stop], part, run.hidden[last], mine)
                    bar.update(len({*mine} - {*numbers[:first][-1:]}))
        losses.warn(method, tokenizer.max_length)
