"""Vectors of words: contextual and static."""

from __future__ import annotations

import numpy as np
import pytest
from polysemy import Encoder
from polysemy.errors import TruncationWarning
from tiny_models import SPEC, VOCAB, random_weights


def test_one_row_per_occurrence(tiny: Encoder) -> None:
    text = "the bank of the river , Bank !"
    vectors = tiny.word_vectors(text, "bank")
    output = tiny.forward(text)
    assert vectors.shape == (2, 24) and vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors, output.hidden_state(0)[[2, 7]])


@pytest.mark.parametrize("layer", [0, 1, -1, -2])
def test_pieces_are_averaged(tiny: Encoder, layer: int) -> None:
    output = tiny.forward("we banks", layers=(layer,))
    assert output.tokens(0) == ["[CLS]", "we", "bank", "##s", "[SEP]"]
    mean = output.hidden_state(0, layer)[2:4].astype(np.float64).mean(0)
    vectors = tiny.word_vectors("we banks", "banks", layer)
    np.testing.assert_array_equal(vectors, mean.astype(np.float32)[None])


def test_several_words(tiny: Encoder) -> None:
    mean = tiny.forward("in new york").hidden_state(0)[2:4].astype(np.float64).mean(0)
    np.testing.assert_array_equal(tiny.word_vectors("in New York", "new york")[0], mean.astype(np.float32))


def test_canonically_equivalent_words_are_equal(default: Encoder) -> None:
    for text in ("a caf\u00e9 there", "a cafe\u0301 there"):
        for word in ("caf\u00e9", "cafe\u0301"):
            expected = default.word_vectors("a caf\u00e9 there", "caf\u00e9")
            np.testing.assert_array_equal(default.word_vectors(text, word), expected)


def test_a_word_has_two_vectors_but_one_row(default: Encoder) -> None:
    money = default.word_vectors("I deposited money in the bank", "bank")[0].astype(np.float64)
    river = default.word_vectors("We sat on the bank of the river", "bank")[0].astype(np.float64)
    cosine = money @ river / np.sqrt((money @ money) * (river @ river))
    assert 0.5 < cosine < 0.9
    np.testing.assert_array_equal(default.static_embedding("bank"), default.static_embedding("Bank"))


@pytest.mark.parametrize(
    ("text", "word", "message"),
    [
        ("the bank", "river", "'river' is not a word of the text 'the bank'"),
        ("the banks", "bank", "not a word"),
        ("किताब मेज पर", "कित", "'कित' is not a word of the text"),
        ("the bank\u0301", "bank", "not a word"),
        ("", "bank", "not a word"),
        ("the bank", " ", "word_vectors: word must not be empty"),
        ("x" * 100, "bank", r"text 'x+\.\.\.'"),
        ("the \ud800", "bank", "word_vectors: text must be valid Unicode"),
        ("the bank", "\ud800", "word_vectors: word must be valid Unicode"),
    ],
)
def test_not_there(tiny: Encoder, text: str, word: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tiny.word_vectors(text, word)


def test_wrong_types(tiny: Encoder) -> None:
    with pytest.raises(TypeError, match="text must be a str or a list of str, got set"):
        tiny.word_vectors({"bank"}, "bank")
    with pytest.raises(TypeError, match="word must be a str, got int"):
        tiny.word_vectors("bank", 5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"word_vectors: layer must be a sequence of int or \"all\", got '1'"):
        tiny.word_vectors("bank", "bank", "1")
    with pytest.raises(ValueError, match=r"word_vectors: layer must be in 0\.\.3 or -4\.\.-1, got 4"):
        tiny.word_vectors("bank", "bank", 4)


def test_beyond_the_limit(tiny: Encoder) -> None:
    with pytest.warns(TruncationWarning), pytest.raises(ValueError, match="only beyond the 12 tokens"):
        tiny.word_vectors("a " * 15 + "bank", "bank")
    with pytest.warns(TruncationWarning, match="word_vectors: 1 of 1"):
        assert tiny.word_vectors("bank " * 15, "bank").shape == (10, 24)


def test_a_word_that_is_read_in_part(tiny: Encoder) -> None:
    """Its other tokens are beyond the limit: the rest is not the word."""
    assert tiny.word_vectors("a " * 8 + "banks", "banks").shape == (1, 24)
    with pytest.warns(TruncationWarning):
        assert tiny.word_vectors("a " * 8 + "banks banks", "banks").shape == (1, 24)
    with pytest.warns(TruncationWarning), pytest.raises(ValueError, match="only beyond the 12 tokens"):
        tiny.word_vectors("a " * 9 + "banks", "banks")


def test_static_embedding_is_the_row(tiny: Encoder) -> None:
    table = random_weights()["embeddings.token"]
    for token, row in (
        ("bank", 5),
        ("Bank", 5),
        ("##s", VOCAB.index("##s")),
        ("[CLS]", 2),
        (7, 7),
        (np.int64(8), 8),
    ):
        got = tiny.static_embedding(token)  # type: ignore[arg-type]
        np.testing.assert_array_equal(got, table[row])
    got[:] = 0
    np.testing.assert_array_equal(tiny.static_embedding(8), table[8])


@pytest.mark.parametrize(
    ("token", "error", "message"),
    [
        ("banks", ValueError, r"'banks' is not one token but 2: \['bank', '##s'\]"),
        ("", ValueError, "not one token but 0"),
        (-1, ValueError, r"token must be in 0\.\.31, got -1"),
        (SPEC.embedding.vocab, ValueError, "token must be in"),
        (1.5, TypeError, "token must be an int, got float"),
        (True, TypeError, "token must be an int, got bool"),
        ("\ud800", ValueError, "token must be valid Unicode"),
    ],
)
def test_no_such_token(tiny: Encoder, token: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        tiny.static_embedding(token)  # type: ignore[arg-type]
