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
from bench.accuracy.errors import HEAD, Doubles, compare, distance, farther
from bench.accuracy.oracle import exact_states, packed
from bench.accuracy.speed import print_speed
from bench.engines import checkpoint
from bench.engines.backends import Model
from bench.engines.catalogue import ENGINES, OTHERS, class_of, modes
from bench.engines.client import WorkerError
from bench.engines.engine import CLASSES
from bench.texts import TEXTS, Ids, load

_HELP = """
Error of every precision of polysemy and of every installed engine in all its modes, against float64.

The oracle is polysemy.reference in float64 on the same token ids. A sentence vector is the mean of the token
vectors; neighbours are those of each text among all others, by cosine, and "farther by" is how much farther one that
is not kept lies at most, in exact cosine. Engines get one text at a time, in float32 unless their names say otherwise.
Those that are not installed, or can't run the model, are named at the end.
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
    """The rms of the errors of the states after each layer, and the largest; 0 are the embeddings."""
    layers = range(len(spec.layers) + 1)
    exact = exact_states(spec, weights, ids, layers)
    print(f"| after layer | {' | '.join(f'{p}: rms | largest' for p in _core.PRECISIONS)} |")
    print("|---" * (1 + 2 * len(_core.PRECISIONS)) + "|")
    cells: list[list[str]] = [[] for _ in layers]
    for precision in _core.PRECISIONS:
        found = Network(spec, weights, precision).run(*packed(ids), layers=list(layers)).hidden
        for layer, oracle in zip(layers, exact, strict=True):
            cells[layer] += [f"{error:.1e}" for error in distance(found[layer], oracle)]
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
    print(f"| precision | engine | {' | '.join(HEAD)} | farther by | packed weights, MiB |")
    print("|---" * (len(HEAD) + 4) + "|")

    def row(kind: str, name: str, states: NDArray[np.float32], size: str) -> None:
        cells = compare(folder.name, name, states, exact, lengths).cells()
        cells.append(f"{farther(states, exact, lengths):.1e}")
        print(f"| {kind} | {name} | {' | '.join(cells)} | {size} |", flush=True)

    for kind in CLASSES:
        for name in modes(kind):
            network = Network(spec, weights, ENGINES[name].precision)
            states = network.run(*packed(ids), layers=[len(spec.layers)]).hidden[len(spec.layers)]
            row(kind, name, states, f"{network.weight_bytes / 2**20:.1f}")
        for name in engines:
            if class_of(name) != kind:
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
    folder = checkpoint.resolve(arguments.model, arguments.cache)
    loaded = load_model(folder)
    spec, weights = loaded.spec, loaded.weights
    if arguments.speed:
        return print_speed(spec, weights)
    texts = load(arguments.texts)
    ids = [np.asarray(e.ids, np.int32) for e in loaded.tokenizer.encode(texts, spans=False)]
    print(f"{len(texts)} texts, {sum(map(len, ids))} tokens, {_core.default_isa()}\n")
    if arguments.layers:
        return print_layers(spec, weights, ids)
    (exact,) = exact_states(spec, weights, ids, [len(spec.layers)])
    print_table(folder, arguments.cache, arguments.engines, exact, ids, spec, weights)


if __name__ == "__main__":
    main()
