"""The table of accuracies: its figures against plain loops, and the command on a model and texts of one's own."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from polysemy import _core
from polysemy.encoding.loading import load_model
from polysemy.model.network import Network
from polysemy.reference import encode_tokens
from tiny_models import write_sentence_model

from bench.accuracy import __main__ as command
from bench.accuracy import speed
from bench.accuracy.errors import HEAD, compare, farther
from bench.accuracy.oracle import exact_states, packed
from bench.engines.engine import CLASSES, Engine

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
    pairs = [(nearest(means[1], i), nearest(means[0], i)) for i in range(4)]
    kept = sum(right == taken for right, taken in pairs) / 4
    losses = [
        cosine(means[1][i], means[1][right]) - cosine(means[1][i], means[1][taken])
        for i, (right, taken) in enumerate(pairs)
    ]
    assert kept < 1, "the errors are large enough to change a neighbour"
    error = (states - exact).ravel()
    near = 16 * np.finfo(float).eps
    assert found.rms == pytest.approx(np.sqrt(sum(x * x for x in error) / 50), rel=near)
    assert found.largest == max(map(abs, error))
    assert found.mean_cosine == pytest.approx(sum(cosines) / 4, rel=near)
    assert found.least_cosine == pytest.approx(min(cosines), rel=near)
    assert (found.neighbours_kept, found.texts) == (kept, 4)
    assert farther(states, exact, LENGTHS) == pytest.approx(max(losses), abs=near)
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


def name_of(precision: str) -> str:
    return "polysemy" if precision == "float32" else f"polysemy-{precision}"


def cells_of(printed: str) -> list[list[str]]:
    """The rows of a table without its head."""
    lines = [line for line in printed.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every mode of ours has a row; an engine that can't take part is named with the reason."""
    folder = write_sentence_model(tmp_path)
    loaded = load_model(folder)
    texts = tmp_path / "texts.txt"
    texts.write_text("the river bank\n\nmoney in the bank\nwe sat on the loan\n", "utf-8")
    monkeypatch.setattr(Engine, "missing", lambda engine: ["some-package"])
    arguments = ["--model", str(folder), "--texts", str(texts), "--cache", str(tmp_path / "cache")]
    monkeypatch.setattr(sys, "argv", ["accuracy", *arguments, "--engines", "llama.cpp", "onnxruntime-int8"])
    command.main()
    printed = capsys.readouterr().out
    assert printed.startswith("3 texts, ")
    rows = {cells[1]: cells for cells in cells_of(printed)}
    assert len(rows) == len(_core.PRECISIONS)
    for kind, precisions in CLASSES.items():
        for precision in precisions:
            cells = rows[name_of(precision)]
            assert cells[0] == kind
            assert float(cells[4]) > 0.99
            size = Network(loaded.spec, loaded.weights, precision).weight_bytes
            assert cells[8] == f"{size / 2**20:.1f}"
    assert "- llama.cpp: not installed: some-package" in printed
    assert "- onnxruntime-int8: not installed: some-package" in printed

    monkeypatch.setattr(sys, "argv", ["accuracy", *arguments, "--layers"])
    command.main()
    printed = capsys.readouterr().out
    layers = cells_of(printed)
    assert [cells[0] for cells in layers] == ["0", "1", "2", "3"]
    assert layers[-1][1:] == [
        cell for precision in _core.PRECISIONS for cell in rows[name_of(precision)][2:4]
    ]


def test_speeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A row for each work, in which float32 is 1."""
    works = ((1, 1), (2, 8))
    monkeypatch.setattr(speed, "WORKS", works)
    monkeypatch.setattr(speed, "_SECONDS", 0.0)
    monkeypatch.setattr(sys, "argv", ["accuracy", "--model", str(write_sentence_model(tmp_path)), "--speed"])
    command.main()
    printed = capsys.readouterr().out
    assert printed.startswith(f"{_core.default_isa()}\n")
    rows = cells_of(printed)
    assert [row[0] for row in rows] == [f"{count} x {length}" for count, length in works]
    for row in rows:
        ratios = dict(zip(_core.PRECISIONS, row[1:], strict=True))
        assert ratios["float32"] == "1.00"
        assert all(float(ratio) > 0 for ratio in ratios.values())
