"""Whole-word occurrences in a text."""

from __future__ import annotations

import re

import pytest
from polysemy.io.hub import resolve
from polysemy.text.tokenizer import TextTokenizer
from polysemy.text.words import find_word, tokens_in


@pytest.fixture(scope="module")
def tokenizer() -> TextTokenizer:
    return TextTokenizer.from_folder(resolve(None).folder, max_seq_length=256, max_positions=512)


@pytest.mark.parametrize(
    ("text", "word", "count"),
    [
        ("bank", "bank", 1),
        ("The bank by the river bank.", "bank", 2),
        ("banks, banker, embank, bank-note, bank_note", "bank", 2),
        ("Bank BANK bank", "bank", 3),
        ("I live in New York, not in new york.", "New York", 2),
        ("newyork", "new york", 0),
        ("He said: don't!", "don't", 1),
        ("C++ and C", "C++", 1),
        ("C++ and C", "c", 2),
        ("naïve café", "café", 1),
        ("我在银行存了钱", "银行", 1),
        ("😀bank😀", "bank", 1),
        ("aaa", "a", 0),
        ("a a a", "a a", 1),
        ("aa a a", "a a", 1),
        ("a.b", "b", 1),
        ("", "bank", 0),
    ],
)
def test_count(tokenizer: TextTokenizer, text: str, word: str, count: int) -> None:
    encoding = tokenizer.encode([text])[0]
    found = find_word(text, word, encoding.offsets, encoding.word_ids, ignore_case=True)
    assert len(found) == count
    for start, end in found:
        assert text[start:end].lower() == word.lower()


def test_case(tokenizer: TextTokenizer) -> None:
    encoding = tokenizer.encode(["Bank bank"])[0]
    arguments = ("Bank bank", "bank", encoding.offsets, encoding.word_ids)
    assert find_word(*arguments, ignore_case=False) == [(5, 9)]


def test_tokens_of_a_word(tokenizer: TextTokenizer) -> None:
    text = "So unbelievably unbelievable."
    encoding = tokenizer.encode([text])[0]
    (span,) = find_word(text, "unbelievably", encoding.offsets, encoding.word_ids, ignore_case=True)
    tokens = [encoding.tokens[i] for i in tokens_in(span, encoding.offsets)]
    assert len(tokens) > 1 and re.sub("##", "", "".join(tokens)) == "unbelievably"


def test_special_tokens_belong_to_no_span() -> None:
    assert tokens_in((0, 4), [(0, 0), (0, 2), (2, 4), (5, 6), (0, 0)]) == [1, 2]
