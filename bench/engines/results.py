"""What a run measured, as plain data, and the statistics that the report draws from it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np

from bench.accuracy.errors import Accuracy
from bench.engines.catalogue import OURS_IN, class_of
from bench.engines.engine import FLOAT32, LEAST_COSINE


@dataclass(slots=True)
class Variant:
    """One engine on one work, cut into batches in one way."""

    engine: str
    size: int  # sequences per batch, sorted by length; 0: everything in one batch, in arrival order
    rounds: list[list[float]] = field(default_factory=list)  # seconds of the runs of each round
    hidden_difference: float | None = None  # largest absolute difference from our float32 last hidden state
    vector_difference: float | None = None  # the same for mean-pooled, normalised vectors
    vector_cosine: float | None = None  # the least cosine of these vectors with ours
    error: str | None = None

    @property
    def seconds(self) -> list[float]:
        return [t for one in self.rounds for t in one]

    def quartiles(self) -> dict[str, float]:
        low, first, middle, third = np.percentile(self.seconds, [0, 25, 50, 75])
        return {"min": float(low), "q1": float(first), "median": float(middle), "q3": float(third)}


def quotient(one: Variant, other: Variant) -> float:
    """The time of one over that of the other: the median over rounds of the quotient of medians."""
    return median(median(a) / median(b) for a, b in zip(one.rounds, other.rounds, strict=False))


@dataclass(slots=True)
class WorkResult:
    name: str
    sequences: int
    tokens: int
    flops: float
    tolerance: float = 0.0  # for hidden_difference
    peak_gflops: list[float] = field(default_factory=list)  # one measurement per round
    variants: list[Variant] = field(default_factory=list)

    def ours(self, kind: str = FLOAT32) -> Variant:
        """Of a class of precisions, the one that the others of the class are compared with."""
        return next(v for v in self.variants if v.engine == OURS_IN[kind])

    def kinds(self) -> list[str]:
        """The classes of precisions in which ours was measured."""
        ours = {v.engine for v in self.measured()}
        return [kind for kind, name in OURS_IN.items() if name in ours]

    def measured(self) -> list[Variant]:
        return [v for v in self.variants if v.rounds]

    def ratio(self, other: Variant) -> float:
        """How many times the time of ours of its own class the other took: see `quotient`."""
        return quotient(other, self.ours(class_of(other.engine)))

    def gain(self, variant: Variant) -> float:
        """How many times its time our float32 took."""
        return quotient(self.ours(), variant)

    def share(self, variant: Variant) -> float:
        """The work's own FLOP over time, as a share of the FMA peak measured in the same rounds."""
        return self.flops / median(variant.seconds) / (median(self.peak_gflops) * 1e9)

    def wrong(self) -> list[Variant]:
        return [
            v
            for v in self.variants
            if v.hidden_difference is not None and not self._near(v, v.hidden_difference)
        ]

    def _near(self, variant: Variant, difference: float) -> bool:
        kind = class_of(variant.engine)
        if kind == FLOAT32:
            return difference <= self.tolerance
        return variant.vector_cosine is not None and variant.vector_cosine >= LEAST_COSINE[kind]

    def best(self, engine: str, sizes: tuple[int, ...]) -> Variant | None:
        """The fastest of an engine's variants with one of these batch sizes."""
        found = [v for v in self.measured() if v.engine == engine and v.size in sizes]
        return min(found, key=self.ratio, default=None)


@dataclass(slots=True)
class Group:
    """All works of one model at one thread count."""

    model: str
    shape: str
    threads: int
    bandwidth_gbytes: float | None = None
    works: list[WorkResult] = field(default_factory=list)


@dataclass(slots=True)
class Startup:
    """Fresh processes that embed one sentence, medians."""

    engine: str
    runs: int
    import_seconds: float
    first_embedding_seconds: float
    peak_rss_mb: float


@dataclass(slots=True)
class Run:
    machine: dict[str, object]
    engines: dict[str, str]  # name to version, or "not installed"
    settings: dict[str, object]
    startup: list[Startup] = field(default_factory=list)
    accuracy: list[Accuracy] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def load(file: Path) -> Run:
    """A stored run."""
    plain = json.loads(file.read_text("utf-8"))
    for group in plain["groups"]:
        for work in group["works"]:
            work["variants"] = [Variant(**variant) for variant in work["variants"]]
        group["works"] = [WorkResult(**work) for work in group["works"]]
    plain["groups"] = [Group(**group) for group in plain["groups"]]
    plain["startup"] = [Startup(**one) for one in plain["startup"]]
    plain["accuracy"] = [Accuracy(**one) for one in plain.get("accuracy", [])]  # runs before there was any
    return Run(**plain)
