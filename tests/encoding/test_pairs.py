"""Pairs of texts through the encoder: token types, spans, and what is no pair."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from polysemy import Encoder
from polysemy.errors import TokenizerError, TruncationWarning
from tiny_models import SPEC, random_weights

PAIRS = [("we sat", "the bank"), ("bank", ""), ("", "river"), ("money , money", "loan")]


def with_types(tiny: Encoder, count: int, *, equal: bool = False) -> Encoder:
    """The tiny model with so many token types."""
    spec = replace(SPEC, embedding=replace(SPEC.embedding, token_types=count))
    weights = random_weights(spec)
    if equal:
        weights["embeddings.type"][:] = weights["embeddings.type"][0]
    return Encoder(spec, weights, tokenizer=tiny.tokenizer, head=tiny.head)


def test_tokens_of_a_pair(tiny: Encoder) -> None:
    output = tiny.forward(PAIRS)
    assert output.tokens(0) == ["[CLS]", "we", "sat", "[SEP]", "the", "bank", "[SEP]"]
    assert output.token_types(0).tolist() == [0, 0, 0, 0, 1, 1, 1] and output.token_types(0).dtype == np.int32
    assert output.sequence_ids(0) == [None, 0, 0, None, 1, 1, None]
    assert output.word_ids(0) == [None, 0, 1, None, 0, 1, None]
    assert output.spans(0) == [(0, 0), (0, 2), (3, 6), (0, 0), (0, 3), (4, 8), (0, 0)]
    assert output.special_tokens(0).tolist() == [True, False, False, True, False, False, True]
    assert output.tokens(1) == ["[CLS]", "bank", "[SEP]", "[SEP]"]
    assert output.tokens(2) == ["[CLS]", "[SEP]", "river", "[SEP]"]
    assert output.lengths.tolist() == [7, 4, 4, 7] and len(output) == 4


def test_single_texts_have_type_0(tiny: Encoder) -> None:
    output = tiny.forward(["bank", ("we", "sat")])
    assert output.token_types(0).tolist() == [0, 0, 0] and output.sequence_ids(0) == [None, 0, None]
    assert output.token_types(1).tolist() == [0, 0, 0, 1, 1]
    ids = tiny.forward([[2, 5, 3]])
    assert ids.token_types(0).tolist() == [0, 0, 0]
    with pytest.raises(ValueError, match="sequence_ids: known only for inputs that were texts"):
        ids.sequence_ids(0)


def test_types_reach_the_core(tiny: Encoder) -> None:
    """Where both types have the same row, a pair is the sequence of its ids; elsewhere it isn't."""
    same, other = with_types(tiny, 2, equal=True), with_types(tiny, 2)
    for encoder, equal in ((same, True), (other, False)):
        output = encoder.forward(PAIRS, layers=(0, -1))
        ids = encoder.forward([output.ids(i) for i in range(4)], layers=(0, -1))
        for i in range(4):
            first = output.sequence_ids(i).index(1) if 1 in output.sequence_ids(i) else len(output[i]) - 1
            assert np.array_equal(output.hidden_state(i, 0)[:first], ids.hidden_state(i, 0)[:first])
            assert np.array_equal(output.hidden_state(i, 0)[first:], ids.hidden_state(i, 0)[first:]) == equal
            assert np.array_equal(output.hidden_state(i), ids.hidden_state(i)) == equal


@pytest.mark.parametrize("batch_tokens", [None, 1, 9])
def test_encode(tiny: Encoder, batch_tokens: int | None) -> None:
    mixed = ["bank", *PAIRS, "we sat on the bank"]
    rows = tiny.encode(mixed, batch_tokens=batch_tokens)
    np.testing.assert_array_equal(rows, tiny.forward(mixed).pooled)
    for row, text in zip(rows, mixed, strict=True):
        np.testing.assert_array_equal(row, tiny.encode([text])[0])
    np.testing.assert_array_equal(rows, tiny.encode(iter(mixed), batch_tokens=batch_tokens))


def test_a_tuple_of_texts_is_a_sequence(tiny: Encoder) -> None:
    """A pair is only meant inside of a list."""
    np.testing.assert_array_equal(tiny.encode(("we", "sat")), tiny.encode(["we", "sat"]))
    np.testing.assert_array_equal(tiny.forward(("we", "sat")).pooled, tiny.encode(["we", "sat"]))
    pairs = (("we", "sat"), ("on", "it"))
    for inputs in (pairs, [*pairs]):
        assert len(tiny.encode(inputs)) == len(tiny.forward(inputs)) == 2
        assert tiny.forward(inputs).sequence_ids(1) == [None, 0, None, 1, None]


def test_the_longer_text_is_cut(tiny: Encoder) -> None:
    with pytest.warns(TruncationWarning, match="forward: 1 of 2 texts .*; 14 tokens") as caught:
        output = tiny.forward([("a b", "c " * 21), ("a", "b")])
    assert caught[0].filename == __file__
    assert output.truncated.tolist() == [14, 0] and output.lengths.tolist() == [12, 5]
    assert output.sequence_ids(0) == [None, 0, 0, None, *[1] * 7, None]
    with pytest.warns(TruncationWarning, match="encode: 1 of 2 texts .*; 14 tokens"):
        tiny.encode([("a b", "c " * 21), ("a", "b")])


def test_a_model_without_types(tiny: Encoder) -> None:
    encoder = with_types(tiny, 0)
    output = encoder.forward(PAIRS)
    ids = encoder.forward([output.ids(i) for i in range(4)])
    np.testing.assert_array_equal(output.pooled, ids.pooled)
    assert output.token_types(0).tolist() == [0] * 7
    assert output.sequence_ids(0) == [None, 0, 0, None, 1, 1, None]


def test_a_tokenizer_with_more_types_than_the_model(tiny: Encoder) -> None:
    encoder = with_types(tiny, 1)
    assert encoder.encode(["bank"]).shape == (1, 24)
    with pytest.raises(TokenizerError, match="the tokenizer gave token type 1, but the model has only 1"):
        encoder.encode(PAIRS)


def test_a_prompt_goes_before_the_first_text(tiny: Encoder) -> None:
    got = tiny.encode(PAIRS, prompt="the river ")
    np.testing.assert_array_equal(got, tiny.encode([("the river " + a, b) for a, b in PAIRS]))


@pytest.mark.parametrize(
    ("texts", "error", "message"),
    [
        ([("a", "b", "c")], TypeError, r"\[0\] must be a str or a tuple of two, got a tuple of 3"),
        (["a", ("a",)], TypeError, r"\[1\] must be a str or a tuple of two, got a tuple of 1"),
        ([("a", 5)], TypeError, r"\[0\]\[1\] must be a str, got int"),
        ([("a", "b"), ("a", "\ud800")], ValueError, r"\[1\]\[1\] must be valid Unicode"),
        (["a", ["a", "b"]], TypeError, r"\[1\] must be a str, got list"),
    ],
)
def test_no_pair(tiny: Encoder, texts: list[object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"encode: texts{message}"):
        tiny.encode(texts)  # type: ignore[arg-type]
    with pytest.raises(error, match=f"forward: inputs{message}"):
        tiny.forward(texts)
