"""Encoder.forward and its output: layers, attention, tokens, spans, and every form of input."""

from __future__ import annotations

import numpy as np
import pytest
from polysemy import Encoder, EncoderOutput
from polysemy.errors import PoolingError, TruncationWarning

TEXTS = ["bank", "we sat on the bank of the river", "", "money , Bankers !"]


@pytest.fixture(scope="module")
def output(tiny: Encoder) -> EncoderOutput:
    return tiny.forward(TEXTS, layers=range(4), attentions=(1, 2, 3), projections="all")


def test_shapes(output: EncoderOutput) -> None:
    assert len(output) == 4 and output.lengths.tolist() == [3, 10, 2, 8]
    for i, length in enumerate(output.lengths):
        for layer in range(4):
            assert output.hidden_state(i, layer).shape == (length, 24)
        for layer in (1, 2, 3):
            weights = output.attention(i, layer)
            assert weights.shape == (3, length, length) and (weights >= 0).all()
            assert np.abs(weights.sum(-1, dtype=np.float64) - 1).max() <= 2.0**-23 * (length + 2)


def test_a_text_does_not_depend_on_its_neighbours(tiny: Encoder, output: EncoderOutput) -> None:
    for i, text in enumerate(TEXTS):
        alone = tiny.forward(text, layers=range(4), attentions=(1, 2, 3), projections="all")
        assert len(alone) == 1
        for layer in range(4):
            np.testing.assert_array_equal(alone.hidden_state(0, layer), output.hidden_state(i, layer))
        for layer in (1, 2, 3):
            np.testing.assert_array_equal(alone.attention(0, layer), output.attention(i, layer))
            for one, same in zip(alone.projections(0, layer), output.projections(i, layer), strict=True):
                np.testing.assert_array_equal(one, same)


def test_projections_are_what_attention_reads(tiny: Encoder, output: EncoderOutput) -> None:
    """With the scale of the spec they give the attention weights, and those the values' mean."""
    unit = 2.0**-24
    for i, length in enumerate(output.lengths):
        for layer in (1, 2, 3):
            q, k, v = (part.astype(np.float64) for part in output.projections(i, layer))
            assert q.shape == k.shape == v.shape == (3, length, 8)
            scores = tiny.spec.layers[layer - 1].attention.scale * q @ k.swapaxes(1, 2)
            weights = np.exp(scores - scores.max(-1, keepdims=True))
            weights /= weights.sum(-1, keepdims=True)
            # Each score is a sum of 8 products, and its error is a relative one of the weight.
            bound = 8 * unit * (1 + np.abs(q).max() * np.abs(k).max() * 8)
            assert np.abs(output.attention(i, layer) - weights).max() <= bound


def test_projections_change_nothing_else(tiny: Encoder, output: EncoderOutput) -> None:
    plain = tiny.forward(TEXTS, layers="all")
    np.testing.assert_array_equal(plain.pooled, output.pooled)
    for i in range(4):
        for layer in range(4):
            np.testing.assert_array_equal(plain.hidden_state(i, layer), output.hidden_state(i, layer))
    alone = tiny.forward(TEXTS, layers=(), projections=[-2])
    for one, same in zip(alone[1].projections(2), output[1].projections(-2), strict=True):
        np.testing.assert_array_equal(one, same)
    with pytest.raises(ValueError, match=r"projections: layer 3 was not computed; .* projections=\(2,\)"):
        alone.projections(0, -1)
    assert alone[1].projections(2).queries.base is not None, "a view and no copy"


def test_negative_layers_and_texts(output: EncoderOutput) -> None:
    np.testing.assert_array_equal(output.hidden_state(-1), output.hidden_state(3, 3))
    np.testing.assert_array_equal(output.hidden_state(0, -4), output.hidden_state(0, 0))
    np.testing.assert_array_equal(output.attention(-2, -3), output.attention(2, 1))


def test_tokens_spans_and_words(output: EncoderOutput) -> None:
    assert output.tokens(3) == ["[CLS]", "money", ",", "bank", "##er", "##s", "!", "[SEP]"]
    text = TEXTS[1]
    spans = output.spans(1)
    assert [text[a:b] for a, b in spans[1:-1]] == text.split() and spans[0] == spans[-1] == (0, 0)
    assert output.word_ids(1) == [None, 0, 1, 2, 3, 4, 5, 6, 7, None]
    assert output.special_tokens(1).tolist() == [True] + [False] * 8 + [True]
    assert output.ids(0).tolist() == [2, 5, 3]


