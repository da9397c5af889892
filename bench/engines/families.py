"""Shapes of families next to other engines: `python -m bench.engines.families`.

Everything that is fair about `python -m bench.engines` holds here. Results are kept by shape, so that a run with
--only adds to those that --out has.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import median

from bench.engines import results, rounds, shapes
from bench.engines.__main__ import convert
from bench.engines.backends import Model
from bench.engines.catalogue import ENGINES, OURS
from bench.engines.checkpoint import cache_folder
from bench.engines.client import Client, WorkerError
from bench.engines.report import markdown, milliseconds, store, table
from bench.engines.results import Group, Run
from bench.machine import describe, versions

_LONG = 4096  # a text of more tokens takes half a minute per engine: two rounds of it are enough


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(prog="python -m bench.engines.families", description=__doc__)
    add = p.add_argument
    add("--only", nargs="+", choices=list(shapes.SHAPES), default=list(shapes.SHAPES), metavar="SHAPE",
        help=f"of {', '.join(shapes.SHAPES)}; default: all")  # fmt: skip
    add("--works", nargs="+", metavar="W", help="of those of the shape; default: all")
    add("--threads", type=int, default=2, metavar="N", help="default: 2")
    add("--rounds", type=int, default=5, metavar="N", help="interleaved rounds per work; default: 5")
    add("--out", type=Path, default=Path("bench-results"), metavar="DIR", help="default: bench-results")
    add(
        "--cache",
        type=Path,
        default=cache_folder(),
        metavar="DIR",
        help="checkpoints and their converted forms",
    )
    return p


def measure(shape: shapes.Shape, args: argparse.Namespace, run: Run) -> Group:
    """All works of a shape; every engine has a process of its own for each work, so that memory is given back."""
    folder = shapes.folder_of(shape, args.cache)
    model = Model(folder, args.cache / f"{folder.name}-converted")
    model.cache.mkdir(parents=True, exist_ok=True)
    engines = [name for name in (OURS, *shape.engines) if not ENGINES[name].missing()]
    able = convert(engines, model, run)
    spec = shapes.spec_of(folder)
    sizes = {
        "num_hidden_layers": len(spec.layers),
        "intermediate_size": max(layer.ffn.width for layer in spec.layers),
    }
    words = f"{shapes.VOCAB} words"
    group = Group(shape.name, f"{len(spec.layers)} layers, hidden {spec.hidden}, {words}", args.threads)
    for name in args.works or shape.works:
        work = shapes.work_of(name)
        rounds.say(f"{shape.name}, {name}")
        clients: dict[str, Client] = {}
        peak = Client(OURS, model, args.threads, model.cache / "peak.log")
        try:
            for engine in able:
                clients[engine] = Client(engine, model, args.threads, model.cache / f"{engine}.log")
                try:
                    clients[engine].ask("load")
                except WorkerError as error:
                    run.problems.append(f"{shape.name}: {error}")
                    clients.pop(engine).close()
            effort = rounds.Effort(2 if max(work.lengths) > _LONG else args.rounds, 10.0)
            flops = shapes.flops(spec, work.lengths)
            result = rounds.measure(clients, peak, work, sizes, flops, effort, model.cache)
        finally:
            for client in (*clients.values(), peak):
                client.close()
        group.works.append(result)
        run.problems.extend(f"{shape.name}, {name}: {v.error}" for v in result.variants if v.error)
    return group


def goals(run: Run) -> str:
    """Every engine's ratio with the one that was aimed at, and the rate of ours."""
    rows = []
    for group in run.groups:
        shape = shapes.SHAPES[group.model]
        for work in group.works:
            if not work.ours().rounds:
                continue
            ours = median(work.ours().seconds)
            start = [group.model, work.name, milliseconds(ours), f"{work.flops / ours / 1e9:.0f}"]
            start.append(f"{work.share(work.ours()):.0%}")
            for v in work.measured():
                if v.engine != OURS:
                    goal = shape.goal.get(f"{work.name} {v.engine}", shape.goal.get(v.engine))
                    wanted = f"{goal:.1f}" if goal else ""
                    time = milliseconds(median(v.seconds))
                    rows.append([*start, v.engine, time, f"**{work.ratio(v):.2f}**", wanted])
    head = ["shape", "work", "polysemy ms", "GFLOP/s", "of FMA peak", "engine", "ms", "ratio", "goal"]
    return table(head, rows)


def layers(run: Run) -> str:
    """The time of one layer by kind and length, where that was measured."""
    rows = []
    for group in run.groups:
        shape = shapes.SHAPES[group.model]
        if not shape.layer:
            continue
        count = len(shape.settings["layer_types"])
        for work in group.works:
            for v in work.measured():
                seconds = median(v.seconds) / count
                per_token = f"{seconds / work.tokens * 1e6:.2f}"
                rows.append([shape.layer, v.engine, str(work.tokens), milliseconds(seconds), per_token])
    head = ["layer", "engine", "tokens", "ms per layer", "us per layer and token"]
    return table(head, rows) if rows else ""


def write(run: Run, out: Path) -> None:
    store(run, out)
    parts = ["# Shapes of families, float32\n", goals(run)]
    if by_layer := layers(run):
        parts += ["## ModernBERT's layers, each kind by itself\n", by_layer]
    (out / "results.md").write_text(
        "\n".join([*parts, markdown(run).replace("# polysemy", "## All engines: polysemy", 1)])
    )


def main() -> int:
    args = parser().parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    stored = args.out / "results.json"
    names = {OURS: None} | {name: None for shape in shapes.SHAPES.values() for name in shape.engines}
    run = results.load(stored) if stored.exists() else Run(describe(), {}, {})
    run.engines = {name: ENGINES[name].version() for name in names}
    run.settings = {
        "rounds": args.rounds,
        "libraries": versions(("numpy", "torch", "transformers", "onnxruntime")),
    }
    for name in args.only:
        run.groups = [group for group in run.groups if group.model != name]
        run.problems = [problem for problem in run.problems if not problem.startswith(f"{name}")]
        run.groups.append(measure(shapes.SHAPES[name], args, run))
        run.groups.sort(key=lambda group: list(shapes.SHAPES).index(group.model))
        write(run, args.out)
    print((args.out / "results.md").read_text())
    wrong = [v for g in run.groups for w in g.works for v in w.wrong() if not ENGINES[v.engine].approximate]
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
