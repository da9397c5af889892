"""Vectors of parts of a text, which the model reads as a whole (late chunking), and of overlapping windows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from ..arguments import positive, switch, thread_count, whole
from ..errors import PoolingError
from ..model.pooling import Plan, SentenceHead
from ..model.spec import Pooling
from ..model.steps import Normalize
from ..text.batch import split_by_tokens
from ..text.check import check_text, check_texts
from ..text.chunks import text_chunks
from ..text.inputs import from_encoded
from ..text.windows import Window, read_windows
from .losses import Losses
from .stream import BATCH_TOKENS, prompt_text

if TYPE_CHECKING:
    from ..card import ModelCard
    from ..model.network import Network
    from ..text.tokenizer import TextTokenizer

__all__ = ["SpanEncoding", "Windows"]

Floats = NDArray[np.float32]
Span = tuple[int, int]


class Windows(NamedTuple):
    """The windows of a text."""

    spans: list[Span]
    """(start, end) of each in characters of the text."""
    vectors: Floats
    """The sentence vector of each, (windows, dim) float32."""


class SpanEncoding:
    """What an `Encoder` does with parts of texts."""

    __slots__ = ()

    if TYPE_CHECKING:
        _card: ModelCard
        _network: Network
        _num_threads: int

        @property
        def dim(self) -> int: ...  # noqa: D102
        def _text_tokenizer(self, method: str) -> TextTokenizer: ...
        def _sentence_head(self, method: str) -> SentenceHead: ...

    @overload
    def encode_spans(
        self,
        text: str,
        spans: Sequence[Span],
        *,
        stride: int | None = ...,
        normalize: bool | None = ...,
        truncate_dim: int | None = ...,
        num_threads: int | None = ...,
        prompt_name: str | None = ...,
        prompt: str | None = ...,
    ) -> Floats: ...

    @overload
    def encode_spans(
        self,
        text: Iterable[str],
        spans: Sequence[Sequence[Span]],
        *,
        stride: int | None = ...,
        normalize: bool | None = ...,
        truncate_dim: int | None = ...,
        num_threads: int | None = ...,
        prompt_name: str | None = ...,
        prompt: str | None = ...,
    ) -> list[Floats]: ...

    def encode_spans(
        self,
        text: str | Iterable[str],
        spans: Sequence[Span] | Sequence[Sequence[Span]],
        *,
        stride: int | None = None,
        normalize: bool | None = None,
        truncate_dim: int | None = None,
        num_threads: int | None = None,
        prompt_name: str | None = None,
        prompt: str | None = None,
    ) -> Floats | list[Floats]:
        """The vector of each part of a text, (spans, dim) float32: one forward pass of the text, pooled part by part.

        A span is ``(start, end)``, characters of the text; its vector pools the tokens that share a character with
        it, without special ones, and is zero where there are none. Several texts have a list of spans each, and give
        a list of arrays. A text of more than `max_seq_length` tokens is read in windows that share ``stride`` tokens,
        of which each window gives the half that is further from its end. The other arguments are those of `encode`.

        Raises `PoolingError` for a model that pools no mean or maximum, and ``ValueError`` for a span that is not in
        the text, or without a ``stride`` not in what the model reads of it.
        """
        method = "encode_spans"
        several, name = not isinstance(text, str), f"{method}: text"
        texts = (
            check_texts(text, name, wanted="a str or a list of str") if several else [check_text(text, name)]
        )
        wanted = [*spans] if several else [spans]
        if len(texts) != len(wanted):
            raise ValueError(
                f"{method}: spans must be a list for each of the {len(texts)} texts, got {len(wanted)}"
            )
        head = self._sentence_head(method)
        if {Pooling.CLS, Pooling.LAST_TOKEN} & {*head.modes}:
            raise PoolingError(
                f"{method}: the model pools one token of a text, which a part of it may not have; pass "
                "pooling='mean' to from_pretrained"
            )
        plan = _plan(head, normalize, truncate_dim, self.dim, method)
        before = prompt_text(self._card, method, prompt_name, prompt)
        threads = thread_count(num_threads, self._num_threads, method)
        parts = [
            _checked(*item, several, method, i) for i, item in enumerate(zip(texts, wanted, strict=True))
        ]
        found: list[Floats] = []
        for windows, states in self._read(texts, before, stride, plan, threads, method, stitched=True):
            i = len(found)
            places = np.array([span for k in range(len(windows)) for span in _own(windows, k)], np.int64)
            places = places.reshape(-1, 2) - len(before)
            rows = [_tokens(places, span, texts[i], stride, method) for span in parts[i]]
            offsets = np.cumsum([0, *map(len, rows)], dtype=np.int64)
            chosen = np.concatenate([np.empty(0, np.int64), *rows])
            found.append(_pooled(plan, {n: h[chosen] for n, h in states.items()}, offsets, threads))
        return found if several else found[0]

    def encode_windows(
        self,
        texts: Iterable[str],
        *,
        stride: int = 0,
        normalize: bool | None = None,
        truncate_dim: int | None = None,
        num_threads: int | None = None,
        prompt_name: str | None = None,
        prompt: str | None = None,
    ) -> list[Windows]:
        """Every text in full: `Windows` of at most `max_seq_length` tokens, of which neighbours share ``stride``.

        Each window is read for itself, the prompt and special tokens with each. A text that can be read at once has
        one window, with the bits of `encode`. The other arguments are those of `encode`. Raises ``ValueError`` for a
        ``stride`` that leaves no room for further tokens.
        """
        method = "encode_windows"
        given = check_texts(texts, f"{method}: texts")
        before = prompt_text(self._card, method, prompt_name, prompt)
        head = self._sentence_head(method)
        skipped = (
            self._text_tokenizer(method).prompt_tokens(before) if before and not head.include_prompt else 0
        )
        plan = _plan(head, normalize, truncate_dim, self.dim, method, skipped)
        threads = thread_count(num_threads, self._num_threads, method)
        found: list[Windows] = []
        for windows, states in self._read(given, before, stride, plan, threads, method, stitched=False):
            lengths = [len(window.encoding) for window in windows]
            offsets = np.cumsum([0, *lengths], dtype=np.int64)
            places = [_extent(window, len(before), len(given[len(found)])) for window in windows]
            found.append(Windows(places, _pooled(plan, states, offsets, threads)))
        return found

    def _read(
        self,
        texts: Sequence[str],
        before: str,
        stride: int | None,
        plan: Plan,
        threads: int,
        method: str,
        *,
        stitched: bool,
    ) -> Iterator[tuple[list[Window], dict[int, Floats]]]:
        """The windows of each text, and the hidden states that ``plan`` reads, by layer.

        ``stitched``: of every token of the text once; otherwise of all tokens of all windows.
        """
        tokenizer, spec, losses = self._text_tokenizer(method), self._network.spec, Losses()
        last, kept = len(spec.layers), tokenizer.prompt_tokens(before) if before else 0
        layers = plan.layers(last)
        for chunk in text_chunks(texts, before, name=f"{method}: text"):
            if stride is None:
                read = tokenizer.encode(chunk, num_threads=threads)
                losses.add(np.array([tokenizer.tokens_cut(encoding) for encoding in read], np.int64))
                of_texts = [[Window(e, 0, 0, len(e))] for e in read]
            else:
                of_texts = read_windows(
                    chunk, tokenizer, stride, f"{method}: stride", kept=kept, num_threads=threads
                )
            every = [(windows, k) for windows in of_texts for k in range(len(windows))]
            batch = from_encoded([windows[k].encoding for windows, k in every], spec).batch
            states: dict[int, list[Floats]] = {layer: [] for layer in layers}
            for first, stop in split_by_tokens(batch.offsets, BATCH_TOKENS):
                part = batch.part(first, stop)
                run = self._network.run(
                    part.ids, part.offsets, part.types, layers=layers, num_threads=threads
                )
                for place in range(first, stop):
                    windows, k = every[place]
                    rows = slice(*(batch.offsets[place : place + 2] - batch.offsets[first]))
                    own = _range(windows, k) if stitched else slice(None)
                    for layer in layers:
                        states[layer].append(run.hidden[layer][rows][own])
                    if k + 1 == len(windows):
                        yield windows, {n: np.concatenate(some) for n, some in states.items()}
                        states = {layer: [] for layer in layers}
        losses.warn(method, tokenizer.max_length)


def _plan(
    head: SentenceHead, normalize: bool | None, truncate_dim: int | None, dim: int, method: str, skip: int = 0
) -> Plan:
    if truncate_dim is not None:
        truncate_dim = positive(truncate_dim, f"{method}: truncate_dim", most=dim)
    return head.plan(
        normalize=switch(normalize, f"{method}: normalize"), truncate_dim=truncate_dim, skip=skip
    )


def _pooled(plan: Plan, states: dict[int, Floats], offsets: NDArray[np.int64], threads: int) -> Floats:
    pooled = plan.finish(plan.pool_layers(states, max(states), offsets, threads), threads)
    return Normalize()(pooled, threads) if plan.normalize else pooled


def _range(windows: list[Window], k: int) -> slice:
    """The tokens of window k that are its own: of those that it shares, the half further from its end."""
    window = windows[k]
    first, last = window.first, window.last
    if k > 0:
        first += (windows[k - 1].last - first) // 2
    if k + 1 < len(windows):
        after = windows[k + 1].first
        last = after + (last - after) // 2
    return slice(window.lead + first - window.first, window.lead + last - window.first)


def _own(windows: list[Window], k: int) -> list[Span]:
    """Where these tokens are in the text."""
    return windows[k].encoding.offsets[_range(windows, k)]


def _extent(window: Window, skipped: int, length: int) -> Span:
    """The characters of a text that a window has."""
    count = window.last - window.first
    places = window.encoding.offsets[window.lead : window.lead + count]
    filled = [place for place in places if place[0] < place[1]]
    if not filled:
        return (0, length)
    return max(filled[0][0] - skipped, 0), filled[-1][1] - skipped


def _checked(text: str, spans: object, several: bool, method: str, i: int) -> list[Span]:
    name = f"{method}: spans[{i}]" if several else f"{method}: spans"
    if isinstance(spans, (str, bytes)) or not hasattr(spans, "__iter__"):
        raise TypeError(f"{name} must be a list of (start, end), got {type(spans).__name__}")
    checked = []
    for k, span in enumerate(spans):
        if not isinstance(span, (tuple, list, np.ndarray)) or len(span) != 2:
            raise TypeError(f"{name}[{k}] must be (start, end), got {type(span).__name__}")
        start, end = whole(span[0], f"{name}[{k}][0]"), whole(span[1], f"{name}[{k}][1]")
        if not 0 <= start <= end <= len(text):
            raise ValueError(f"{name}[{k}] must be in the text's 0..{len(text)}, got ({start}, {end})")
        checked.append((start, end))
    return checked


def _tokens(
    places: NDArray[np.int64], span: Span, text: str, stride: int | None, method: str
) -> NDArray[np.int64]:
    """The tokens that share a character with a span."""
    starts, ends = places[:, 0], places[:, 1]
    read = int(ends.max(initial=0))
    if stride is None and text[max(read, span[0]) : span[1]].strip():
        raise ValueError(
            f"{method}: a span must be in the {read} characters that the model reads, got {span}; stride=... reads all"
        )
    return np.flatnonzero((starts < span[1]) & (ends > span[0]) & (starts < ends))
