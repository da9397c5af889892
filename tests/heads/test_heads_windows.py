"""Texts that are longer than what a model reads, in overlapping windows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from head_models import WORDS, Built, logits
from polysemy import QuestionAnswerer, TokenClassifier, TruncationWarning
from transformers import pipeline

Checkpoint = Callable[[str, str], Built]

# Up to four times what is read at once.
LONG = [" ".join(np.random.default_rng(i).choice(WORDS, 20 + 33 * i)) for i in range(5)]
FAMILIES = ["bert", "distilbert", "modernbert", "deberta-v2"]
# As tests/heads/test_heads_transformers.py has it: of sums of 64 terms in a handful of layers.
ROUNDING = 512 * 2.0**-24


def same(got: list[dict[str, Any]], want: list[dict[str, Any]]) -> None:
    assert len(got) == len(want)
    for a, b in zip(got, want, strict=True):
        assert abs(a.pop("score") - float(b.pop("score"))) <= ROUNDING and a == b


@pytest.mark.parametrize("strategy", ["simple", "first", "average", "max"])
@pytest.mark.parametrize("family", FAMILIES)
def test_entities(family: str, strategy: str, checkpoint: Checkpoint) -> None:
    built = checkpoint(family, "TokenClassification")
    asked: dict[str, Any] = {"aggregation_strategy": strategy, "stride": 9, "ignore_labels": ["I-PER"]}
    theirs = pipeline("token-classification", model=built.model, tokenizer=str(built.folder), **asked)
    ours = TokenClassifier(built.folder, **asked)
    for text, got in zip(LONG, ours(LONG), strict=True):
        want = theirs(text)
        assert want and want[-1]["end"] > len(text) / 2
        assert ours(text) == got
        same(got, want)


def windows(words: list[str], room: int, stride: int) -> list[tuple[int, list[str]]]:
    """The first word of each window, and its words."""
    firsts = range(0, max(len(words) - stride, 1), room - stride)
    return [(first, words[first : first + room]) for first in firsts]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_best_answers_of_all_windows(family: str, checkpoint: Checkpoint) -> None:
    """Found by trying each span of each window."""
    built = checkpoint(family, "QuestionAnswering")
    reader, question = QuestionAnswerer(built.folder), "we sat on the bank"
    room = reader.max_seq_length - 8  # [CLS], five words, two [SEP]
    for context in LONG[1:]:
        words = context.replace("banking", "bank").split()  # each is a token
        chances: dict[tuple[int, int], float] = {}
        none = []
        for first, some in windows(words, room, 7):
            pair = (question, " ".join(some))
            scores = [logits(built.model, built.folder, pair, f"{name}_logits") for name in ("start", "end")]
            places = [0, *range(7, 7 + len(some))]
            start, end = (
                np.exp(x - x[places].max()) / np.exp(x - x[places].max())[places].sum() for x in scores
            )
            none.append(float(start[0] * end[0]))
            for a in range(len(some)):
                for b in range(a, min(a + 3, len(some))):
                    span, chance = (first + a, first + b), float(start[7 + a] * end[7 + b])
                    chances[span] = max(chance, chances.get(span, 0.0))
        assert len(none) > 1
        best = sorted(chances.items(), key=lambda item: -item[1])[:5]
        got = reader(question, " ".join(words), top_k=5, max_answer_len=3, doc_stride=7)
        for answer, ((a, b), chance) in zip(got, best, strict=True):
            assert abs(answer["score"] - chance) <= ROUNDING
            assert answer["answer"] == " ".join(words[a : b + 1])
        every = reader(
            question,
            " ".join(words),
            top_k=9999,
            max_answer_len=3,
            doc_stride=7,
            handle_impossible_answer=True,
        )
        (empty,) = (answer["score"] for answer in every if not answer["answer"])
        assert len(every) == len(chances) + 1 and abs(empty - min(none)) <= ROUNDING


def test_short_texts_are_as_they_are(checkpoint: Checkpoint) -> None:
    tokens = TokenClassifier(checkpoint("bert", "TokenClassification").folder, aggregation_strategy="max")
    texts = ["money of new york", "", "banking"]
    assert tokens(texts, stride=5) == tokens(texts)
    reader = QuestionAnswerer(checkpoint("bert", "QuestionAnswering").folder)
    assert reader("money ?", texts, top_k=9, doc_stride=5) == reader("money ?", texts, top_k=9)


def test_same_bits_whatever_stands_beside(checkpoint: Checkpoint) -> None:
    tokens = TokenClassifier(
        checkpoint("bert", "TokenClassification").folder, aggregation_strategy="max", stride=9
    )
    reader = QuestionAnswerer(checkpoint("bert", "QuestionAnswering").folder, num_threads=2)
    together, answers = tokens(LONG), reader("money ?", LONG, doc_stride=11, top_k=3)
    for text, entities, found in zip(LONG, together, answers, strict=True):
        assert tokens(text) == entities and reader("money ?", text, doc_stride=11, top_k=3) == found


def test_arguments(checkpoint: Checkpoint) -> None:
    tokens = TokenClassifier(checkpoint("bert", "TokenClassification").folder)
    with pytest.raises(
        ValueError, match="aggregation_strategy must not be 'none' beside a stride, got stride=3"
    ):
        tokens(LONG, stride=3)
    with pytest.raises(
        ValueError, match=r"^TokenClassifier: stride must be less than the 44 tokens .*, got 44"
    ):
        tokens(LONG, stride=44, aggregation_strategy="max")
    reader = QuestionAnswerer(checkpoint("bert", "QuestionAnswering").folder)
    for stride, error in ((-1, ValueError), (99, ValueError), ("5", TypeError)):
        with pytest.raises(error, match=r"^QuestionAnswerer: doc_stride must be"):
            reader("money ?", LONG[4], doc_stride=stride)  # type: ignore[arg-type]
    with pytest.warns(TruncationWarning):
        reader("money ?", LONG[4])
