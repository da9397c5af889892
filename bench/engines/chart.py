"""The chart of a run: how many times our time each engine takes, per piece of work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.engines.catalogue import ENGINES, OURS_IN, class_of
from bench.engines.report import kinds, rivals, row_name, ways
from bench.engines.results import Group, Run

# Colour-blind safe (Okabe and Ito), in the order of the catalogue; ours is the line at 1.
_COLOURS = ("#E69F00", "#D55E00", "#56B4E9", "#0072B2", "#999999", "#009E73", "#CC79A7", "#F0E442")


def _panel(axes: Any, group: Group, kind: str, engines: list[str]) -> None:
    rows = [
        (work, way, sizes)
        for work in group.works
        if kind in work.kinds()
        for way, sizes in ways(work).items()
    ]
    palette = [name for name in ENGINES if class_of(name) == kind and name != OURS_IN[kind]]
    height = 0.8 / max(1, len(engines))
    for number, engine in enumerate(engines):
        places, widths = [], []
        for place, (work, _, sizes) in enumerate(rows):
            if best := work.best(engine, sizes):
                places.append(place + (number - (len(engines) - 1) / 2) * height)
                widths.append(work.ratio(best))
        colour = _COLOURS[palette.index(engine) % len(_COLOURS)]
        axes.barh(places, widths, height=height * 0.9, color=colour, label=engine)
    axes.axvline(1.0, color="black", linewidth=1.2)
    axes.set_yticks(range(len(rows)), [row_name(work, way) for work, way, _ in rows])
    axes.invert_yaxis()
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}x")
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    axes.set_title(f"{group.model}, {kind}, {group.threads} thread(s)")
    axes.set_xlabel(f"time / {OURS_IN[kind]}'s time (line: {OURS_IN[kind]})")
    axes.legend(fontsize="small")


def draw(run: Run, file: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    shown = [
        (group, kind, engines)
        for group in run.groups
        for kind in kinds(run)
        if any(kind in work.kinds() for work in group.works) and (engines := rivals(run, kind))
    ]
    if not shown:
        return
    longest = max(sum(len(ways(work)) for work in group.works) for group, _, _ in shown)
    most = max(len(engines) for _, _, engines in shown)
    size = (7.0 * len(shown), 1.5 + longest * (0.12 * most + 0.1))
    figure, panels = pyplot.subplots(1, len(shown), figsize=size, squeeze=False, layout="constrained")
    for axes, (group, kind, engines) in zip(panels[0], shown, strict=True):
        _panel(axes, group, kind, engines)
    cpu = run.machine.get("cpu", "")
    figure.suptitle(f"{', '.join(kinds(run))} encoders on {cpu}: longer bars are slower than polysemy")
    figure.savefig(file, dpi=110)
    pyplot.close(figure)
