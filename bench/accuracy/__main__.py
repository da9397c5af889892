"""Error of every precision against float64: ``python -m bench.accuracy [--model FOLDER] [--texts FILE]``.

The oracle is `polysemy.reference` in float64 on the same token ids. Neighbours are those of each text among all
others, by the cosine of the mean of their token vectors.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from polysemy import _core
from polysemy.encoding.loading import load_model
from polysemy.model.network import Network
from polysemy.model.spec import EncoderSpec
from polysemy.reference import encode_tokens

Ids = NDArray[np.int32]
Doubles = NDArray[np.float64]
TEXTS = Path(__file__).parents[1] / "data" / "texts.txt"


def batches(ids: list[Ids], tokens: int = 2048) -> Iterator[tuple[Ids, NDArray[np.int64]]]:
    """Packed batches of about so many tokens, in order."""
    batch: list[Ids] = []
    for row in ids:
        batch.append(row)
        if sum(map(len, batch)) >= tokens:
            yield packed(batch)
            batch = []
    if batch:
        yield packed(batch)


def as_floats(array: NDArray[Any]) -> NDArray[Any]:
    """A parameter as it is stored; bits of bfloat16 as float32."""
    if array.dtype != np.uint16:
        return array
    return np.left_shift(array, 16, dtype=np.uint32).view(np.float32)


def packed(ids: list[Ids]) -> tuple[Ids, NDArray[np.int64]]:
    return np.concatenate(ids), np.cumsum([0, *map(len, ids)]).astype(np.int64)


def sentences(states: NDArray[np.floating], offsets: NDArray[np.int64]) -> Doubles:
    """Mean vectors of length 1."""
    sums = np.add.reduceat(states.astype(np.float64), offsets[:-1], axis=0)
    return sums / np.linalg.norm(sums, axis=1, keepdims=True)


def neighbours(vectors: Doubles) -> NDArray[np.int64]:
    cosine = vectors @ vectors.T
    np.fill_diagonal(cosine, -np.inf)
    return cosine.argmax(axis=1)


def row(name: str, states: NDArray[np.float32], exact: Doubles, offsets: NDArray[np.int64], size: int) -> str:
    error = states - exact
    ours, oracle = sentences(states, offsets), sentences(exact, offsets)
    cosine = (ours * oracle).sum(axis=1)
    kept = float((neighbours(ours) == neighbours(oracle)).mean())
    return (
        f"| {name} | {np.sqrt((error**2).mean()):.1e} | {np.abs(error).max():.1e} | {cosine.mean():.7f} "
        f"| {cosine.min():.7f} | {kept:.4f} | {size / 2**20:.1f} |"
    )


def print_speed(spec: EncoderSpec, weights: dict[str, NDArray[Any]], seconds: float = 4.0) -> None:
    """CPU time of one thread against float32, medians of interleaved passes over random ids."""
    networks = {precision: Network(spec, weights, precision) for precision in _core.PRECISIONS}
    last, rng = len(spec.layers), np.random.default_rng(0)
    print(f"\n| sequences x tokens | {' | '.join(networks)} |")
    print("|---" * (len(networks) + 1) + "|")
    for count, length in ((1, 8), (1, 128), (16, 128), (4, 512)):
        ids = rng.integers(0, spec.embedding.vocab, count * length).astype(np.int32)
        offsets = np.arange(count + 1, dtype=np.int64) * length
        times: dict[str, list[float]] = {precision: [] for precision in networks}
        end = time.monotonic() + seconds
        while time.monotonic() < end or len(times["float32"]) < 7:
            for precision, network in networks.items():
                start = time.thread_time()
                network.run(ids, offsets, layers=[last], num_threads=1)
                times[precision].append(time.thread_time() - start)
        medians = [float(np.median(times[precision])) for precision in networks]
        ratios = " | ".join(f"{medians[0] / median:.2f}" for median in medians)
        print(f"| {count} x {length} | {ratios} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.accuracy", description=__doc__)
    parser.add_argument("--model", type=Path, help="a model folder; without it the default model")
    parser.add_argument("--texts", type=Path, default=TEXTS, help="a file with one text per line")
    parser.add_argument("--speed", action="store_true", help="the speeds of all precisions instead")
    arguments = parser.parse_args()
    texts = [line for line in arguments.texts.read_text("utf-8").splitlines() if line.strip()]
    loaded = load_model(arguments.model)
    if arguments.speed:
        return print_speed(loaded.spec, dict(loaded.weights))
    ids = [np.asarray(e.ids, np.int32) for e in loaded.tokenizer.encode(texts, spans=False)]
    weights = dict(loaded.weights)
    wide = {name: as_floats(array) for name, array in weights.items()}
    exact = np.concatenate([encode_tokens(loaded.spec, wide, *b).hidden_states[-1] for b in batches(ids)])
    everything, last = packed(ids), len(loaded.spec.layers)
    print(f"{len(texts)} texts, {len(everything[0])} tokens, {_core.default_isa()}\n")
    print(
        "| precision | rms of hidden states | largest error | mean cosine | least | neighbours kept | MiB |"
    )
    print("|---|---|---|---|---|---|---|")
    for precision in _core.PRECISIONS:
        network = Network(loaded.spec, weights, precision)
        states = network.run(*everything, layers=[last]).hidden[last]
        print(row(precision, states, exact, everything[1], network.weight_bytes), flush=True)


if __name__ == "__main__":
    main()
