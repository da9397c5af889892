"""The tables of speeds in the README, written from stored runs: `python -m bench.engines.readme`."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from textwrap import fill

from bench.engines.catalogue import EXPORTED, OURS, OURS_IN
from bench.engines.engine import FLOAT32
from bench.engines.report import kinds, milliseconds, rivals, table, ways
from bench.engines.results import Group, Run, WorkResult, load

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "bench/results/epyc-zen4-2-cores/results.json"
STARTUPS = ROOT / "bench/results/epyc-zen4-2-cores-startup/results.json"  # a later run than that of the works
REDUCED = ROOT / "bench/results/epyc-zen4-2-cores-reduced/results.json"
FAMILIES = ROOT / "bench/results/epyc-zen4-2-cores-families/results.json"
README = ROOT / "README.md"
SPEED, MODES, SHAPES = "speed-table", "reduced-tables", "families-table"

# A column each; of several ways to run a library, the faster counts.
_LIBRARIES = {
    "ONNX Runtime": ("onnxruntime", "onnxruntime-fused"),
    "OpenVINO": ("openvino",),
    "CTranslate2": ("ctranslate2",),
    "torch": ("torch", "torch-compile"),
}
_OF_FAMILIES = {"torch": ("torch",), "ONNX Runtime": (EXPORTED,), "llama.cpp": ("llama.cpp",)}
_WAYS = {
    "one batch": "{} texts of mixed lengths, as one batch",
    "sorted, 32": "the same, the others sorted, in batches of 32",
    "best of all": "the same, the others sorted, at their best batch size",
}


def _name(work: WorkResult, way: str) -> str:
    if way:
        return _WAYS[way].format(work.sequences)
    length = work.tokens // work.sequences
    return f"{work.sequences} {'text' if work.sequences == 1 else 'texts'} of {length} tokens"


def _ratio(work: WorkResult, engines: tuple[str, ...], sizes: tuple[int, ...]) -> str:
    found = [best for engine in engines if (best := work.best(engine, sizes))]
    return f"{min(map(work.ratio, found)):.2f}" if found else "-"


def _rows(group: Group) -> list[list[str]]:
    return [
        [
            _name(work, way),
            milliseconds(median(work.ours().seconds)),
            f"{work.share(work.ours()) * 100:.0f} %",
            *(_ratio(work, engines, sizes) for engines in _LIBRARIES.values()),
        ]
        for work in group.works
        for way, sizes in ways(work).items()
    ]


def _cold_start(run: Run) -> str:
    by_engine = {
        s.engine: f"{s.first_embedding_seconds:.2f} s and {s.peak_rss_mb:.0f} MB" for s in run.startup
    }
    others = ", ".join(f"{name} {by_engine[engines[0]]}" for name, engines in _LIBRARIES.items())
    text = f"A fresh process needs {by_engine[OURS]} to its first embedding ({others})."
    return fill(text, 120, break_long_words=False, break_on_hyphens=False) + "\n"


def section(run: Run, cold: Run) -> str:
    """The table of the run's last group, its largest number of threads, and the cold start of another run."""
    head = ["work", "polysemy, ms", "share of the FMA peak", *_LIBRARIES]
    return table(head, _rows(run.groups[-1])) + "\n" + _cold_start(cold)


def _reduced_table(run: Run, group: Group, kind: str) -> str:
    found = {one.engine: one for one in run.accuracy if one.model == group.model}
    ours, others = OURS_IN[kind], [name for name in rivals(run, kind) if name in found]
    accurate = {
        "mean cosine with float64": [f"{found[name].mean_cosine:.7f}" for name in (ours, *others)],
        "least cosine": [f"{found[name].least_cosine:.7f}" for name in (ours, *others)],
        "nearest neighbours kept": [f"{found[name].neighbours_kept:.3f}" for name in (ours, *others)],
    }
    rows = [[name, first, "", *rest] for name, (first, *rest) in accurate.items()]
    for work in group.works:
        mine = work.ours(kind)
        for way, sizes in ways(work).items():
            start = [_name(work, way), f"{milliseconds(median(mine.seconds))} ms", f"{work.gain(mine):.2f}"]
            rows.append(start + [_ratio(work, (name,), sizes) for name in others])
    return table(["", ours, "gain on our float32", *others], rows)


def reduced(run: Run) -> str:
    """A table for each reduced class of the run's last group: what a mode loses beside what it takes."""
    group = run.groups[-1]
    texts = max(one.texts for one in run.accuracy)
    text = (
        f"In reduced precision, 16 bits and 8 bits apart: how near the vectors of {texts} texts are to float64, "
        "then how many times longer than ours the others took. [What each mode is](bench/README.md#reduced-precision)."
    )
    parts = [fill(text, 120, break_long_words=False, break_on_hyphens=False) + "\n"]
    return "\n".join(parts + [_reduced_table(run, group, kind) for kind in kinds(run) if kind != FLOAT32])


def families(run: Run) -> str:
    """A row for each work of each shape of a family."""
    rows = [
        [
            group.model,
            _name(work, ""),
            milliseconds(median(work.ours().seconds)),
            f"{work.share(work.ours()) * 100:.0f} %",
            *(_ratio(work, engines, (0,)) for engines in _OF_FAMILIES.values()),
        ]
        for group in run.groups
        for work in group.works
    ]
    return table(["shape", "work", "polysemy, ms", "share of the FMA peak", *_OF_FAMILIES], rows)


def replaced(text: str, place: str, new: str) -> str:
    """The README with another text between the two marks of a place."""
    begin, end = (f"<!-- {place}:{edge} -->\n" for edge in ("begin", "end"))
    before, rest = text.split(begin)
    return before + begin + new + end + rest.split(end)[1]


def written(text: str) -> str:
    """The README with the tables of the stored runs."""
    text = replaced(text, SPEED, section(load(RESULTS), load(STARTUPS)))
    text = replaced(text, SHAPES, families(load(FAMILIES)))
    return replaced(text, MODES, reduced(load(REDUCED)))


if __name__ == "__main__":
    README.write_text(written(README.read_text("utf-8")), "utf-8")
