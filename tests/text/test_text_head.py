"""The head of a long text has the tokens that the whole has, as far as a model reads."""

from __future__ import annotations

import random
import re
import time

import pytest
from polysemy import Encoder
from polysemy.text.head import border_before, borders
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
    places = borders(byte_level())
    assert places is not None
    assert border_before("a  b .c d\u0301", 20, places) is None and border_before("ab cd ef", 7, places) == 5


CHINESE = "\u94f6\u884c\u5728\u6cb3\u5cb8\u4e0a\u3002\u5b58\u6b3e"


def test_chinese_characters_are_words(default_tokenizer: TextTokenizer) -> None:
    """Where the normalizer puts spaces around each; a vocabulary that joins two of them has no such border."""
    draw = random.Random(1)
    for _ in range(10):
        text = "".join(draw.choices(CHINESE + "ab \u0301", weights=[9] * 9 + [1] * 4, k=60_000))
        (encoding,) = default_tokenizer.encode([text])
        assert default_tokenizer._head(text) != text
        assert list(encoding.ids) == whole(default_tokenizer, text)
    text = CHINESE.replace("\u3002", "") * 20_000
    assert border_before(text, 20, borders(default_tokenizer._tokenizer) or re.compile("(?!)")) == 19
    assert border_before(text, 20, borders(byte_level()) or re.compile("(?!)")) is None
    joined = Tokenizer.from_str(default_tokenizer._tokenizer.to_str())
    joined.add_tokens([CHINESE[:2]])
    assert border_before(text, 20, borders(joined) or re.compile("(?!)")) is None


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("length", [0, 3, 100, 130, 500, 1400])
def test_pairs_with_one_long_text(length: int, swapped: bool, default_tokenizer: TextTokenizer) -> None:
    pair = ("bank " * length, "the river and its bank, " * 5_000)
    pair = pair[::-1] if swapped else pair
    (found,) = default_tokenizer.encode([pair])
    heads = default_tokenizer._heads(*pair)
    assert (heads != pair) == (length < 1024)
    unread = default_tokenizer._encode_pairs([pair], spans=True, num_threads=1)[0]
    for name in ("ids", "tokens", "offsets", "type_ids", "sequence_ids", "special_tokens_mask", "word_ids"):
        assert getattr(found, name) == getattr(unread, name), name
    assert default_tokenizer.tokens_cut(found) >= min(1024, default_tokenizer.tokens_cut(unread))


@pytest.fixture(scope="module")
def default_tokenizer() -> TextTokenizer:
    tokenizer = Encoder.from_pretrained().tokenizer
    assert tokenizer is not None
    return tokenizer
