"""Whole-word occurrences in a text."""

from __future__ import annotations

import random
import re

import pytest
import regex
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


@pytest.mark.parametrize(
    ("text", "word", "found"),
    [
        ("किताब मेज पर", "कित", []),
        ("किताब मेज पर", "कि", []),
        ("किताब मेज पर", "किताब", ["किताब"]),
        ("किताब मेज पर", "पर", ["पर"]),
        ("cafe\u0301 latte", "cafe", []),
        ("cafe\u0301 latte", "caf\u00e9", ["cafe\u0301"]),
        ("caf\u00e9 latte", "CAFE\u0301", ["caf\u00e9"]),
        ("q\u0323\u0307 q\u0307\u0323", "q\u0307\u0323", ["q\u0323\u0307", "q\u0307\u0323"]),
        ("\u212bngstr\u00f6m", "\u00e5ngstro\u0308m", ["\u212bngstr\u00f6m"]),
        ("한국 한국어", "\u1112\u1161\u11ab\u1100\u116e\u11a8", ["한국"]),
        ("한국", "하", []),
        ("שָׁלוֹם", "ש", []),
        ("مَكْتَبَةٌ", "مَكْتَبَة", []),
        ("می\u200cخواهم", "می", []),
        ("bank\u00ads", "bank", []),
        ("bank\u200bs", "bank", ["bank"]),
        ("\U0001f469\u200d\U0001f4bb bank", "\U0001f469", []),
        ("\U0001f44d\U0001f3fd", "\U0001f44d", []),
        ("\u039f\u0394\u039f\u03a3", "\u03bf\u03b4\u03bf\u03c2", ["\u039f\u0394\u039f\u03a3"]),
        ("Straße STRASSE", "straße", ["Straße"]),
        ("bank\n\u0301", "bank", ["bank"]),
        ("abc123", "123", []),
    ],
)
@pytest.mark.parametrize("splits", [False, True])
def test_marks_and_equivalence(text: str, word: str, found: list[str], splits: bool) -> None:
    """Also with a tokenizer that ends a word after every character."""
    spans = [(i, i + 1) for i in range(len(text))] if splits else []
    places = find_word(text, word, spans, range(len(spans)), ignore_case=True)
    assert [text[start:end] for start, end in places] == found


@pytest.mark.parametrize("script", ["latin", "greek", "devanagari", "hebrew", "arabic", "hangul"])
def test_no_word_ends_inside_of_one(script: str) -> None:
    """Whatever is found ends at a word boundary of UAX 29, in scripts that write spaces."""
    letters = {
        "latin": "ab\u00e9\u0301\u0323",
        "greek": "\u03b1\u03c3\u03ac\u0301",
        "devanagari": "\u0915\u0924\u093f\u093e\u094d\u0902",
        "hebrew": "\u05e9\u05dc\u05c1\u05b8",
        "arabic": "\u0645\u0643\u064e\u0651",
        "hangul": "\ud55c\u1112\u1161\u11ab",
    }[script]
    rng = random.Random(script)
    seen = 0
    for _ in range(400):
        text = "".join(rng.choices(letters + " ", k=12))
        start = rng.randrange(11)
        word = text[start : start + rng.randrange(1, 4)].strip()
        if not word:
            continue
        boundaries = {match.start() for match in regex.finditer(r"(?w)\b", text)} | {0, len(text)}
        for found in find_word(text, word, [], [], ignore_case=False):
            assert {*found} <= boundaries, (text, word, found)
            seen += 1
    assert seen > 20


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
