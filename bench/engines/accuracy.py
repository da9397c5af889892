"""Distance of each engine's hidden states from a run in float64: `python -m bench.engines.accuracy`.

Every engine gets each text alone, in a process of its own, as in the comparison of speeds. The oracle is
transformers' BertModel in float64.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.engines import checkpoint, works
from bench.engines.backends import Model
from bench.engines.catalogue import ENGINES, OURS
from bench.engines.client import Client, WorkerError
from bench.engines.rounds import say
from bench.texts import load, token_ids

States = NDArray[np.float64]


class Error:
    """Of many states: the largest, and the root of the mean square."""

    def __init__(self) -> None:
        self.largest, self.squares, self.count = 0.0, 0.0, 0

    def add(self, state: NDArray[Any], exact: States) -> None:
        difference = np.abs(state.astype(np.float64) - exact)
        self.largest = max(self.largest, float(difference.max()))
        self.squares += float((difference**2).sum())
        self.count += difference.size

    def row(self, name: str) -> str:
        return f"| {name} | {self.largest:.2e} | {(self.squares / self.count) ** 0.5:.2e} |"


def torch_states(folder: Path, ids: Iterable[NDArray[np.int32]], dtype: str) -> Iterator[list[States]]:
    """All layers' states of each text, from the embedding output on."""
    import torch
    from transformers import BertModel
    from transformers.utils import logging

    logging.disable_progress_bar()

    model = BertModel.from_pretrained(folder, torch_dtype=getattr(torch, dtype)).eval()
    for row in ids:
        with torch.inference_mode():
            output = model(torch.from_numpy(row[None].astype(np.int64)), output_hidden_states=True)
        yield [state[0].numpy().astype(np.float64) for state in output.hidden_states]


def our_states(folder: Path, ids: list[NDArray[np.int32]]) -> Iterator[list[States]]:
    from polysemy import Encoder

    encoder = Encoder.from_pretrained(folder)
    layers = range(len(encoder.spec.layers) + 1)
    for row in ids:
        output = encoder.forward([row.tolist()], layers=layers)
        yield [output.hidden_state(0, layer).astype(np.float64) for layer in layers]


def last_states(engine: str, model: Model, ids: list[NDArray[np.int32]]) -> list[NDArray[np.float32]]:
    """What `python -m bench.engines` times, one text per call."""
    client = Client(engine, model, 1, model.cache / f"{engine}.log")
    file = model.cache / "hidden.npy"
    try:
        client.ask("convert")
        client.ask("load")
        client.ask("work", key="accuracy", ids=[row.tolist() for row in ids], size=1, output=str(file))
    finally:
        client.close()
    return np.split(np.load(file), np.cumsum([len(row) for row in ids])[:-1])


def main() -> None:
    names = [name for name in ENGINES if name != OURS]
    parser = argparse.ArgumentParser(prog="python -m bench.engines.accuracy", description=__doc__)
    parser.add_argument("--model", default="default", help="'default' or a BERT checkpoint folder")
    parser.add_argument("--engines", nargs="*", choices=names, metavar="E", help=f"of {', '.join(names)}")
    parser.add_argument("--texts", type=Path, help="a file with one text per line; default: the benchmarks'")
    parser.add_argument("--cache", type=Path, default=checkpoint.cache_folder(), metavar="DIR")
    args = parser.parse_args()
    folder = checkpoint.resolve(args.model, args.cache)
    model = Model(folder, args.cache / checkpoint.fingerprint(folder))
    model.cache.mkdir(parents=True, exist_ok=True)
    texts = args.texts.read_text("utf-8").splitlines() if args.texts else load()
    ids = token_ids(folder, [text for text in texts if text], works.TRUNCATION)

    exact = list(torch_states(folder, ids, "float64"))
    ours, theirs = ([Error() for _ in exact[0]] for _ in range(2))
    for errors, found in ((ours, our_states(folder, ids)), (theirs, torch_states(folder, ids, "float32"))):
        for states, oracle in zip(found, exact, strict=True):
            for error, state, expected in zip(errors, states, oracle, strict=True):
                error.add(state, expected)
    print(f"{len(ids)} texts, {sum(map(len, ids))} tokens\n\n| last hidden state | largest | rms |")
    print("|---|---|---|")
    print(ours[-1].row(OURS))
    for name in names if args.engines is None else args.engines:
        if ENGINES[name].missing():
            continue
        try:
            error = Error()
            for state, oracle in zip(last_states(name, model, ids), exact, strict=True):
                error.add(state, oracle[-1])
            print(error.row(name), flush=True)
        except WorkerError as problem:
            say(f"left out: {problem}")
    print("\n| after layer | polysemy: largest | rms | torch: largest | rms |\n|---|---|---|---|---|")
    for layer, (our, their) in enumerate(zip(ours, theirs, strict=True)):
        print(our.row(str(layer)) + their.row("")[4:])


if __name__ == "__main__":
    main()
