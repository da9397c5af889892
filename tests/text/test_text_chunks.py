"""Texts taken a bounded amount at a time."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import pytest
from polysemy.text.chunks import text_chunks


def test_order_and_prompt() -> None:
    texts = [f"text {i}" for i in range(5000)]
    chunks = list(text_chunks(iter(texts), "query: "))
    assert [*chain.from_iterable(chunks)] == ["query: " + text for text in texts] and len(chunks) > 1


def test_a_generator_is_not_drained_at_once() -> None:
    taken = 0

    def endless() -> Iterator[str]:
        nonlocal taken
        while True:
            taken += 1
            yield "x" * 10_000

    next(text_chunks(endless()))
    assert taken < 200


@pytest.mark.parametrize("item", [None, 3, b"b", ["c"], float("nan")])
def test_not_a_text(item: object) -> None:
    with pytest.raises(TypeError, match=r"texts\[1\] must be a str, got"):
        list(text_chunks(["a", item]))


def test_pairs() -> None:
    pairs = [("question", "answer"), "alone"]
    assert [*text_chunks(pairs, "Q: ")] == [[("Q: question", "answer"), "Q: alone"]]
    long = [("x" * 10_000, "y" * 90_000)] * 30
    assert max(map(len, text_chunks(long))) < 30, "characters of both count"
