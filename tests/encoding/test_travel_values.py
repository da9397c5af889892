"""Packed weights, outputs and tokenizers go to other processes, and come out the same."""

from __future__ import annotations

import copy
import hashlib
import pickle
import weakref
from typing import Any

import numpy as np
import pytest
from polysemy import Encoder, _core, ops
from polysemy.text.tokenizer import TextTokenizer
from tokenizers import Tokenizer, models, pre_tokenizers, processors


def sent(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


@pytest.mark.parametrize("precision", _core.PRECISIONS)
@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (16, 16), (33, 70), (17, 97), (0, 4), (4, 0)])
def test_packed_weights(shape: tuple[int, int], precision: str) -> None:
    matrix = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    matrix.reshape(-1)[::3] = -0.0
    matrix.reshape(-1)[1::50] = np.nan
    weight = ops.PackedWeight(matrix, precision)
    again = sent(weight)
    assert (again.shape, again.precision, again.nbytes) == (shape, precision, weight.nbytes)
    assert pickle.dumps(again) == pickle.dumps(weight) == pickle.dumps(ops.PackedWeight(matrix, precision))
    n, k = weight.packed.shape
    x = np.ones((2, k), np.float32)
    for isa in _core.isas():
        out, expected = np.empty((2, 2, n), np.float32)
        _core.linear(x, again.packed, None, None, None, out, isa=isa)
        _core.linear(x, weight.packed, None, None, None, expected, isa=isa)
        assert out.tobytes() == expected.tobytes(), isa
    assert copy.copy(weight) is copy.deepcopy(weight) is weight is weakref.ref(weight)()


# Of 40 outputs and 200 inputs that every precision holds exactly. Other bytes are another layout: then
# kPackedLayout in csrc/ops/linear.h has to be another number.
LAYOUTS = {
    2: {
        "float32": "54c8cbe46c29344b",
        "bfloat16": "f3a4689f8936a066",
        "float16": "24dc7e1b44c93a49",
        "int8": "5c35c978640a680f",
        "int16": "5016678a3f34aca0",
    },
}


def test_a_layout_has_a_number_of_its_own() -> None:
    rows, columns = np.arange(40)[:, None], np.arange(200)
    matrix = np.where((rows + columns) % 3 == 0, 127.0, (rows * 5 + columns * 3) % 64).astype(np.float32)
    packed = {}
    for precision in _core.PRECISIONS:
        *_, (layout, array) = _core.PackedWeight(matrix, precision).__getstate__()
        packed[precision] = hashlib.sha256(array.tobytes()).hexdigest()[:16]
    assert packed == LAYOUTS[layout]


def test_a_state_that_does_not_fit() -> None:
    n, k, precision, (layout, packed) = _core.PackedWeight(np.ones((3, 4), np.float32)).__getstate__()
    for state, message in (
        (
            (n, k + 1, precision, (layout, packed)),
            f"must have {len(packed) // k * (k + 1)} bytes, got {len(packed)}",
        ),
        ((n, k, precision, (layout + 1, packed)), f"must have layout {layout}, got {layout + 1}"),
        ((n, k, "float8", (layout, packed)), "precision must be one of"),
        ((n, k, precision), "the state must have 4 values, got 3"),
    ):
        with pytest.raises(ValueError, match=message):
            _core.PackedWeight.__new__(_core.PackedWeight).__setstate__(state)  # type: ignore[arg-type]


def same(a: Any, b: Any) -> bool:
    return bool(np.array_equal(a, b)) if isinstance(a, np.ndarray) else bool(a == b)


def test_outputs(default: Encoder) -> None:
    inputs: list[Any] = ["the bank", ("a river", "of money"), "x"]
    output = default.forward(inputs, layers=(0, -1), attentions=(2,))
    again = sent(output)
    assert len(pickle.dumps(default.forward("the bank"))) < 16_384, "without its tokenizer"
    assert len(again) == 3 and again.layers == output.layers
    assert same(again.pooled, output.pooled) and same(again.truncated, output.truncated)
    for i in range(3):
        alone = sent(output[i])
        for name in ("ids", "token_types", "tokens", "spans", "word_ids", "sequence_ids", "special_tokens"):
            expected = getattr(output, name)(i)
            assert same(getattr(again, name)(i), expected) and same(getattr(alone, name), expected), name
        assert same(again.hidden_state(i, 0), output.hidden_state(i, 0))
        assert same(alone.hidden_state(0), output.hidden_state(i, 0))
        assert same(again.attention(i, 2), output.attention(i, 2))
        assert same(alone.attention(2), output.attention(i, 2))
        assert same(alone.pooled, output.pooled[i])
    assert pickle.dumps(again) == pickle.dumps(sent(again))
    assert weakref.ref(output)() is output and same(copy.deepcopy(output).pooled, output.pooled)


def test_outputs_of_ids(default: Encoder) -> None:
    output = default.forward([[101, 2924, 102], [101, 102]])
    again = sent(output)
    assert again.tokens(0) == output.tokens(0) == ["[CLS]", "bank", "[SEP]"]
    assert again[1].tokens == ["[CLS]", "[SEP]"]
    with pytest.raises(ValueError, match="known only for inputs that were texts"):
        again.spans(0)
    assert len(sent(default.forward([]))) == 0


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("split", [False, True])
def test_tokenizers(side: str, split: bool) -> None:
    library = Tokenizer(models.WordLevel({"a": 0, "b": 1, "?": 2, "[S]": 3}, unk_token="?"))
    library.pre_tokenizer = pre_tokenizers.Whitespace()
    library.add_special_tokens(["[S]"])
    library.post_processor = processors.TemplateProcessing(single="[S] $A", special_tokens=[("[S]", 3)])
    library.encode_special_tokens = split
    tokenizer = TextTokenizer(library, 4, side=side, roles={"pad_token": 0}, cleaned=True)
    texts = ["a b a b a", "[S] b", ""]
    for copied, length in ((sent(tokenizer), 4), (tokenizer.limited(3, "max_length"), 3)):
        original = TextTokenizer(library, length, side=side, roles={"pad_token": 0}, cleaned=True)
        for mine, other in zip(original.encode(texts), copied.encode(texts), strict=True):
            assert (mine.ids, mine.offsets) == (other.ids, other.offsets)
        assert (copied.max_length, copied.roles) == (length, original.roles)
        assert copied.decode([0, 1]) == original.decode([0, 1])
