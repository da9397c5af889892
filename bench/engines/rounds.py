"""Measures one work on all engines: first checked against ours, then timed in interleaved rounds."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.accuracy.errors import sentences
from bench.engines.catalogue import ENGINES, OURS, class_of, is_ours
from bench.engines.client import Client, WorkerError
from bench.engines.engine import FLOAT32, LEAST_COSINE
from bench.engines.results import Variant, WorkResult
from bench.engines.works import Work

_SLICE = 0.2  # seconds of repetitions of a short work within one engine's turn
_MOST = 20


@dataclass(frozen=True, slots=True)
class Effort:
    rounds: int
    seconds: float
    """A variant that has run this long leaves out further rounds, but has at least 2 (or `rounds`)."""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def tolerance(hidden: NDArray[np.float32], shape: dict[str, Any]) -> float:
    """Allowed difference of two float32 engines: rounding of the longest sum, grown once per layer."""
    growth = np.sqrt(shape["intermediate_size"]) * shape["num_hidden_layers"]
    return float(np.finfo(np.float32).eps * growth * np.abs(hidden).max())


def _key(variant: Variant) -> str:
    return f"size-{variant.size}"


def _check(
    clients: dict[str, Client], work: Work, result: WorkResult, shape: dict[str, Any], folder: Path
) -> None:
    """Run every variant once and compare it with ours in float32, the first of all."""
    reference: NDArray[np.float32] | None = None
    ids = [row.tolist() for row in work.ids]
    file = folder / "hidden.npy"
    for variant in result.variants:
        try:
            clients[variant.engine].ask(
                "work", key=_key(variant), ids=ids, size=variant.size, output=str(file)
            )
            hidden = np.load(file)
        except WorkerError as error:
            variant.error = str(error)
            say(f"  {error}")
            continue
        if reference is None:
            if variant.engine != OURS:
                return
            reference = hidden
            result.tolerance = tolerance(hidden, shape)
            continue
        variant.hidden_difference = float(np.abs(hidden - reference).max())
        vectors = [sentences(x, work.lengths) for x in (hidden, reference)]
        variant.vector_difference = float(np.abs(vectors[0] - vectors[1]).max())
        variant.vector_cosine = float((vectors[0] * vectors[1]).sum(axis=1).min())
        if variant in result.wrong() and not ENGINES[variant.engine].approximate:
            kind = class_of(variant.engine)
            variant.error = (
                f"differs from ours by {variant.hidden_difference:.2g}, allowed {result.tolerance:.2g}"
                if kind == FLOAT32
                else f"cosine {variant.vector_cosine:.4f} with ours in float32, the least allowed "
                f"{LEAST_COSINE[kind]}"
            )
            say(f"  {variant.engine}: {variant.error}")


def measure(
    clients: dict[str, Client],
    peak: Client,
    work: Work,
    shape: dict[str, Any],
    flops: float,
    effort: Effort,
    folder: Path,
) -> WorkResult:
    """Time every variant of a work; each round starts with another engine, ours takes part in every round."""
    result = WorkResult(work.name, len(work.ids), sum(work.lengths), flops)
    result.variants = [Variant(name, size) for name in clients for size in work.sizes(is_ours(name))]
    _check(clients, work, result, shape, folder)
    fit = [v for v in result.variants if v.error is None]
    if not any(v.engine == OURS for v in fit):
        say(f"  {work.name}: no result of ours, nothing to compare with")
        return result
    for number in range(effort.rounds):
        result.peak_gflops.append(float(peak.ask("peak_rate")["gflops"]))
        shift = number % len(fit)
        for variant in fit[shift:] + fit[:shift]:
            # Rounds are compared by their index, so a variant only ever leaves out the last ones.
            spent = sum(variant.seconds)
            if variant.error or (not is_ours(variant.engine) and number >= 2 and spent > effort.seconds):
                continue
            try:
                answer = clients[variant.engine].ask("time", key=_key(variant), seconds=_SLICE, most=_MOST)
            except WorkerError as error:
                variant.error = str(error)
                say(f"  {error}")
                continue
            variant.rounds.append(answer["seconds"])
    for client in clients.values():
        if client.process.poll() is None:
            client.ask("forget")
    return result
