"""Encoder.encode: forms of input and output, options, errors."""

from __future__ import annotations

import io
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray
from polysemy import Encoder
from polysemy.errors import PoolingError, TokenizerError, TruncationWarning
from tiny_models import MODULES, SPEC, random_weights, write_sentence_model, write_transformer

TEXTS = ["bank", "we sat on the bank of the river", "", "money , money !", "i", "deposited " * 9]
U = 2.0**-24


@pytest.fixture(scope="module")
def expected(tiny: Encoder) -> NDArray[np.float32]:
    return np.stack([tiny.encode(text) for text in TEXTS])


def test_one_text_is_one_vector(tiny: Encoder) -> None:
    vector = tiny.encode("bank")
    assert vector.shape == (24,) == (tiny.dim,) and vector.dtype == np.float32
    assert abs(np.linalg.norm(vector.astype(np.float64)) - 1) <= 8 * U


@pytest.mark.parametrize(
    "form",
    [list, tuple, iter, np.array, lambda texts: np.array(texts, object), lambda texts: (t for t in texts)],
)
@pytest.mark.parametrize("batch_tokens", [None, 1, 7, 16, 2**70])
def test_any_form_any_batch_same_bits(
    tiny: Encoder, expected: NDArray[np.float32], form: object, batch_tokens: int | None
) -> None:
    got = tiny.encode(form(TEXTS), batch_tokens=batch_tokens)  # type: ignore[operator]
    assert got.dtype == np.float32 and got.flags.c_contiguous
    np.testing.assert_array_equal(got, expected)


def test_order_over_several_chunks(tiny: Encoder) -> None:
    texts = [TEXTS[i % 4] for i in range(5000)]
    rows = tiny.encode(iter(texts))
    np.testing.assert_array_equal(rows, np.tile(tiny.encode(TEXTS[:4]), (1250, 1)))


def test_no_texts(tiny: Encoder) -> None:
    assert tiny.encode([]).shape == (0, 24) == tiny.encode(iter([])).shape


def test_pooling_is_the_mean_of_the_last_layer(tiny: Encoder, expected: NDArray[np.float32]) -> None:
    output = tiny.forward(TEXTS)
    for i in range(len(TEXTS)):
        mean = output.hidden_state(i).astype(np.float64).mean(0)
        np.testing.assert_allclose(expected[i], mean / np.linalg.norm(mean), atol=16 * U, rtol=0)
    np.testing.assert_array_equal(output.pooled, expected)


def test_normalize(tiny: Encoder, expected: NDArray[np.float32]) -> None:
    raw = tiny.encode(TEXTS, normalize=False)
    lengths = np.linalg.norm(raw.astype(np.float64), axis=1, keepdims=True)
    assert np.abs(lengths - 1).max() > 0.1
    np.testing.assert_allclose(expected, raw / lengths, atol=8 * U, rtol=0)
    np.testing.assert_array_equal(tiny.encode(TEXTS, normalize=True), expected)


def test_truncate_dim(tiny: Encoder, expected: NDArray[np.float32]) -> None:
    raw = tiny.encode(TEXTS, normalize=False)
    np.testing.assert_array_equal(tiny.encode(TEXTS, normalize=False, truncate_dim=5), raw[:, :5])
    cut = tiny.encode(TEXTS, truncate_dim=5)
    exact = raw[:, :5].astype(np.float64)
    np.testing.assert_allclose(cut, exact / np.linalg.norm(exact, axis=1, keepdims=True), atol=8 * U, rtol=0)
    np.testing.assert_array_equal(tiny.encode(TEXTS, truncate_dim=24), expected)
    assert tiny.encode("bank", truncate_dim=1).shape == (1,)


def test_out(tiny: Encoder, expected: NDArray[np.float32]) -> None:
    for texts in (TEXTS, iter(TEXTS)):
        out = np.full((6, 24), np.nan, np.float32)
        assert tiny.encode(texts, out=out) is out
        np.testing.assert_array_equal(out, expected)
    one = np.full(24, np.nan, np.float32)
    assert tiny.encode(TEXTS[1], out=one) is one
    np.testing.assert_array_equal(one, expected[1])


