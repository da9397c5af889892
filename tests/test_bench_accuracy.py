"""The table of accuracies: its figures against plain loops, and the command on a model and texts of one's own."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from polysemy import _core
from polysemy.encoding.loading import load_model
from polysemy.reference import encode_tokens
from tiny_models import write_sentence_model

from bench.accuracy import __main__ as command
from bench.accuracy.errors import HEAD, compare
from bench.accuracy.oracle import exact_states, packed
from bench.engines.engine import Engine

LENGTHS = [3, 1, 4, 2]


def test_the_figures() -> None:
    rng = np.random.default_rng(2)
    exact = rng.standard_normal((10, 5))
    states = (exact + 1.5 * rng.standard_normal((10, 5))).astype(np.float32)
    found = compare("m", "e", states, exact, LENGTHS)

    ends = np.cumsum(LENGTHS)
    means = [
        [a[end - n : end].mean(axis=0) for n, end in zip(LENGTHS, ends, strict=True)]
        for a in (states.astype(float), exact)
    ]

    def cosine(a: np.ndarray, b: np.ndarray) -> float:
        return float(a @ b / np.sqrt((a @ a) * (b @ b)))

    def nearest(vectors: list[np.ndarray], i: int) -> int:
        return max((j for j in range(4) if j != i), key=lambda j: cosine(vectors[i], vectors[j]))

    cosines = [cosine(a, b) for a, b in zip(*means, strict=True)]
    kept = sum(nearest(means[0], i) == nearest(means[1], i) for i in range(4)) / 4
    assert kept < 1, "the errors are large enough to change a neighbour"
    error = (states - exact).ravel()
    near = 16 * np.finfo(float).eps
    assert found.rms == pytest.approx(np.sqrt(sum(x * x for x in error) / 50), rel=near)
    assert found.largest == max(map(abs, error))
    assert found.mean_cosine == pytest.approx(sum(cosines) / 4, rel=near)
    assert found.least_cosine == pytest.approx(min(cosines), rel=near)
    assert (found.neighbours_kept, found.texts) == (kept, 4)
    assert len(found.cells()) == len(HEAD)


def test_batches_do_not_change_the_oracle(tmp_path: Path) -> None:
    folder = write_sentence_model(tmp_path)
    loaded = load_model(folder)
    ids = [np.array([2, *row, 3], np.int32) for row in ([5, 6], [7], [8, 9, 10, 11])]
    alone = [
        np.concatenate(
            [encode_tokens(loaded.spec, loaded.weights, *packed([row])).hidden_states[layer] for row in ids]
        )
        for layer in (1, 3)
    ]
    for states, expected in zip(exact_states(loaded.spec, loaded.weights, ids, [1, 3]), alone, strict=True):
        np.testing.assert_allclose(
            states, expected, rtol=0, atol=64 * np.finfo(float).eps * np.abs(expected).max()
        )


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every mode of ours has a row; an engine that can't take part is named with the reason."""
    folder = write_sentence_model(tmp_path)
    texts = tmp_path / "texts.txt"
    texts.write_text("the river bank\n\nmoney in the bank\nwe sat on the loan\n", "utf-8")
    monkeypatch.setattr(Engine, "missing", lambda engine: ["some-package"])
    arguments = ["--model", str(folder), "--texts", str(texts), "--cache", str(tmp_path / "cache")]
    monkeypatch.setattr(sys, "argv", ["accuracy", *arguments, "--engines", "llama.cpp", "onnxruntime-int8"])
    command.main()
    printed = capsys.readouterr().out
    assert printed.startswith("3 texts, ")
    rows = {
        cells[1].strip(): cells for line in printed.splitlines() if (cells := line.strip("|").split("|"))[1:]
    }
    for precision in _core.PRECISIONS:
        cells = rows["polysemy" if precision == "float32" else f"polysemy-{precision}"]
        assert float(cells[4]) > 0.99 and float(cells[7]) >= 0
    assert "- llama.cpp: not installed: some-package" in printed
    assert "- onnxruntime-int8: not installed: some-package" in printed

    monkeypatch.setattr(sys, "argv", ["accuracy", *arguments, "--layers"])
    command.main()
    printed = capsys.readouterr().out
    assert [line.split("|")[1].strip() for line in printed.splitlines()[4:]] == ["0", "1", "2", "3"]
