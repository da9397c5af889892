"""What is typed every day: all layers, short names, another length, similarities."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from polysemy import CrossEncoder, Encoder, ModelNotFoundError, SentenceTransformer, TruncationWarning
from polysemy.io import hub
from tiny_models import write_sentence_model, write_transformer


def test_all_layers(tmp_path: Path) -> None:
    encoder = Encoder.from_pretrained(write_transformer(tmp_path / "m"))
    output = encoder.forward("we sat on the bank", layers="all", attentions="all")
    assert output.layers == (0, 1, 2, 3)
    some = encoder.forward("we sat on the bank", layers=[0, 2], attentions=[1, 3])
    for layer in (0, 2):
        np.testing.assert_array_equal(output.hidden_state(0, layer), some.hidden_state(0, layer))
    for layer in (1, 3):
        np.testing.assert_array_equal(output.attention(0, layer), some.attention(0, layer))
    assert output.attention(0, 2).shape == (3, 7, 7)
    with pytest.raises(TypeError, match="layers"):
        encoder.forward("we", layers="some")


def test_short_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelNotFoundError, match="sentence-transformers/all-mpnet-base-v2"):
        hub.resolve("all-mpnet-base-v2")
    with pytest.raises(ModelNotFoundError) as error:
        hub.resolve("some-model")
    assert "sentence-transformers" not in str(error.value)


def test_revisions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    for commit in ("aaa1", "bbb2"):
        write_transformer(tmp_path / "models--org--m" / "snapshots" / commit)
    refs = tmp_path / "models--org--m" / "refs"
    refs.mkdir()
    (refs / "main").write_text("aaa1")
    (refs / "v2").write_text("bbb2")
    for revision, commit in ((None, "aaa1"), ("v2", "bbb2"), ("bbb2", "bbb2"), ("main", "aaa1")):
        options = hub.HubOptions(revision, tmp_path, local_files_only=True)
        assert hub.resolve("org/m", options).folder.name == commit
    with pytest.raises(ModelNotFoundError, match="local_files_only"):
        Encoder.from_pretrained("org/m", revision="v3", cache_folder=tmp_path, local_files_only=True)
    for wrong in ("../v2", "a//b", ""):
        with pytest.raises(ValueError, match="revision"):
            hub.HubOptions(wrong)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("revision", 3, "revision must be a str or None, got int"),
        ("cache_folder", 3, "cache_folder must be a str, a path or None, got int"),
        ("cache_folder", b"/tmp", "cache_folder must be a str, a path or None, got bytes"),
        ("cache_folder", ["/tmp"], "cache_folder must be a str, a path or None, got list"),
        ("local_files_only", "no", "local_files_only must be True or False, got str"),
        ("local_files_only", None, "local_files_only must be True or False, got NoneType"),
        ("token", b"hf_secret", "token must be a str, True, False or None, got bytes"),
        ("token", 1.0, "token must be a str, True, False or None, got float"),
    ],
)
@pytest.mark.parametrize("load", [Encoder.from_pretrained, CrossEncoder, SentenceTransformer])
def test_options_of_a_wrong_type(load: Any, option: str, value: object, message: str) -> None:
    with pytest.raises(TypeError, match=message) as error:
        load("org/m", **{option: value})
    assert "secret" not in str(error.value)


def test_words_of_several_texts_and_layers(tmp_path: Path) -> None:
    encoder = Encoder.from_pretrained(write_transformer(tmp_path / "m"))
    texts = ["we sat on the bank", "the bank of the bank"]
    found = encoder.word_vectors(texts, "bank", "all")
    assert [array.shape for array in found] == [(4, 1, 24), (4, 2, 24)]
    for text, array in zip(texts, found, strict=True):
        for layer in range(4):
            np.testing.assert_array_equal(array[layer], encoder.word_vectors(text, "bank", layer))
    np.testing.assert_array_equal(encoder.word_vectors(texts[0], "bank", [3, 0]), found[0][[3, 0]])


def test_words_of_columns(tmp_path: Path) -> None:
    encoder = Encoder.from_pretrained(write_transformer(tmp_path / "m"))
    texts = ["we sat on the bank", "the bank of the bank"]
    expected = encoder.word_vectors(texts, "bank")
    for column in (np.array(texts), np.array(texts, dtype=object), (text for text in texts), tuple(texts)):
        found = encoder.word_vectors(column, "bank")
        assert [array.tobytes() for array in found] == [array.tobytes() for array in expected]
    for wrong in ({"a": 1}, 3, np.array([texts])):
        with pytest.raises(TypeError, match=r"word_vectors: text must be a str or a list of str, got"):
            encoder.word_vectors(wrong, "bank")  # type: ignore[call-overload]
    with pytest.raises(TypeError, match=r"word_vectors: text\[1\] must be a str, got int"):
        encoder.word_vectors(["a", 1], "a")  # type: ignore[list-item]
    with pytest.raises(
        TypeError, match=r'word_vectors: layer must be a sequence of int or "all", got \'last\''
    ):
        encoder.word_vectors(texts, "bank", "last")


LONG = "the bank of the river " * 3


def test_a_longer_limit(tmp_path: Path) -> None:
    """Up to the positions of the model, 20 here, where its folder says 12; vectors are those of the longer text."""
    folder = write_sentence_model(tmp_path / "m", settings={"max_seq_length": 12})
    plain = Encoder.from_pretrained(folder)
    message = r"from_pretrained: max_seq_length is raised from 12 to 17: .* up to 12 tokens"
    with pytest.warns(UserWarning, match=message) as caught:
        longer = Encoder.from_pretrained(folder, max_seq_length=17)
    assert [w.filename for w in caught] == [__file__]
    assert (plain.max_seq_length, longer.max_seq_length) == (12, 17)
    assert longer.forward(LONG).lengths.tolist() == [17]
    with pytest.warns(TruncationWarning):
        assert plain.forward(LONG).lengths.tolist() == [12]
    ids = longer.forward(LONG).ids(0)
    np.testing.assert_array_equal(longer.encode(LONG), plain.forward([ids]).pooled[0])
    with pytest.warns(UserWarning, match="with_max_seq_length: max_seq_length is raised from 12 to 20"):
        other = plain.with_max_seq_length(20)
    assert (plain.max_seq_length, other.max_seq_length) == (12, 20)
    assert other.encode(LONG).tobytes() == longer.encode(LONG).tobytes()


def test_a_shorter_limit(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    folder = write_sentence_model(tmp_path / "m", settings={"max_seq_length": 12})
    short = Encoder.from_pretrained(folder, max_seq_length=5)
    assert short.max_seq_length == short.with_max_seq_length(5).max_seq_length == 5 and not recwarn.list
    assert short.with_max_seq_length(4).max_seq_length == 4 and not recwarn.list
    for length, error, said in (
        (21, ValueError, "must be at most 20, got 21"),
        (0, ValueError, "must be at least 1, got 0"),
        (1, ValueError, "must be at least 2, the special tokens of a text, got 1"),
        (10**5000, ValueError, "must be at most 20, got an int of 16610 bits"),
        ("12", TypeError, "must be an int, got str"),
        (True, TypeError, "must be an int, got bool"),
    ):
        for call in (
            lambda value: Encoder.from_pretrained(folder, max_seq_length=value),
            short.with_max_seq_length,
        ):
            with pytest.raises(error, match=f"max_seq_length {said}"):
                call(length)  # type: ignore[arg-type]


def test_a_limit_of_sentence_transformers(tmp_path: Path) -> None:
    """Its attribute can be set."""
    folder = write_sentence_model(tmp_path / "m", settings={"max_seq_length": 12})
    model = SentenceTransformer(folder)
    with pytest.warns(UserWarning, match="raised from 12 to 18"):
        model.max_seq_length = 18
    assert model.max_seq_length == model.get_max_seq_length() == 18
    expected = model.encoder.forward(LONG)
    assert expected.lengths.tolist() == [17]
    np.testing.assert_array_equal(model.encode(LONG), expected.pooled[0])
    model.max_seq_length = 4
    assert model.tokenize(["the bank"])["input_ids"].shape == (1, 4)


@pytest.mark.parametrize("name", [None, "cosine", "dot", "euclidean", "manhattan"])
def test_similarity(tmp_path: Path, name: str | None) -> None:
    folder = write_sentence_model(tmp_path / "m", prompts={"similarity_fn_name": name})
    encoder = Encoder.from_pretrained(folder)
    a, b = encoder.encode(["the bank", "money"]), encoder.encode(["river", "new york", "we sat"])
    found = encoder.similarity(a, b)
    assert found.shape == (2, 3) and found.dtype == np.float32
    np.testing.assert_array_equal(found, SentenceTransformer(folder).similarity(a, b))
    wide, other = a[:, None].astype(np.float64), b.astype(np.float64)
    exact = {
        "dot": (wide * other).sum(-1),
        "euclidean": -np.sqrt(((wide - other) ** 2).sum(-1)),
        "manhattan": -np.abs(wide - other).sum(-1),
    }.get(name or "", (wide * other).sum(-1))  # the vectors have length 1
    assert np.abs(found - exact).max() <= 24 * 2.0**-23 * max(1.0, np.abs(exact).max())


def test_an_unknown_similarity(tmp_path: Path) -> None:
    encoder = Encoder.from_pretrained(
        write_sentence_model(tmp_path / "m", prompts={"similarity_fn_name": "hamming"})
    )
    with pytest.raises(ValueError, match=r"similarity: similarity must be one of cosine, .* got 'hamming'"):
        encoder.similarity(np.ones((1, 3)), np.ones((1, 3)))