def test_only_what_was_asked_for(tiny: Encoder) -> None:
    output = tiny.forward(TEXTS, layers=(1,), attentions=[-1])
    assert output.layers == (1,)
    with pytest.raises(ValueError, match=r"hidden_state: layer 3 was not computed; .* layers=\(1,\)"):
        output.hidden_state(0)
    with pytest.raises(ValueError, match=r"attention: layer 1 was not computed; .* attentions=\(3,\)"):
        output.attention(0, 1)
    with pytest.raises(PoolingError, match="-1 among the layers"):
        _ = output.pooled


def test_nothing_asked_for(tiny: Encoder) -> None:
    output = tiny.forward(TEXTS, layers=())
    assert output.layers == () and output.lengths.tolist() == [3, 10, 2, 8]


@pytest.mark.parametrize("layer", [4, -5, 100])
def test_no_such_layer(tiny: Encoder, output: EncoderOutput, layer: int) -> None:
    with pytest.raises(ValueError, match=rf"forward: layers\[0\] must be in 0\.\.3 or -4\.\.-1, got {layer}"):
        tiny.forward(TEXTS, layers=(layer,))
    with pytest.raises(ValueError, match=r"hidden_state: layer must be in 0\.\.3"):
        output.hidden_state(0, layer)


@pytest.mark.parametrize("layer", [0, 4, -4])
def test_no_such_attention(tiny: Encoder, output: EncoderOutput, layer: int) -> None:
    with pytest.raises(
        ValueError, match=rf"forward: attentions\[0\] must be in 1\.\.3 or -3\.\.-1, got {layer}"
    ):
        tiny.forward(TEXTS, attentions=(layer,))
    with pytest.raises(
        ValueError, match=rf"forward: projections\[0\] must be in 1\.\.3 or -3\.\.-1, got {layer}"
    ):
        tiny.forward(TEXTS, projections=(layer,))
    with pytest.raises(ValueError, match=r"attention: layer must be in 1\.\.3"):
        output.attention(0, layer)


@pytest.mark.parametrize("i", [4, -5])
def test_no_such_text(output: EncoderOutput, i: int) -> None:
    for method in (output.hidden_state, output.tokens, output.spans, output.word_ids, output.ids):
        with pytest.raises(IndexError, match=rf"text number {i} is out of range, there are 4 texts"):
            method(i)  # type: ignore[operator]


def test_wrong_types(tiny: Encoder, output: EncoderOutput) -> None:
    for argument in ("layers", "attentions", "projections"):
        for wrong in ((2, 1.0), (2, "1"), (2, True), (2, None)):
            with pytest.raises(
                TypeError, match=rf"forward: {argument}\[1\] must be an int, got {type(wrong[1]).__name__}"
            ):
                tiny.forward(TEXTS, **{argument: wrong})  # type: ignore[arg-type]
        for wrong in (1, None, np.array(1)):
            with pytest.raises(
                TypeError,
                match=f'forward: {argument} must be a sequence of int or "all", got {type(wrong).__name__}',
            ):
                tiny.forward(TEXTS, **{argument: wrong})  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=f"forward: {argument} must be .* got 'some'"):
            tiny.forward(TEXTS, **{argument: "some"})  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="text number must be an int, got str"):
        output.tokens("0")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="text number must be an int, got bool"):
        output.tokens(True)
    with pytest.raises(ValueError, match="forward: num_threads must be at most 1024, got 1025"):
        tiny.forward(TEXTS, num_threads=1025)


def test_ids_and_padded_arrays_equal_text(tiny: Encoder, output: EncoderOutput) -> None:
    rows = [output.ids(i).tolist() for i in range(4)]
    width = max(map(len, rows))
    ids, mask = np.zeros((2, 4, width), np.int64), np.zeros((2, 4, width), np.int64)
    for i, row in enumerate(rows):
        ids[0, i, : len(row)], mask[0, i, : len(row)] = row, 1
        ids[1, i, width - len(row) :], mask[1, i, width - len(row) :] = row, 1
    nested = (ids[0].tolist(), mask[0].tolist())
    for inputs in (rows, [np.array(row) for row in rows], (ids[0], mask[0]), (ids[1], mask[1]), nested):
        other = tiny.forward(inputs)
        np.testing.assert_array_equal(other.pooled, output.pooled)
        for i in range(4):
            np.testing.assert_array_equal(other.hidden_state(i), output.hidden_state(i))
            assert other.tokens(i) == output.tokens(i)
        for method in (other.spans, other.word_ids, other.special_tokens):
            with pytest.raises(ValueError, match="only for inputs that were texts"):
                method(0)


