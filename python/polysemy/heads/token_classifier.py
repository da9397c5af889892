"""`TokenClassifier`: a label for every token, or for the words and names that tokens make."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arguments import is_one_of
from ..compat import check_running
from ..model.heads import HeadKind
from ..record import record
from ..shown import shown
from .scores import softmax
from .task import Part, Task

__all__ = ["TokenClassifier"]

Floats = NDArray[np.float32]

_STRATEGIES = ("none", "simple", "first", "average", "max")


@record
class _Token:
    """A token with its probabilities, or a word."""

    word: str
    scores: Floats
    start: int
    end: int
    index: int
    inside: bool
    """Whether it goes on with the word of the token before it."""


class TokenClassifier(Task):
    """A classifier of tokens, called as transformers' pipeline "token-classification" is.

    ``aggregation_strategy``: "none" labels tokens; "simple" joins neighbours of one label; "first", "average" and
    "max" label whole words before that, by their first token, the mean of all, or the surest. ``ignore_labels`` are
    left out of the results. With a ``stride`` too long a text is read in windows that share so many tokens; of
    entities of two windows that share characters the longer one counts, of equally long ones the surer.
    """

    kind = HeadKind.TOKENS

    def __init__(
        self,
        model: str | os.PathLike[str],
        *,
        aggregation_strategy: str = "none",
        ignore_labels: Sequence[str] = ("O",),
        stride: int | None = None,
        num_threads: int | None = None,
        mmap: bool = False,
        revision: str | None = None,
        cache_folder: str | os.PathLike[str] | None = None,
        local_files_only: bool = False,
        token: str | bool | None = None,
    ) -> None:
        self._strategy = _checked(aggregation_strategy)
        self._ignored = _names(ignore_labels)
        self._stride = stride
        super().__init__(
            model, num_threads=num_threads, mmap=mmap, revision=revision, cache_folder=cache_folder,
            local_files_only=local_files_only, token=token,
        )  # fmt: skip

    def __call__(
        self,
        inputs: object,
        *,
        aggregation_strategy: str | None = None,
        ignore_labels: Sequence[str] | None = None,
        stride: int | None = None,
        **others: object,
    ) -> Any:
        """What was found in a text, in order; of a list of texts a list.

        Each is ``{"entity", "score", "index", "word", "start", "end"}``, or with an aggregation
        ``{"entity_group", "score", "word", "start", "end"}``. ``start`` and ``end`` are characters of the text. What
        is None is as the object was made. ``batch_size`` and other arguments of a pipeline that say how it runs have
        no effect.
        """
        check_running(others, "TokenClassifier")
        texts, single = self._texts(inputs, "TokenClassifier")
        ignored = self._ignored if ignore_labels is None else _names(ignore_labels)
        strategy = self._strategy if aggregation_strategy is None else _checked(aggregation_strategy)
        shared = self._stride if stride is None else stride
        if shared is not None and strategy == "none":
            raise ValueError(
                f"TokenClassifier: aggregation_strategy must not be 'none' beside a stride, got stride={shared}"
            )
        found: list[list[list[dict[str, Any]]]] = [[] for _ in texts]
        for part in self._parts(texts, "TokenClassifier", spans=True, overlap=shared):
            scores = softmax(self._head(part.hidden, self._num_threads))
            for i, number in enumerate(part.numbers):
                found[number].append(self._found(self._tokens(part, i, scores), strategy, ignored))
        results = [windows[0] if len(windows) == 1 else _merged(windows) for windows in found]
        return results[0] if single else results

    def _tokens(self, part: Part, i: int, scores: Floats) -> list[_Token]:
        """The tokens of a text without the special ones."""
        encoding, text = part.encodings[i], str(part.texts[i])
        rows, unknown = part.rows(i), self._tokenizer.roles.get("unk_token")
        spelled = self._tokenizer.marks_pieces
        tokens = []
        marks = zip(
            encoding.ids, encoding.tokens, encoding.offsets, encoding.special_tokens_mask, strict=True
        )
        for index, (number, word, (start, end), special) in enumerate(marks):
            if special:
                continue
            written = text[start:end]
            inside = (
                len(word) != len(written) if spelled else start > 0 and " " not in text[start - 1 : start + 1]
            )
            if number == unknown:
                inside = False
            name = written if number == unknown else word
            tokens.append(_Token(name, scores[rows.start + index], start, end, index, inside))
        return tokens

    def _found(self, tokens: list[_Token], strategy: str, ignored: frozenset[str]) -> list[dict[str, Any]]:
        if strategy in ("none", "simple"):
            entities = [self._labelled(token) for token in tokens]
        else:
            entities = [self._word(word, strategy) for word in _words(tokens)]
        if strategy != "none":
            entities = [self._group(group) for group in _neighbours(entities)]
        kind = "entity" if strategy == "none" else "entity_group"
        return [entity for entity in entities if entity[kind] not in ignored]

    def _labelled(self, token: _Token) -> dict[str, Any]:
        label = int(token.scores.argmax())
        return {
            "entity": self.labels[label], "score": float(token.scores[label]), "index": token.index, "word": token.word,
            "start": token.start, "end": token.end,
        }  # fmt: skip

    def _word(self, tokens: list[_Token], strategy: str) -> dict[str, Any]:
        if strategy == "first":
            scores = tokens[0].scores
        elif strategy == "max":
            scores = max(tokens, key=lambda token: float(token.scores.max())).scores
        else:
            scores = np.mean([token.scores for token in tokens], axis=0)
        label = int(scores.argmax())
        return {
            "entity": self.labels[label], "score": float(scores[label]),
            "word": self._tokenizer.joined([token.word for token in tokens]),
            "start": tokens[0].start, "end": tokens[-1].end,
        }  # fmt: skip

    def _group(self, entities: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "entity_group": entities[0]["entity"].split("-", 1)[-1],
            "score": float(np.mean([entity["score"] for entity in entities])),
            "word": self._tokenizer.joined([entity["word"] for entity in entities]),
            "start": entities[0]["start"],
            "end": entities[-1]["end"],
        }


def _checked(strategy: str) -> str:
    if not is_one_of(strategy, _STRATEGIES):
        raise ValueError(
            f"TokenClassifier: aggregation_strategy must be one of {', '.join(_STRATEGIES)}, "
            f"got {shown(strategy)}"
        )
    return strategy


def _names(labels: Sequence[str]) -> frozenset[str]:
    if isinstance(labels, str):
        raise TypeError("TokenClassifier: ignore_labels must be a list of str, got str")
    return frozenset(labels)


def _merged(windows: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The entities of all windows, one of those that share characters with the one kept last."""
    kept: list[dict[str, Any]] = []
    for entity in sorted((entity for found in windows for entity in found), key=lambda e: int(e["start"])):
        if not kept or not kept[-1]["start"] <= entity["start"] < kept[-1]["end"]:
            kept.append(entity)
        elif _weight(entity) > _weight(kept[-1]):
            kept[-1] = entity
    return kept


def _weight(entity: dict[str, Any]) -> tuple[int, float]:
    return entity["end"] - entity["start"], entity["score"]


def _words(tokens: list[_Token]) -> list[list[_Token]]:
    words: list[list[_Token]] = []
    for token in tokens:
        if words and token.inside:
            words[-1].append(token)
        else:
            words.append([token])
    return words


def _neighbours(entities: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Those of one label that follow each other; "B-" begins another one."""
    groups: list[list[dict[str, Any]]] = []
    for entity in entities:
        name = entity["entity"]
        same = bool(groups) and _bare(groups[-1][-1]["entity"]) == _bare(name)
        if same and not name.startswith("B-"):
            groups[-1].append(entity)
        else:
            groups.append([entity])
    return groups


def _bare(label: str) -> str:
    return label[2:] if label.startswith(("B-", "I-")) else label