@pytest.mark.parametrize(
    ("out", "error", "message"),
    [
        (np.zeros((6, 24)), TypeError, "out must have dtype float32, got float64"),
        (np.zeros((6, 24), ">f4"), TypeError, "dtype"),
        ([[0.0] * 24] * 6, TypeError, "out must be a numpy.ndarray, got list"),
        (np.zeros((5, 24), np.float32), ValueError, r"out must have shape \(6, 24\), got \(5, 24\)"),
        (np.zeros((6, 25), np.float32), ValueError, "shape"),
        (np.zeros(144, np.float32), ValueError, "shape"),
        (np.zeros((24, 6), np.float32).T, ValueError, "C-contiguous"),
        (np.zeros((6, 48), np.float32)[:, ::2], ValueError, "C-contiguous"),
        (np.frombuffer(bytes(576), np.float32).reshape(6, 24), ValueError, "writeable"),
        (np.frombuffer(bytearray(577), np.uint8)[1:].view(np.float32).reshape(6, 24), ValueError, "aligned"),
    ],
)
def test_bad_out(tiny: Encoder, out: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        tiny.encode(TEXTS, out=out)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rows", "message"), [(5, "more texts than the 5 rows"), (7, "texts must be 7, as announced, got 6")]
)
def test_out_of_another_length_than_the_iterable(tiny: Encoder, rows: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tiny.encode(iter(TEXTS), out=np.zeros((rows, 24), np.float32), batch_tokens=3)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"batch_tokens": 0}, ValueError, "batch_tokens must be at least 1, got 0"),
        ({"batch_tokens": 2.5}, TypeError, "batch_tokens must be an int, got float"),
        ({"batch_tokens": True}, TypeError, "batch_tokens must be an int, got bool"),
        ({"truncate_dim": 0}, ValueError, "truncate_dim must be at least 1"),
        ({"truncate_dim": 25}, ValueError, "truncate_dim must be at most 24, got 25"),
        ({"num_threads": 0}, ValueError, "num_threads must be at least 1, got 0"),
        ({"num_threads": "2"}, TypeError, "num_threads must be an int, got str"),
        ({"num_threads": 1025}, ValueError, "num_threads must be at most 1024, got 1025"),
        ({"num_threads": 2**70}, ValueError, "num_threads must be at most 1024"),
        ({"normalize": "no"}, TypeError, "normalize must be True, False or None, got str"),
        ({"show_progress": 1}, TypeError, "show_progress must be True, False or None, got int"),
        ({"prompt": 5}, TypeError, "prompt must be a str, got int"),
        ({"prompt": "\ud800"}, ValueError, "prompt must be valid Unicode"),
        ({"prompt_name": "query"}, ValueError, r"prompt_name must be one of \[\], got 'query'"),
        ({"prompt_name": ["query"]}, ValueError, r"prompt_name must be one of \[\], got \['query'\]"),
    ],
)
def test_bad_options(
    tiny: Encoder, arguments: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"encode: {message}"):
        tiny.encode(TEXTS, **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "texts",
    [b"bank", 5, None, {"a": 1}, {"a"}, ["a", 5], [["a"]], [b"a"], np.array("bank"), np.array([["a"]])],
)
def test_bad_texts(tiny: Encoder, texts: object) -> None:
    with pytest.raises(TypeError, match=r"encode: texts(\[\d\])? must be a"):
        tiny.encode(texts)  # type: ignore[arg-type]


@pytest.mark.parametrize("place", [0, 3000])
def test_a_text_that_is_none(tiny: Encoder, place: int) -> None:
    """It is named by its number in the whole input, whatever is tokenized at once."""
    with pytest.raises(ValueError, match=rf"encode: texts\[{place}\] must be valid Unicode"):
        tiny.encode([*["a"] * place, "\ud800"])


