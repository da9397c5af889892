"""A run as JSON and as Markdown."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from statistics import median

from bench.accuracy.errors import HEAD
from bench.engines.catalogue import ENGINES, OURS_IN, class_of, is_ours
from bench.engines.engine import CLASSES, FLOAT32
from bench.engines.results import Group, Run, Variant, WorkResult
from bench.engines.works import SORTED


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table: first column to the left, the others to the right."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1e3:.3g}" if seconds < 1 else f"{seconds * 1e3:.0f}"


def ways(work: WorkResult) -> dict[str, tuple[int, ...]]:
    """How the other engines' batches are made: rows of the table of ratios."""
    sizes = {v.size for v in work.variants}
    if sizes - {0}:
        usual = {"sorted, 32": (32,)} if 32 in sizes else {}
        return {"one batch": (0,), **usual, "best of all": (0, *SORTED)}
    return {"": (0,)}


def row_name(work: WorkResult, way: str) -> str:
    return f"{work.name}: {way}" if way else work.name


def kinds(run: Run) -> list[str]:
    """The classes of precisions that a run compares in."""
    chosen = run.settings.get("precision", [FLOAT32])
    assert isinstance(chosen, list)
    return [kind for kind in CLASSES if kind in chosen]


def rivals(run: Run, kind: str) -> list[str]:
    """The columns of a class: all that were installed but ours that they are compared with."""
    return [
        name
        for name, version in run.engines.items()
        if class_of(name) == kind and name != OURS_IN[kind] and version != "not installed"
    ]


def fastest_other(work: WorkResult, sizes: tuple[int, ...], kind: str = FLOAT32) -> Variant | None:
    """The fastest of the engines of a class whose output is as near to ours as the class allows."""
    names = [
        name
        for name, engine in ENGINES.items()
        if engine.kind == kind and not is_ours(name) and not engine.approximate
    ]
    found = [best for name in names if (best := work.best(name, sizes)) is not None]
    return min(found, key=work.ratio, default=None)


def _cell(work: WorkResult, engine: str, sizes: tuple[int, ...]) -> str:
    best = work.best(engine, sizes)
    if best is None:
        return "-"
    size = f" (by {best.size or 'all'})" if len(sizes) > 1 else ""
    return f"{milliseconds(median(best.seconds))}{size} **{work.ratio(best):.2f}**"


def _ratios(group: Group, kind: str, engines: list[str]) -> str:
    rows = []
    for work in group.works:
        if kind not in work.kinds():
            continue
        ours = work.ours(kind)
        # The peak is that of float32: a reduced mode is measured by what it gains instead.
        figure = f"{work.share(ours):.0%}" if kind == FLOAT32 else f"{work.gain(ours):.2f}"
        for way, sizes in ways(work).items():
            other = fastest_other(work, sizes, kind)
            lead = f"{work.ratio(other):.2f} ({other.engine})" if other else "-"
            row = [row_name(work, way), str(work.tokens), milliseconds(median(ours.seconds)), figure, lead]
            rows.append(row + [_cell(work, name, sizes) for name in engines])
    figure = "of FMA peak" if kind == FLOAT32 else "gain on our float32"
    head = ["work", "tokens", f"{OURS_IN[kind]} ms", figure, "ratio of the fastest other"]
    return table([*head, *engines], rows)


def _accuracies(run: Run, model: str, kind: str) -> str:
    found = [one for one in run.accuracy if one.model == model and class_of(one.engine) == kind]
    if not found:
        return ""
    texts = f"Against float64, {found[0].texts} texts, one at a time:\n\n"
    return texts + table(["engine", *HEAD], [[one.engine, *one.cells()] for one in found])


def _spread(group: Group) -> str:
    rows = []
    for work in group.works:
        for v in work.measured():
            q = v.quartiles()
            size = "" if len(ways(work)) == 1 else ("one batch" if v.size == 0 else f"sorted, {v.size}")
            apart = "" if v.hidden_difference is None else f"{v.hidden_difference:.1e}"
            times = [milliseconds(q[key]) for key in ("min", "q1", "median", "q3")]
            counts = f"{len(v.seconds)} in {len(v.rounds)}"
            rows.append([work.name, v.engine, size, *times, counts, f"{work.share(v):.0%}", apart])
    head = [
        "work",
        "engine",
        "batches",
        "min",
        "q1",
        "median",
        "q3",
        "runs in rounds",
        "of FMA peak",
        "difference",
    ]
    return table(head, rows)