def test_no_inputs_and_empty_sequences(tiny: Encoder) -> None:
    assert len(tiny.forward([])) == 0 and tiny.forward([]).pooled.shape == (0, 24)
    output = tiny.forward([[], [2, 5, 3], []], attentions=(1,))
    assert output.hidden_state(0).shape == (0, 24) and output.attention(2, 1).shape == (3, 0, 0)
    np.testing.assert_array_equal(output.pooled[[0, 2]], np.zeros((2, 24), np.float32))
    np.testing.assert_array_equal(output.hidden_state(1), tiny.forward([[2, 5, 3]]).hidden_state(0))


def test_truncation_is_told(tiny: Encoder) -> None:
    with pytest.warns(TruncationWarning, match="forward: 1 of 2 texts") as caught:
        output = tiny.forward(["a " * 15, "a"])
    assert caught[0].filename == __file__
    assert output.truncated.tolist() == [5, 0] and output.lengths.tolist() == [12, 3]


@pytest.mark.parametrize(
    ("inputs", "error", "message"),
    [
        (5, TypeError, "inputs must be texts, a list of token id sequences"),
        (b"bank", TypeError, "inputs must be texts"),
        ({"input_ids": [[1]]}, TypeError, "got dict"),
        (np.ones((2, 3), int), TypeError, "must have a mask"),
        ([1, 2], TypeError, r"inputs\[0\] must be a text or a sequence of token ids, got one int"),
        ([[1], 2], TypeError, r"inputs\[1\] must be a sequence of token ids, got one int"),
        (
            [{"input_ids": [1]}],
            TypeError,
            r"inputs\[0\] must be a text or a sequence of token ids, got one dict",
        ),
        (["a", 5], TypeError, r"inputs\[1\] must be a str, got int"),
        ([[1], "a"], TypeError, r"inputs\[1\]"),
        ([[32]], ValueError, r"token ids must be in 0\.\.31, got 32"),
        ([[-1]], ValueError, "got -1"),
        ([[1] * 21], ValueError, "at most 20 tokens, got 21"),
        (["a", "\ud800"], ValueError, r"forward: inputs\[1\] must be valid Unicode"),
        (np.array("bank"), TypeError, "inputs must be texts"),
        (([2, 5, 3, 0], [1, 1, 1, 0]), ValueError, "must be two 2-D arrays .* pass a list for two sequences"),
        ((np.array([2, 5]), np.array([1, 1])), ValueError, "must be two 2-D arrays"),
        ({"a": 1}.values(), TypeError, "got dict_values"),
        ([np.array(5)], ValueError, r"inputs\[0\] must be 1-D, got shape \(\)"),
    ],
)
def test_bad_inputs(tiny: Encoder, inputs: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        tiny.forward(inputs)  # type: ignore[arg-type]


def test_indexing_and_iteration(output: EncoderOutput) -> None:
    views = [*output]
    assert len(views) == 4 and [len(view) for view in views] == output.lengths.tolist()
    for i, view in enumerate(views):
        for same in (view, output[i], output[i - 4], output[np.int64(i)]):
            np.testing.assert_array_equal(same.hidden_states, output.hidden_state(i))
            np.testing.assert_array_equal(same.pooled, output.pooled[i])
        for layer in range(4):
            np.testing.assert_array_equal(view.hidden_state(layer), output.hidden_state(i, layer))
        np.testing.assert_array_equal(view.attention(-1), output.attention(i, 3))
        assert (view.tokens, view.spans, view.word_ids) == (
            output.tokens(i),
            output.spans(i),
            output.word_ids(i),
        )
        assert view.sequence_ids == output.sequence_ids(i) and view.truncated == 0
        for name in ("ids", "token_types", "special_tokens"):
            np.testing.assert_array_equal(getattr(view, name), getattr(output, name)(i))
    assert np.shares_memory(output[1].hidden_states, output.hidden_state(1)), "a view and no copy"
    assert repr(output[1]) == "TextOutput(10 tokens, layers [0, 1, 2, 3])"


def test_a_text_that_is_not_there(tiny: Encoder, output: EncoderOutput) -> None:
    for i in (4, -5):
        with pytest.raises(IndexError, match=rf"text number {i} is out of range, there are 4 texts"):
            output[i]
    for wrong in ("0", slice(2), 1.0):
        with pytest.raises(TypeError, match="text number must be an int"):
            output[wrong]  # type: ignore[index]
    with pytest.raises(ValueError, match="hidden_state: layer 3 was not computed"):
        _ = tiny.forward("bank", layers=(0,))[0].hidden_states


def test_repr(tiny: Encoder, output: EncoderOutput) -> None:
    assert repr(output) == (
        "EncoderOutput(4 texts, 23 tokens, layers [0, 1, 2, 3], attentions [1, 2, 3], "
        "projections [1, 2, 3], pooled (4, 24))"
    )
    assert "layers=3, hidden=24, heads=3" in repr(tiny) and "pooling=mean, precision=float32" in repr(tiny)
