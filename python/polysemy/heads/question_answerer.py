"""`QuestionAnswerer`: the part of a text that answers a question."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ..arguments import flag, positive
from ..compat import check_running
from ..model.heads import HeadKind
from ..text.check import check_text, check_texts
from .scores import softmax
from .task import Part, Task

__all__ = ["QuestionAnswerer"]

Floats = NDArray[np.float32]


class QuestionAnswerer(Task):
    """A reader of spans, called as transformers' pipeline "question-answering" was."""

    kind = HeadKind.ANSWERS

    def __call__(
        self,
        question: str | Iterable[str],
        context: str | Iterable[str],
        *,
        top_k: int = 1,
        max_answer_len: int = 15,
        handle_impossible_answer: bool = False,
        doc_stride: int | None = None,
        **others: object,
    ) -> Any:
        """``{"score", "start", "end", "answer"}``: the best part of ``context``, in whole words.

        ``start`` and ``end`` are its characters. Lists of questions and contexts give a list; ``top_k`` above 1 gives
        so many answers, best first. ``max_answer_len`` is in tokens. With ``handle_impossible_answer`` the answer may
        be "", where the model thinks that there is none. With ``doc_stride`` too long a context is read in windows
        that share so many tokens, and the best answers of all count; without, its end is cut.
        """
        name = "QuestionAnswerer"
        check_running(others, name)
        single = isinstance(question, str) and isinstance(context, str)
        questions, contexts = _listed(question, f"{name}: question"), _listed(context, f"{name}: context")
        contexts = contexts * len(questions) if isinstance(context, str) else contexts
        questions = questions * len(contexts) if isinstance(question, str) else questions
        if len(questions) != len(contexts):
            raise ValueError(
                f"{name}: question must be as many as context, got {len(questions)} and {len(contexts)}"
            )
        pairs = [*zip(questions, contexts, strict=True)]
        count, most = positive(top_k, f"{name}: top_k"), positive(max_answer_len, f"{name}: max_answer_len")
        empty = flag(handle_impossible_answer, f"{name}: handle_impossible_answer")
        found: list[list[list[dict[str, Any]]]] = [[] for _ in pairs]
        parts = self._parts(pairs, name, spans=True, overlap=doc_stride, overlap_name="doc_stride")
        for part in parts:
            logits = self._head(part.hidden, self._num_threads)
            for i, number in enumerate(part.numbers):
                found[number].append(_answers(part, i, logits[part.rows(i)], count, most, empty))
        best = [windows[0] if len(windows) == 1 else _best(windows, count) for windows in found]
        results: list[Any] = best if count > 1 else [answers[0] for answers in best]
        return results[0] if single else results


def _listed(given: object, name: str) -> list[str]:
    if isinstance(given, str):
        return [check_text(given, name)]
    return check_texts(given, name, wanted="a str or a list of str")


def _answers(part: Part, i: int, logits: Floats, count: int, most: int, empty: bool) -> list[dict[str, Any]]:
    encoding, context = part.encodings[i], part.texts[i][1]
    context_tokens = np.array([number == 1 for number in encoding.sequence_ids])
    shares = context_tokens.copy()
    shares[0] = True  # of no answer, which takes its share
    masked = np.where(shares[:, None], logits, -np.inf).T
    start, end = softmax(np.ascontiguousarray(masked, dtype=np.float32))
    most = min(most, len(start))
    scores = start[:, None] * _following(end, most)
    possible = np.flatnonzero(context_tokens[:, None] & _following(context_tokens, most))
    best = possible[np.argsort(-scores.ravel()[possible], kind="stable")[:count]]
    found: list[dict[str, Any]] = []
    for first, further in zip(*np.unravel_index(best, scores.shape), strict=True):
        begin, stop = _whole_words(encoding, int(first), int(first + further))
        answer = context[begin:stop]
        found.append({"score": float(scores[first, further]), "start": begin, "end": stop, "answer": answer})
    if empty or not found:
        none = float(start[0] * end[0]) if empty else 0.0
        found.append({"score": none, "start": 0, "end": 0, "answer": ""})
        found.sort(key=lambda answer: float(answer["score"]), reverse=True)
    return found[:count]


def _best(windows: list[list[dict[str, Any]]], count: int) -> list[dict[str, Any]]:
    """The best answers of all windows: each span once, "" only as sure as in the window that is least sure of it."""
    spans: dict[tuple[int, int], dict[str, Any]] = {}
    for answer in (answer for answers in windows for answer in answers):
        span = (answer["start"], answer["end"])
        other = spans.setdefault(span, answer)
        better = answer["score"] < other["score"] if span == (0, 0) else answer["score"] > other["score"]
        if better:
            spans[span] = answer
    return sorted(spans.values(), key=lambda answer: float(answer["score"]), reverse=True)[:count]


def _following(values: NDArray[Any], count: int) -> NDArray[Any]:
    """Each value with the ones after it, ``count`` in all, (n,) -> (n, count); zeros beyond the last."""
    padded = np.concatenate([values, np.zeros(count - 1, dtype=values.dtype)])
    return sliding_window_view(padded, count)


def _whole_words(encoding: Any, first: int, last: int) -> tuple[int, int]:
    """Where the words of two tokens begin and end in their text."""
    words, spans, texts = encoding.word_ids, encoding.offsets, encoding.sequence_ids

    def of(token: int) -> list[int]:
        return [k for k in range(len(words)) if words[k] == words[token] and texts[k] == 1] or [token]

    return spans[of(first)[0]][0], spans[of(last)[-1]][1]
