"""The command line of the accuracies."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from polysemy import _core
from polysemy.encoding.loading import load_model
from polysemy.model.network import Network
from polysemy.model.spec import EncoderSpec

from bench.accuracy.engines import last_states
from bench.accuracy.errors import HEAD, Doubles, compare
from bench.accuracy.oracle import exact_states, packed
from bench.accuracy.speed import print_speed
from bench.engines import checkpoint
from bench.engines.backends import Model
from bench.engines.catalogue import ENGINES, EXPORTED, OURS, is_ours
from bench.engines.client import WorkerError
from bench.engines.engine import CLASSES
from bench.texts import Ids

TEXTS = Path(__file__).parents[1] / "data" / "texts.txt"
OTHERS = [name for name in ENGINES if not is_ours(name) and name != EXPORTED]

_HELP = """
Error of every precision of polysemy and of every installed engine in all its modes, against float64.

The oracle is polysemy.reference in float64 on the same token ids. A sentence vector is the mean of the token
vectors; neighbours are those of each text among all others, by cosine. Engines get one text at a time, in float32
unless their names say otherwise. Those that are not installed, or can't run the model, are named at the end.
"""
_EXAMPLES = """
examples:
  python -m bench.accuracy                                    the default model, the texts of the benchmarks
  python -m bench.accuracy --model my-model --texts my.txt    a folder and a file of one's own, one text per line
  python -m bench.accuracy --engines                          polysemy alone
  python -m bench.accuracy --engines openvino-bfloat16 onnxruntime-int8
  python -m bench.accuracy --layers                           polysemy after every layer
  python -m bench.accuracy --speed                            CPU time of one thread next to float32
"""


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="python -m bench.accuracy",
        description=_HELP,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument(
        "--model", default="default", metavar="DIR", help="a model folder; default: all-MiniLM-L6-v2"
    )
    p.add_argument("--texts", type=Path, default=TEXTS, metavar="FILE", help="one text per line")
    p.add_argument(
        "--engines", nargs="*", choices=OTHERS, default=OTHERS, metavar="E",
        help=f"other engines, none without a name; default: all that are installed, of {', '.join(OTHERS)}",
    )  # fmt: skip
    cache = "converted models, reused by later runs; default: ~/.cache/polysemy-bench"
    p.add_argument("--cache", type=Path, default=checkpoint.cache_folder(), metavar="DIR", help=cache)
    p.add_argument("--layers", action="store_true", help="the errors of polysemy after every layer instead")
    p.add_argument("--speed", action="store_true", help="the speeds of polysemy's precisions instead")
    return p


def print_layers(spec: EncoderSpec, weights: Mapping[str, NDArray[Any]], ids: Sequence[Ids]) -> None:
    """The largest error and the rms of the states after each layer; 0 are the embeddings."""
    layers = range(len(spec.layers) + 1)
    exact = exact_states(spec, weights, ids, layers)
    print(f"| after layer | {' | '.join(f'{p}: rms | largest' for p in _core.PRECISIONS)} |")
    print("|---" * (1 + 2 * len(_core.PRECISIONS)) + "|")
    cells: list[list[str]] = [[] for _ in layers]
    for precision in _core.PRECISIONS:
        found = Network(spec, weights, precision).run(*packed(ids), layers=list(layers)).hidden
        for layer, oracle in zip(layers, exact, strict=True):
            error = found[layer] - oracle
            cells[layer] += [f"{np.sqrt((error**2).mean()):.1e}", f"{np.abs(error).max():.1e}"]
    for layer in layers:
        print(f"| {layer} | {' | '.join(cells[layer])} |")


def print_table(
    folder: Path, cache: Path, engines: Sequence[str], exact: Doubles, ids: Sequence[Ids],
    spec: EncoderSpec, weights: Mapping[str, NDArray[Any]],
) -> None:  # fmt: skip
    """A row for each mode of ours, then one for each engine, by class of precisions."""
    model = Model(folder, cache / checkpoint.fingerprint(folder))
    model.cache.mkdir(parents=True, exist_ok=True)
    lengths = [len(row) for row in ids]
    absent = []
    print(f"| precision | engine | {' | '.join(HEAD)} | packed weights, MiB |")
    print("|---" * (len(HEAD) + 3) + "|")

    def row(kind: str, name: str, states: NDArray[np.float32], size: str) -> None:
        cells = compare(folder.name, name, states, exact, lengths).cells()
        print(f"| {kind} | {name} | {' | '.join(cells)} | {size} |", flush=True)

    for kind, precisions in CLASSES.items():
        for precision in precisions:
            network = Network(spec, weights, precision)
            states = network.run(*packed(ids), layers=[len(spec.layers)]).hidden[len(spec.layers)]
            name = OURS if precision == "float32" else f"{OURS}-{precision}"
            row(kind, name, states, f"{network.weight_bytes / 2**20:.1f}")
        for name in engines:
            if ENGINES[name].kind != kind:
                continue
            if missing := ENGINES[name].missing():
                absent.append(f"{name}: not installed: {', '.join(missing)}")
                continue
            try:
                row(kind, name, last_states(name, model, ids), "")
            except WorkerError as error:
                absent.append(str(error))
    if absent:
        print("\nLeft out:\n" + "\n".join(f"- {line}" for line in absent))


def main() -> None:
    arguments = parser().parse_args()
    texts = [line for line in arguments.texts.read_text("utf-8").splitlines() if line.strip()]
    folder = checkpoint.resolve(arguments.model, arguments.cache)
    loaded = load_model(folder)
    spec, weights = loaded.spec, dict(loaded.weights)
    if arguments.speed:
        return print_speed(spec, weights)
    ids = [np.asarray(e.ids, np.int32) for e in loaded.tokenizer.encode(texts, spans=False)]
    print(f"{len(texts)} texts, {sum(map(len, ids))} tokens, {_core.default_isa()}\n")
    if arguments.layers:
        return print_layers(spec, weights, ids)
    (exact,) = exact_states(spec, weights, ids, [len(spec.layers)])
    print_table(folder, arguments.cache, arguments.engines, exact, ids, spec, weights)


if __name__ == "__main__":
    main()
