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
