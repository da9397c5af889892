"""The chart of a run: how many times our time each engine takes, per piece of work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.engines.catalogue import ENGINES, OURS
from bench.engines.report import row_name, ways
from bench.engines.results import Group, Run

# Colour-blind safe (Okabe and Ito), in the order of the catalogue; ours is the line at 1.
_COLOURS = ("#E69F00", "#D55E00", "#56B4E9", "#0072B2", "#999999", "#009E73", "#CC79A7", "#F0E442")


def _panel(axes: Any, group: Group, engines: list[str]) -> None:
    rows = [
        (work, way, sizes) for work in group.works if work.ours().rounds for way, sizes in ways(work).items()
    ]
    height = 0.8 / max(1, len(engines))
    for number, engine in enumerate(engines):
        places, widths = [], []
        for place, (work, _, sizes) in enumerate(rows):
            if best := work.best(engine, sizes):
                places.append(place + (number - (len(engines) - 1) / 2) * height)
                widths.append(work.ratio(best))
        colour = _COLOURS[[name for name in ENGINES if name != OURS].index(engine) % len(_COLOURS)]
        axes.barh(places, widths, height=height * 0.9, color=colour, label=engine)
    axes.axvline(1.0, color="black", linewidth=1.2)
    axes.set_yticks(range(len(rows)), [row_name(work, way) for work, way, _ in rows])
    axes.invert_yaxis()
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}x")
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    axes.set_title(f"{group.model}, {group.threads} thread(s)")
    axes.set_xlabel("time / polysemy's time (line: polysemy)")


def draw(run: Run, file: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    engines = [name for name, version in run.engines.items() if name != OURS and version != "not installed"]
    groups = [group for group in run.groups if any(work.ours().rounds for work in group.works)]
    if not groups or not engines:
        return
    longest = max(sum(len(ways(work)) for work in group.works) for group in groups)
    size = (7.0 * len(groups), 1.5 + longest * (0.12 * len(engines) + 0.1))
    figure, panels = pyplot.subplots(1, len(groups), figsize=size, squeeze=False, layout="constrained")
    for axes, group in zip(panels[0], groups, strict=True):
        _panel(axes, group, engines)
    panels[0][0].legend(fontsize="small")
    cpu = run.machine.get("cpu", "")
    figure.suptitle(f"float32 encoders on {cpu}: longer bars are slower than polysemy")
    figure.savefig(file, dpi=110)
    pyplot.close(figure)
