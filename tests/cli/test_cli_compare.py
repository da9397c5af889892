"""`polysemy compare`: the table, the picture, the errors."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from cli_texts import Run, only
from polysemy import Encoder
from polysemy.cli.bars import bar, supports_blocks
from polysemy.cli.compare import table
from polysemy.cli.drift import measure
from tiny_models import SPEC, write_transformer


def test_compare_prints_a_row_for_every_layer(run: Run, model: Path) -> None:
    status, out, err = run("compare", "--word", "bank", "the bank", "we sat on the Bank !", "--model", model)
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[:2] == ["A  the [bank]", "B  we sat on the [Bank] !"]
    labels = [line[:18].strip() for line in lines[3:]]
    assert labels == [
        "",
        "static row",
        "embedding output",
        "layer 1",
        "layer 2",
        "layer 3",
        "",
        "sentence",
    ]


def test_compare_measures_what_the_library_says(model: Path) -> None:
    encoder = Encoder.from_pretrained(model)
    texts = ("banks , banks", "i sat on the banks")
    drift = measure(encoder, "banks", *texts)
    assert drift.tokens == (["bank", "##s"], ["bank", "##s"]) and drift.occurrences == (2, 1)
    assert drift.places == ((0, 5), (13, 18))
    assert len(drift.layers) == len(SPEC.layers) + 1
    for layer, cosine in enumerate(drift.layers):
        a, b = (encoder.word_vectors(text, "banks", layer)[0].astype(np.float64) for text in texts)
        expected = a @ b / np.sqrt((a @ a) * (b @ b))
        # word_vectors rounds each mean to float32: half a unit in the last place of every feature, of both
        assert abs(cosine - expected) <= 4 * np.finfo(np.float32).eps
    assert drift.static == pytest.approx(1.0, abs=4 * float(np.finfo(np.float64).eps))
    a, b = encoder.encode(texts).astype(np.float64)
    assert drift.sentence == pytest.approx(a @ b, abs=4 * float(np.finfo(np.float32).eps))
    assert min(drift.layers) < 0.99, "a random model moves words apart"


def test_compare_of_the_default_model() -> None:
    drift = measure(
        Encoder.from_pretrained(), "bank", "I deposited money in the bank", "We sat on the bank of the river"
    )
    assert drift.static == pytest.approx(1.0, abs=4 * float(np.finfo(np.float64).eps))
    assert 0.97 < drift.layers[0] < 1 and 0.5 < drift.layers[-1] < 0.9
    assert drift.sentence is not None and 0.2 < drift.sentence < 0.6


def test_compare_as_json(run: Run, model: Path) -> None:
    status, out, _ = run("compare", "--word", "bank", "the bank", "a bank", "--model", model, "--json")
    facts = json.loads(out)
    assert status == 0 and facts["word"] == "bank" and len(facts["layers"]) == 4
    assert facts["static"] == pytest.approx(1.0)


def test_compare_without_pooling_has_no_sentence(run: Run, tmp_path: Path) -> None:
    plain = write_transformer(tmp_path / "plain")
    status, out, _ = run("compare", "--word", "bank", "the bank", "a bank", "--model", plain)
    assert status == 0 and "layer 3" in out and "sentence" not in out


@pytest.mark.parametrize(
    ("word", "texts", "message"),
    [
        ("money", ("the bank", "the money"), "'money' is not a word of the text 'the bank'"),
        ("bank", ("the bank", "the banks"), "'bank' is not a word of the text 'the banks'"),
        (" ", ("the bank", "the bank"), "--word must not be empty"),
        ("river", ("river", "the " * 20 + "river"), "stands only beyond the 12 tokens that the model reads"),
    ],
)
def test_compare_says_what_is_wrong(
    run: Run, model: Path, word: str, texts: tuple[str, str], message: str
) -> None:
    status, out, err = run("compare", "--word", word, *texts, "--model", model)
    assert (status, out) == (1, "") and message in err


def test_compare_tells_which_use_and_which_tokens(model: Path) -> None:
    drift = measure(Encoder.from_pretrained(model), "banks", "banks , banks", "the banks")
    lines = table(drift, 80, blocks=False)
    assert lines[0] == "A  [banks] , banks   (the first of 2)"
    assert lines[2] == "'banks' is 2 tokens: bank ##s"
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_plot(run: Run, model: Path, tmp_path: Path, ending: str) -> None:
    picture = tmp_path / f"drift.{ending}"
    status, _, err = run(
        "compare", "--word", "bank", "the bank", "a bank", "--model", model, "--plot", picture
    )
    assert (status, err) == (0, "")
    begins = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[ending]
    assert picture.read_bytes().startswith(begins) and only(tmp_path, picture.name)


def test_plot_needs_matplotlib(
    run: Run, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    arguments = ["compare", "--word", "bank", "the bank", "a bank", "--model", model, "--plot"]
    status, out, err = run(*arguments, tmp_path / "drift.png")
    assert (status, out) == (1, "") and "--plot needs matplotlib: pip install matplotlib" in err
    assert "ending must be one of .png, .svg, .pdf" in run(*arguments, tmp_path / "drift.gif")[2]


@pytest.mark.parametrize("blocks", [True, False])
def test_bars(blocks: bool) -> None:
    full = "█" if blocks else "#"
    assert [bar(x, 8, blocks=blocks) for x in (1.0, 1.5, 0.5)] == [full * 8, full * 8, full * 4]
    assert bar(0.0, 8, blocks=blocks) == bar(-0.5, 8, blocks=blocks) == ""
    lengths = [len(bar(x / 64, 8, blocks=blocks)) for x in range(65)]
    assert lengths == sorted(lengths)


def test_bars_where_blocks_cannot_be_written() -> None:
    assert not supports_blocks(io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    assert supports_blocks(io.TextIOWrapper(io.BytesIO(), encoding="utf-8"))
