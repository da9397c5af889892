"""What is typed every day: all layers, short names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from polysemy import Encoder, ModelNotFoundError
from polysemy.io import hub
from tiny_models import write_transformer


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
    for wrong in ("../v2", "a//b", "", 3):
        with pytest.raises(ValueError, match="revision"):
            hub.HubOptions(wrong)  # type: ignore[arg-type]


def test_words_of_several_texts_and_layers(tmp_path: Path) -> None:
    encoder = Encoder.from_pretrained(write_transformer(tmp_path / "m"))
    texts = ["we sat on the bank", "the bank of the bank"]
    found = encoder.word_vectors(texts, "bank", "all")
    assert [array.shape for array in found] == [(4, 1, 24), (4, 2, 24)]
    for text, array in zip(texts, found, strict=True):
        for layer in range(4):
            np.testing.assert_array_equal(array[layer], encoder.word_vectors(text, "bank", layer))
    np.testing.assert_array_equal(encoder.word_vectors(texts[0], "bank", [3, 0]), found[0][[3, 0]])
