"""Command line of the comparison with other engines."""

from __future__ import annotations

import argparse
import subprocess
import sys
from importlib.util import find_spec

from polysemy.encoding.loading import load_model

from bench.accuracy.engines import last_states
from bench.accuracy.errors import compare
from bench.accuracy.oracle import exact_states
from bench.engines import checkpoint, rounds, startup, works
from bench.engines.backends import Model
from bench.engines.catalogue import ENGINES, OURS, modes, one_per_library
from bench.engines.chart import draw
from bench.engines.client import Client, WorkerError
from bench.engines.options import chosen as chosen_engines
from bench.engines.options import parser
from bench.engines.report import markdown, store
from bench.engines.results import Group, Run
from bench.machine import describe, versions
from bench.texts import Ids, load, token_ids


def install(names: list[str]) -> None:
    packages = sorted({package for name in names for package in ENGINES[name].install} | {"matplotlib"})
    subprocess.run([sys.executable, "-m", "pip", "install", *packages], check=True)


def convert(names: list[str], model: Model, run: Run) -> list[str]:
    """Let each engine make its form of the model, in a process of its own; returns those that could."""
    able = []
    for name in names:
        client = Client(name, model, 1, model.cache / f"{name}.log")
        try:
            client.ask("convert")
            able.append(name)
        except WorkerError as error:
            run.problems.append(str(error))
            rounds.say(f"left out: {error}")
        finally:
            client.close()
    return able


def measure_accuracy(label: str, model: Model, names: list[str], ids: list[Ids], run: Run) -> None:
    """Compare the hidden states of every engine with exact ones."""
    loaded = load_model(model.folder)
    (exact,) = exact_states(loaded.spec, loaded.weights, ids, [len(loaded.spec.layers)])
    for name in names:
        rounds.say(f"{label}, accuracy of {name}")
        try:
            states = last_states(name, model, ids)
            run.accuracy.append(compare(label, name, states, exact, [len(row) for row in ids]))
        except WorkerError as error:
            run.problems.append(f"{label}, accuracy: {error}")


def measure_group(
    group: Group, model: Model, names: list[str], chosen: list[works.Work], args: argparse.Namespace, run: Run
) -> None:
    """All works of one model at one thread count; results are stored after each."""
    clients: dict[str, Client] = {}
    peak = Client(OURS, model, group.threads, model.cache / "peak.log")
    try:
        group.bandwidth_gbytes = float(peak.ask("bandwidth", size=256 << 20)["gbytes"])
        for name in names:
            client = clients[name] = Client(name, model, group.threads, model.cache / f"{name}.log")
            try:
                client.ask("load")
            except WorkerError as error:
                run.problems.append(f"{group.model}, {group.threads} thread(s): {error}")
                clients.pop(name).close()
        if OURS not in clients:
            raise WorkerError(f"polysemy could not load {group.model}; see {model.cache}")
        shape, effort = checkpoint.config(model.folder), rounds.Effort(args.rounds, args.seconds)
        for work in chosen:
            rounds.say(f"{group.model}, {group.threads} thread(s), {work.name}")
            flops = checkpoint.flops(model.folder, work.lengths)
            result = rounds.measure(clients, peak, work, shape, flops, effort, model.cache)
            group.works.append(result)
            where = f"{group.model}, {group.threads} thread(s), {work.name}"
            run.problems.extend(
                f"{where}, batches of {v.size or 'all'}: {v.error}" for v in result.variants if v.error
            )
            store(run, args.out)
            for name, client in list(clients.items()):
                if client.process.poll() is not None:  # it ended; a fresh one may do the next work
                    client.close()
                    clients[name] = Client(name, model, group.threads, client.log)
                    clients[name].ask("load")
    finally:
        for client in [*clients.values(), peak]:
            client.close()


def main() -> int:
    args = parser().parse_args()
    others = chosen_engines(args)
    if args.install:
        install(others)
    ours = [name for kind in args.precision for name in modes(kind) if name != OURS]
    found = {name: ENGINES[name].version() for name in [OURS, *ours, *others]}
    names = [name for name, version in found.items() if version != "not installed"]
    if OURS not in names:
        raise SystemExit("bench: polysemy is not installed; run `pip install .` in the repository first")
    if not args.no_chart and find_spec("matplotlib") is None:
        raise SystemExit(
            "bench: the chart needs matplotlib; install it, or leave the chart out with --no-chart"
        )
    args.out.mkdir(parents=True, exist_ok=True)
    libraries = versions(
        ("numpy", "torch", "transformers", "onnxruntime", "openvino", "nncf", "ctranslate2", "tokenizers")
    )
    settings = {
        "rounds": args.rounds,
        "seconds": args.seconds,
        "truncation": works.TRUNCATION,
        "precision": args.precision,
        "libraries": libraries,
    }
    run = Run(describe(), found, settings)
    texts = load()
    for label in args.model:
        folder = checkpoint.resolve(label, args.cache)
        shape = checkpoint.config(folder)
        size = f"{shape['num_hidden_layers']} layers, hidden {shape['hidden_size']}"
        name = {"default": "all-MiniLM-L6-v2", "base": "BERT-base shape"}.get(label, folder.name)
        model = Model(folder, args.cache / checkpoint.fingerprint(folder))
        model.cache.mkdir(parents=True, exist_ok=True)
        able = convert(names, model, run)
        if args.startups and label == args.model[0]:
            rounds.say("cold start")
            run.startup = startup.measure(one_per_library(able), model, max(args.threads), args.startups)
        ids = token_ids(folder, texts, works.TRUNCATION)
        if args.accuracy:
            measure_accuracy(name, model, able, ids[: args.accuracy], run)
        chosen = args.works or works.UNIFORM_NAMES + (
            works.RAGGED_NAMES[:1] if label == "base" else works.RAGGED_NAMES
        )
        for threads in args.threads:
            group = Group(name, size, threads)
            run.groups.append(group)
            measure_group(group, model, able, [works.make(work, ids) for work in chosen], args, run)
    store(run, args.out)
    if not args.no_chart:
        draw(run, args.out / "results.png")
    print(markdown(run))
    wrong = [v for g in run.groups for w in g.works for v in w.wrong() if not ENGINES[v.engine].approximate]
    absent = any(set(args.precision) - set(w.kinds()) for g in run.groups for w in g.works)
    return 1 if wrong or absent else 0


if __name__ == "__main__":
    raise SystemExit(main())
