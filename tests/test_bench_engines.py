"""The comparison of engines: a reduced mode stands beside those of its own class of precisions, and is marked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.accuracy.errors import HEAD, Accuracy
from bench.engines import catalogue, options, readme, report, results, rounds
from bench.engines.backends import create
from bench.engines.engine import CLASSES, FLOAT32, LEAST_COSINE
from bench.engines.works import Work

KINDS = list(CLASSES)
SECONDS = {name: 1.0 + number for number, name in enumerate(catalogue.ENGINES)}


def work(name: str = "8x32") -> results.WorkResult:
    """Two rounds of every engine, in the second all of them half as fast."""
    made = results.WorkResult(name, 8, 256, flops=1e9, tolerance=1e-5, peak_gflops=[100.0, 50.0])
    for engine, seconds in SECONDS.items():
        made.variants.append(
            results.Variant(engine, 0, [[seconds], [2 * seconds]], hidden_difference=1e-6, vector_cosine=1.0)
        )
    made.ours().hidden_difference = None
    return made


def run(*kinds: str) -> results.Run:
    found = results.Run({"cpu": "one"}, dict.fromkeys(catalogue.ENGINES, "1.0"), {"precision": list(kinds)})
    found.groups.append(results.Group("a model", "1 layer", 2, works=[work(), work("1x8")]))
    found.accuracy = [
        Accuracy("a model", name, 300, 1e-3, 1e-1, 1 - SECONDS[name] / 1e3, 1 - SECONDS[name] / 1e2, 0.5)
        for name in catalogue.ENGINES
    ]
    return found


@pytest.mark.parametrize("name", catalogue.ENGINES)
def test_a_name_tells_the_precision(name: str) -> None:
    engine = catalogue.ENGINES[name]
    named = [p for precisions in CLASSES.values() for p in precisions if p in name.split("-")]
    assert named == ([] if engine.kind == FLOAT32 else [engine.precision])
    assert callable(create(name).run), "an adapter needs no library before it loads a model"


@pytest.mark.parametrize("kind", KINDS)
def test_a_class_has_ours_and_others(kind: str) -> None:
    assert catalogue.modes(kind)[0] == catalogue.OURS_IN[kind]
    assert catalogue.others(kind)
    for name in (*catalogue.modes(kind), *catalogue.others(kind)):
        assert catalogue.class_of(name) == kind


def test_a_ratio_stays_within_its_class() -> None:
    measured = work()
    for v in measured.variants:
        ours = catalogue.OURS_IN[catalogue.class_of(v.engine)]
        assert measured.ratio(v) == SECONDS[v.engine] / SECONDS[ours]
        assert measured.gain(v) == SECONDS[catalogue.OURS] / SECONDS[v.engine]
    assert measured.kinds() == KINDS
    for kind in KINDS:
        fastest = report.fastest_other(measured, (0,), kind)
        assert fastest is not None
        assert fastest.engine in catalogue.others(kind)


def test_only_float32_is_held_to_rounding() -> None:
    measured = work()
    for v in measured.variants:
        v.hidden_difference, v.vector_cosine = 1e-2, 0.9995
    exact = [v.engine for v in measured.variants if catalogue.class_of(v.engine) == FLOAT32]
    assert [v.engine for v in measured.wrong()] == exact
    for v in measured.variants:
        v.vector_cosine = np.nextafter(LEAST_COSINE.get(catalogue.class_of(v.engine), 1.0), 0.0)
    assert len(measured.wrong()) == len(measured.variants)
    measured.variants[-1].vector_cosine = float("nan")
    assert measured.variants[-1] in measured.wrong()


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_has_one_class(kind: str) -> None:
    text = report.markdown(run(kind))
    speeds, accuracies = (
        block for block in text.split("\n\n") if block.startswith(("| work | tokens", "| engine | rms"))
    )
    head = [cell.strip() for cell in speeds.splitlines()[0].strip("|").split("|")]
    assert head[2] == f"{catalogue.OURS_IN[kind]} ms"
    assert set(head[5:]) == set(report.rivals(run(kind), kind))
    assert {catalogue.class_of(name) for name in head[5:]} == {kind}
    assert all(name in accuracies.splitlines()[0] for name in HEAD)
    named = {line.split("|")[1].strip() for line in accuracies.splitlines()[2:]}
    assert named == {name for name in catalogue.ENGINES if catalogue.class_of(name) == kind}


def test_every_class_of_a_run_has_its_tables() -> None:
    text = report.markdown(run(*KINDS))
    assert [line for line in text.splitlines() if line.startswith("### ")] == [
        f"### {kind}" for kind in KINDS
    ]
    assert text.startswith("# polysemy next to other engines, float32, 16-bit, 8-bit\n")


def test_a_run_is_read_as_it_was_stored(tmp_path: Path) -> None:
    stored = run("8-bit")
    report.store(stored, tmp_path)
    assert results.load(tmp_path / "results.json") == stored
    assert results.load(readme.RESULTS).accuracy == [], "runs from before there was any are read as well"


def test_the_readme_shows_what_a_mode_loses_beside_what_it_takes() -> None:
    text = readme.reduced(run("16-bit", "8-bit"))
    for kind in ("16-bit", "8-bit"):
        ours = catalogue.OURS_IN[kind]
        (table,) = (block.splitlines() for block in text.split("\n\n") if block.startswith(f"|  | {ours} |"))
        names = [cell.strip() for cell in table[0].strip("|").split("|")][3:]
        assert {catalogue.class_of(name) for name in names} == {kind}
        cosines, works = table[2].split("|"), table[5].split("|")
        for name, cosine, ratio in zip(names, cosines[4:-1], works[4:-1], strict=True):
            assert float(cosine) == pytest.approx(1 - SECONDS[name] / 1e3, abs=5.1e-8)
            assert float(ratio) == pytest.approx(SECONDS[name] / SECONDS[ours], abs=5e-3)
    assert "polysemy |" not in text.replace("| polysemy-", "")
    assert "300 texts" in text


def test_engines_are_those_of_the_precisions_that_were_asked_for() -> None:
    parse = options.parser().parse_args
    assert options.chosen(parse([])) == catalogue.others(FLOAT32)
    assert options.chosen(parse(["--precision", "8-bit"])) == catalogue.others("8-bit")
    both = ["--precision", FLOAT32, "8-bit", "--engines", "ctranslate2-int8", "openvino"]
    assert options.chosen(parse(both)) == ["openvino", "ctranslate2-int8"]
    with pytest.raises(SystemExit, match="openvino-bfloat16: not of float32"):
        options.chosen(parse(["--engines", "openvino-bfloat16"]))


class _Client:
    """A worker that answers with stored states."""

    def __init__(self, states: np.ndarray) -> None:
        self.states = states

    def ask(self, do: str, **message: str) -> None:
        np.save(message["output"], self.states)


def test_a_broken_conversion_is_noticed(tmp_path: Path) -> None:
    """Rounding of 16 bits passes where that class is meant, and nowhere else; other vectors never do."""
    rng = np.random.default_rng(5)
    piece = Work("2x4", [np.arange(4, dtype=np.int32)] * 2, ragged=False)
    exact = rng.standard_normal((8, 16)).astype(np.float32)
    rounded = (exact.view(np.uint32) & 0xFFFF0000).view(np.float32)
    states = {
        "polysemy": exact,
        "onnxruntime": rounded,
        "polysemy-bfloat16": rounded,
        "openvino-bfloat16": rng.standard_normal((8, 16)).astype(np.float32),
    }
    result = results.WorkResult("2x4", 2, 8, 1.0, variants=[results.Variant(name, 0) for name in states])
    clients = {name: _Client(array) for name, array in states.items()}
    shape = {"intermediate_size": 64, "num_hidden_layers": 1}
    rounds._check(clients, piece, result, shape, tmp_path)  # type: ignore[arg-type]
    errors = {v.engine: v.error for v in result.variants}
    assert errors["polysemy"] is None and errors["polysemy-bfloat16"] is None
    assert "allowed" in str(errors["onnxruntime"])
    assert "the least allowed 0.999" in str(errors["openvino-bfloat16"])
