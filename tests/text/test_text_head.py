"""The head of a long text has the tokens that the whole has, as far as a model reads."""

from __future__ import annotations

import random
import time

import pytest
from polysemy import Encoder
from polysemy.text.head import border_before
from polysemy.text.tokenizer import TextTokenizer
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers


def byte_level() -> Tokenizer:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {letter: i for i, letter in enumerate([*alphabet, "th", "the", "\u0120t", "\u0120the", "in"])}
    merges = [("t", "h"), ("th", "e"), ("\u0120", "t"), ("\u0120", "the"), ("i", "n")]
    tokenizer = Tokenizer(models.BPE(vocab, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    return tokenizer


def whole(tokenizer: TextTokenizer, text: str) -> list[int]:
    return list(tokenizer._tokenizer.encode(text, add_special_tokens=tokenizer._special).ids)


@pytest.mark.parametrize("kind", ["bert", "bytes"])
def test_same_ids(kind: str, default_tokenizer: TextTokenizer, texts: list[str]) -> None:
    tokenizer = default_tokenizer if kind == "bert" else TextTokenizer(byte_level(), 64)
    assert tokenizer._borders
    draw = random.Random(0)
    heads = 0
    for _ in range(40):
        parts = draw.choices(texts, k=draw.randint(200, 600))
        text = draw.choice([" ", "\n", "  ", "", " \u0301", "\u3000"]).join(parts)
        (encoding,) = tokenizer.encode([text])
        heads += tokenizer._head(text) != text
        assert list(encoding.ids) == whole(tokenizer, text)
    assert heads > 10


def test_megabytes_take_no_time(default_tokenizer: TextTokenizer) -> None:
    text = "the bank of the river and " * 200_000
    start = time.process_time()
    (encoding,) = default_tokenizer.encode([text])
    assert time.process_time() - start < 1
    assert default_tokenizer.tokens_cut(encoding) >= default_tokenizer.max_length == len(encoding)


def test_without_borders_all_is_read() -> None:
    tokenizer = byte_level()
    tokenizer.normalizer = normalizers.Replace("a b", "c")
    assert not TextTokenizer(tokenizer, 64)._borders
    assert not TextTokenizer(byte_level(), 64, side="left")._borders
    assert border_before("a  b .c d\u0301", 20) is None and border_before("ab cd ef", 7) == 5


@pytest.fixture(scope="module")
def default_tokenizer() -> TextTokenizer:
    tokenizer = Encoder.from_pretrained().tokenizer
    assert tokenizer is not None
    return tokenizer