def _scaling(run: Run) -> str:
    rows = []
    for one in run.groups:
        for two in run.groups:
            if one.model != two.model or one.threads != 1 or two.threads == 1:
                continue
            second = {work.name: work for work in two.works if work.ours().rounds}
            for work in one.works:
                if work.ours().rounds and work.name in second:
                    times = [median(w.ours().seconds) for w in (work, second[work.name])]
                    rows.append([one.model, work.name, f"1 to {two.threads}", f"{times[0] / times[1]:.2f}"])
    return table(["model", "work", "threads", "polysemy is faster by"], rows) if rows else ""


def markdown(run: Run) -> str:
    machine = ", ".join(f"{key} {value}" for key, value in run.machine.items() if value not in (None, [], {}))
    shown = kinds(run)
    parts = [f"# polysemy next to other engines, {', '.join(shown)}\n", f"Machine: {machine}.\n"]
    parts.append(
        "Every engine runs in a process of its own on the same cores with the same token ids and thread "
        "count; an idle process is stopped. Rounds are interleaved. Times are medians in ms of the last "
        "hidden state; the **ratio** is the median over rounds of the engine's time over ours in the same class "
        "of precisions. polysemy "
        "always takes a ragged work as one batch in arrival order; the others get it once so and once "
        f"sorted by length in batches of {', '.join(map(str, SORTED))}. The FMA peak, that of float32, is "
        "measured in every round; the share of it counts real tokens only.\n"
    )
    details = [[name, version, ENGINES[name].options] for name, version in run.engines.items()]
    parts.append("## Engines\n\n" + table(["engine", "version", "how it runs"], details))
    notes = [f"{name}: {ENGINES[name].approximate}" for name in run.engines if ENGINES[name].approximate]
    if notes:
        parts.append(
            "Not held to rounding error, and never counted as the fastest other: " + "; ".join(notes) + ".\n"
        )
    for group in run.groups:
        peaks = [p for work in group.works for p in work.peak_gflops]
        peak = f"FMA peak {median(peaks):.0f} GFLOP/s" if peaks else "FMA peak not measured"
        bandwidth = f", memory read {group.bandwidth_gbytes:.0f} GB/s" if group.bandwidth_gbytes else ""
        parts.append(f"## {group.model} ({group.shape}), {group.threads} thread(s)\n\n{peak}{bandwidth}.\n")
        for kind in shown:
            if len(shown) > 1:
                parts.append(f"### {kind}\n")
            parts.append(_ratios(group, kind, rivals(run, kind)))
            if accuracies := _accuracies(run, group.model, kind):
                parts.append(accuracies)
    if scaling := _scaling(run):
        parts.append("## Scaling\n\n" + scaling)
    if run.startup:
        rows = [
            [s.engine, f"{s.import_seconds:.3f}", f"{s.first_embedding_seconds:.3f}", f"{s.peak_rss_mb:.0f}"]
            for s in run.startup
        ]
        parts.append(
            f"## Cold start\n\nMedian of {run.startup[0].runs} fresh processes, files in the page cache. "
            "First embedding: from the start of the interpreter to the vector of a sentence.\n\n"
            + table(["engine", "import s", "first embedding s", "peak memory MB"], rows)
        )
    if run.problems:
        parts.append("## Left out\n\n" + "".join(f"- {problem}\n" for problem in run.problems))
    for group in run.groups:
        parts.append(f"## Spread: {group.model}, {group.threads} thread(s), ms\n\n" + _spread(group))
    return "\n".join(parts)


def store(run: Run, out: Path) -> None:
    """Write results.json and results.md."""
    (out / "results.json").write_text(json.dumps(dataclasses.asdict(run), indent=1) + "\n")
    (out / "results.md").write_text(markdown(run))
