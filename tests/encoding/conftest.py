"""What the tests of the encoder share."""

from __future__ import annotations

import pytest
from polysemy import Encoder
from polysemy.io.sentence import read_sentence_folder
from tiny_models import write_sentence_model


@pytest.fixture(scope="session")
def default() -> Encoder:
    """The default model, all-MiniLM-L6-v2."""
    return Encoder.from_pretrained()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    """A small random model with mean pooling and normalisation."""
    folder = write_sentence_model(tmp_path_factory.mktemp("tiny") / "m", settings={"max_seq_length": 12})
    assert read_sentence_folder(folder).max_seq_length == 12
    return Encoder.from_pretrained(folder)