def test_truncation_warns_once_with_the_count(tiny: Encoder) -> None:
    long = ["we sat on the bank " * 5, "bank", "a " * 11]
    with pytest.warns(TruncationWarning) as caught:
        tiny.encode(iter(long), batch_tokens=1)
    assert len(caught) == 1 and caught[0].filename == __file__
    assert str(caught[0].message) == (
        "encode: 2 of 3 texts were longer than max_seq_length=12 tokens; 16 tokens were left out"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tiny.encode(["a " * 10])


def test_truncation_is_counted_over_all_chunks(tiny: Encoder) -> None:
    texts = ["a " * 11, *["a"] * 2100, "a " * 13]
    with pytest.warns(TruncationWarning, match=r"2 of 2102 texts .*; 4 tokens were left out") as caught:
        tiny.encode(iter(texts))
    assert len(caught) == 1


def test_cut_text_is_the_text_up_to_the_limit(tiny: Encoder) -> None:
    with pytest.warns(TruncationWarning):
        cut = tiny.encode("river " * 30)
    np.testing.assert_array_equal(cut, tiny.encode("river " * 10))


@pytest.mark.parametrize(
    ("show", "terminal", "seen"),
    [(None, False, False), (None, True, True), (False, True, False), (True, False, True)],
)
def test_progress(
    tiny: Encoder, monkeypatch: pytest.MonkeyPatch, show: bool | None, terminal: bool, seen: bool
) -> None:
    stream = io.StringIO()
    stream.isatty = lambda: terminal  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stderr", stream)
    tiny.encode(TEXTS, show_progress=show)
    assert ("6/6" in stream.getvalue()) == seen
    tiny.encode(TEXTS[0], show_progress=show)
    assert "1/1" not in stream.getvalue(), "one text is no long work"
    monkeypatch.setattr(sys, "stderr", None)  # as where it was closed
    assert tiny.encode(TEXTS, show_progress=show).shape == (6, 24)


def test_progress_in_a_notebook(tiny: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its bars are those of tqdm.auto, shown though standard error is no terminal."""
    made = []

    class Bar:
        def __init__(self, **options: object) -> None:
            made.append(options)

        def update(self, n: int) -> None:
            made.append(n)

        def __enter__(self) -> Bar:
            return self

        def __exit__(self, *_: object) -> None: ...

    shell = SimpleNamespace(config={"IPKernelApp": {}})
    monkeypatch.setattr("tqdm.auto.tqdm", Bar)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    tiny.encode(TEXTS)
    assert made[0]["total"] == 6 and sum(made[1:]) == 6
    made.clear()
    tiny.encode(TEXTS, show_progress=False)
    shell.config.clear()  # IPython on a terminal, or in no kernel
    tiny.encode(TEXTS)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))
    tiny.encode(TEXTS)
    assert not made


def test_a_model_without_pooling(tmp_path: Path) -> None:
    folder = write_transformer(tmp_path / "m")
    plain = Encoder.from_pretrained(folder)
    with pytest.raises(PoolingError, match=r"does not say how to pool .* pass pooling="):
        plain.encode("bank")
    assert plain.dim == 24 and plain.forward("bank").hidden_state(0).shape == (3, 24)
    with pytest.raises(PoolingError, match="pooled is not there"):
        _ = plain.forward("bank").pooled
    chosen = Encoder.from_pretrained(folder, pooling="cls")
    np.testing.assert_array_equal(chosen.encode("bank"), plain.forward("bank").hidden_state(0)[0])


def test_a_pooling_replaces_what_the_model_says(tmp_path: Path) -> None:
    """The model's normalisation goes with it."""
    folder = write_sentence_model(tmp_path / "m")
    chosen = Encoder.from_pretrained(folder, pooling="max")
    states = chosen.forward("the bank").hidden_state(0)
    np.testing.assert_array_equal(chosen.encode("the bank"), states.max(axis=0))


def test_several_poolings(tmp_path: Path) -> None:
    folder = write_transformer(tmp_path / "m")
    both = Encoder.from_pretrained(folder, pooling=["max", "cls"])
    got = both.encode(TEXTS[:3])
    assert both.dim == 48
    for half, name in ((slice(24), "max"), (slice(24, 48), "cls")):
        single = Encoder.from_pretrained(folder, pooling=name)
        np.testing.assert_array_equal(got[:, half], single.encode(TEXTS[:3]))


def test_prompts(tmp_path: Path, tiny: Encoder) -> None:
    prompts = {"prompts": {"query": "we sat on ", "empty": ""}, "default_prompt_name": "query"}
    encoder = Encoder.from_pretrained(write_sentence_model(tmp_path / "m", prompts=prompts))
    np.testing.assert_array_equal(encoder.encode("the bank"), tiny.encode("we sat on the bank"))
    for none in ("", "empty"):
        np.testing.assert_array_equal(encoder.encode("bank", prompt_name=none), tiny.encode("bank"))
    assert encoder.card.prompts == prompts["prompts"] and encoder.card.default_prompt == "query"


def test_a_prompt_as_text(tmp_path: Path, tiny: Encoder) -> None:
    prompts = {"prompts": {"query": "we sat on "}, "default_prompt_name": "query"}
    encoder = Encoder.from_pretrained(write_sentence_model(tmp_path / "m", prompts=prompts))
    for prompt in ("", "the "):
        got = encoder.encode(["bank", "river"], prompt=prompt)
        np.testing.assert_array_equal(got, tiny.encode([prompt + "bank", prompt + "river"]))
    for name in ("query", ""):
        with pytest.raises(
            ValueError, match="encode: prompt must not be given beside prompt_name, got 'the '"
        ):
            encoder.encode("bank", prompt="the ", prompt_name=name)


def test_prompts_outside_of_the_pooling(tmp_path: Path) -> None:
    pooling = {"pooling_mode": "mean", "include_prompt": False}
    prompts = {"prompts": {"query": "we sat "}}
    folder = write_sentence_model(tmp_path / "m", modules=MODULES, pooling=pooling, prompts=prompts)
    encoder = Encoder.from_pretrained(folder)
    assert encoder.encode("bank").shape == (24,)
    states = encoder.forward("we sat bank").hidden_state(0)  # [CLS] we sat bank [SEP]
    expected = states[3:].mean(axis=0)
    expected /= np.linalg.norm(expected)
    for got in (encoder.encode("bank", prompt_name="query"), encoder.encode("bank", prompt="we sat ")):
        # Of a unit vector: a mean, a sum of 24 squares, a root and a quotient, each rounded, here and there.
        np.testing.assert_allclose(got, expected, rtol=0, atol=2 * (24 + 4) * U)


def test_an_encoder_of_ids_only() -> None:
    encoder = Encoder(SPEC, random_weights())
    assert encoder.forward([[2, 5, 3]]).hidden_state(0).shape == (3, 24)
    with pytest.raises(TokenizerError, match="forward: this encoder has no tokenizer"):
        encoder.forward("bank")
    with pytest.raises(PoolingError):
        encoder.encode("bank")
