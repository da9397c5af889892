"""Pairs of texts against the tokenizer library and the fast tokenizers of transformers."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
from polysemy.errors import TokenizerError
from polysemy.io.hub import resolve
from polysemy.text.pairs import Encoded, PairEncoding, shares
from polysemy.text.tokenizer import TextTokenizer
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

ATTRIBUTES = ("ids", "type_ids", "tokens", "offsets", "word_ids", "sequence_ids", "special_tokens_mask")
SPECIAL = {"[C]": 2, "[S]": 3}


def bert() -> Tokenizer:
    raw = Tokenizer(models.WordLevel({"a": 0, "[U]": 1, **SPECIAL}, unk_token="[U]"))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    raw.post_processor = processors.TemplateProcessing(
        single="[C] $A [S]", pair="[C] $A [S] $B:1 [S]:1", special_tokens=[*SPECIAL.items()]
    )
    return raw


def roberta() -> Tokenizer:
    """Two special tokens between the texts, one token type, spaces that belong to the tokens after them."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {token: i for i, token in enumerate(["<s>", "</s>", *alphabet])}
    raw = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    raw.post_processor = processors.RobertaProcessing(("</s>", 1), ("<s>", 0), trim_offsets=True)
    return raw


def bare() -> Tokenizer:
    """No special tokens at all."""
    raw = bert()
    raw.post_processor = processors.Sequence([])
    return raw


FORMS = [bert, roberta, bare]


def same(ours: Encoded, theirs: object, *, spans: bool = True) -> bool:
    names = [name for name in ATTRIBUTES if spans or name != "offsets"]
    return all(getattr(ours, name) == getattr(theirs, name) for name in names) and len(ours) == len(ours.ids)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("most", [4, 5, 8, 9])
def test_every_pair_of_lengths(form: object, side: str, most: int) -> None:
    """All the same but one: in the library, the first token that is left keeps its space, as if it began the text."""
    theirs = form()  # type: ignore[operator]
    theirs.enable_truncation(most, strategy="longest_first", direction=side)
    ours = TextTokenizer(form(), most, side=side)  # type: ignore[operator]
    full = form()  # type: ignore[operator]
    pairs = [("a b " * m, "c a " * n) for m, n in product(range(8), repeat=2)]
    for pair, got in zip(pairs, ours.encode(pairs), strict=True):
        assert same(got, theirs.encode(*pair), spans=(form, side) != (roberta, "left")), pair
        assert ours.tokens_cut(got) == max(0, len(full.encode(*pair)) - most)
        assert len(got) <= most


def test_the_shares_fill_the_room() -> None:
    for first, second, room in product(range(12), range(12), range(10)):
        kept = shares(first, second, room)
        assert sum(kept) == min(room, first + second)
        assert kept[0] <= first and kept[1] <= second


@pytest.fixture(scope="module")
def folder() -> Path:
    return resolve(None).folder


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("most", [16, 33, 128])
def test_the_default_tokenizer_equals_transformers(
    folder: Path, texts: list[str], side: str, most: int
) -> None:
    theirs = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), truncation_side=side)
    ours = TextTokenizer(Tokenizer.from_file(str(folder / "tokenizer.json")), most, side=side)
    pairs = [*zip(texts[::3], texts[1::3], strict=False), ("", "bank"), ("bank", ""), ("", "")]
    encoded = theirs(pairs, truncation=True, max_length=most, return_token_type_ids=True)
    assert any(ours.tokens_cut(got) for got in ours.encode(pairs))
    for i, got in enumerate(ours.encode(pairs)):
        assert got.ids == encoded["input_ids"][i] and got.type_ids == encoded["token_type_ids"][i]
        assert got.word_ids == encoded.word_ids(i) and got.sequence_ids == encoded.sequence_ids(i)
        assert same(got, encoded[i])
    assert [got.ids for got in ours.encode(pairs, spans=False)] == encoded["input_ids"]


def test_pairs_among_single_texts() -> None:
    ours = TextTokenizer(bert(), 10)
    mixed = ["a", ("a", "b"), "b a", ("b", "a")]
    got = ours.encode(mixed)
    assert [isinstance(encoding, PairEncoding) for encoding in got] == [False, True, False, True]
    assert [encoding.ids for encoding in got] == [ours.encode([text])[0].ids for text in mixed]


def test_two_long_texts_take_no_product_of_memory() -> None:
    """The library makes an encoding of each of the combinations of pieces of such a pair, which takes GBs."""
    ours = TextTokenizer(bert(), 8)
    long = "a " * 16_000
    (got,) = ours.encode([(long, long)])
    assert len(got) == 8 and ours.tokens_cut(got) == 32_000 - 5


def test_no_room_for_a_pair() -> None:
    ours = TextTokenizer(bert(), 2)
    with pytest.raises(TokenizerError, match="a pair of texts has 3 special tokens, more than the 2 tokens"):
        ours.encode([("a", "a")])
    assert len(ours.encode(["a"])[0]) == 2


@pytest.mark.parametrize("pair", ["[C] $B [S] $A [S]", "[C] $A [S] $A [S]"])
def test_a_form_that_is_not_known(pair: str) -> None:
    raw = bert()
    raw.post_processor = processors.TemplateProcessing(
        single="[C] $A [S]", pair=pair.replace("$A [S] $A", "$A $B [S] $A"), special_tokens=[*SPECIAL.items()]
    )
    ours = TextTokenizer(raw, 10)
    with pytest.raises(TokenizerError, match="its form of a pair of texts is not supported"):
        ours.encode([("a", "a")])
    assert len(ours.encode(["a"])[0]) == 3
