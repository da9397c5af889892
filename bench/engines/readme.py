"""The speed table of the README, written from a stored run: `python -m bench.engines.readme`."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from textwrap import fill

from bench.engines.catalogue import OURS
from bench.engines.report import milliseconds, table, ways
from bench.engines.results import Group, Run, WorkResult, load

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "bench/results/epyc-zen4-2-cores/results.json"
STARTUPS = ROOT / "bench/results/epyc-zen4-2-cores-startup/results.json"  # a later run than that of the works
README = ROOT / "README.md"
BEGIN, END = "<!-- speed-table:begin -->\n", "<!-- speed-table:end -->\n"

# A column each; of several ways to run a library, the faster counts.
_LIBRARIES = {
    "ONNX Runtime": ("onnxruntime", "onnxruntime-fused"),
    "OpenVINO": ("openvino",),
    "CTranslate2": ("ctranslate2",),
    "torch": ("torch", "torch-compile"),
}
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


def replaced(text: str, new: str) -> str:
    """The README with another section."""
    before, rest = text.split(BEGIN)
    return before + BEGIN + new + END + rest.split(END)[1]


if __name__ == "__main__":
    README.write_text(replaced(README.read_text("utf-8"), section(load(RESULTS), load(STARTUPS))), "utf-8")
