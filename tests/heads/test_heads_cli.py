"""The commands that use a head."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from head_models import Built, build
from polysemy import CrossEncoder, FillMask, TextClassifier, TokenClassifier, ZeroShotClassifier
from polysemy.cli import main

Checkpoint = Callable[[str, str], Built]
LINES = ["we sat on the bank", "money", "the river of new york"]


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "texts.txt"
    path.write_text("\n".join(LINES) + "\n")
    return str(path)


def test_rerank(tmp_path: Path, file: str, capsys: pytest.CaptureFixture[str]) -> None:
    folder = build("bert", "SequenceClassification", tmp_path, {0: "relevant"}).folder
    assert main(["rerank", "bank", file, "--model", str(folder), "--top-k", "2", "--json"]) == 0
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    ranked = CrossEncoder(folder).rank("bank", LINES, top_k=2)
    assert printed == [
        {"line": hit["corpus_id"] + 1, "score": hit["score"], "text": LINES[hit["corpus_id"]]}
        for hit in ranked
    ]
    assert main(["rerank", "bank", file, "--model", str(folder)]) == 0
    assert capsys.readouterr().out.splitlines()[0].endswith("\t" + printed[0]["text"])
    assert main(["info", str(folder)]) == 0
    assert "heads" in capsys.readouterr().out


def test_classify(file: str, checkpoint: Checkpoint, capsys: pytest.CaptureFixture[str]) -> None:
    def printed(*arguments: str) -> list[object]:
        assert main(["classify", file, "--json", *arguments]) == 0
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    sequence = checkpoint("bert", "SequenceClassification").folder
    tokens = checkpoint("bert", "TokenClassification").folder
    assert printed("--model", str(sequence)) == [[x] for x in TextClassifier(sequence)(LINES)]
    assert printed("--model", str(tokens), "--entities") == TokenClassifier(
        tokens, aggregation_strategy="simple"
    )(LINES)
    found = printed("--model", str(sequence), "--labels", "money, river")
    labels = ZeroShotClassifier(sequence)(LINES, "money, river")
    assert [[x["label"] for x in row] for row in found] == [x["labels"] for x in labels]  # type: ignore[attr-defined]
    assert main(["classify", file, "--model", str(sequence)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(LINES)


def test_fill_mask(checkpoint: Checkpoint, capsys: pytest.CaptureFixture[str]) -> None:
    folder, text = checkpoint("bert", "MaskedLM").folder, "we sat on the [MASK]"
    assert main(["fill-mask", text, "--model", str(folder), "--top-k", "2", "--json"]) == 0
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert printed == [{"mask": 1} | choice for choice in FillMask(folder)(text, top_k=2)]
    assert main(["fill-mask", "no mask", "--model", str(folder)]) == 1
    assert "[MASK]" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["rerank", "classify", "fill-mask"])
def test_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert (
        ended.value.code == 0 and f"polysemy {command}" in capsys.readouterr().out.partition("examples:")[2]
    )
