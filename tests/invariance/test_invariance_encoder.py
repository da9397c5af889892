"""Same text, same bits: whatever stands beside it, wherever it stands, however it is computed."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from deterministic import SPECS, encoder_of, integers, weights_of
from numpy.typing import NDArray
from polysemy import _core, reference

TRIALS = 2000
#: The last rows of the token table are poison, each of its own kind; texts are made of the others.
POISON = (np.nan, np.inf, -np.inf, 1e38, -3e38, 1e-42)
CLEAN = SPECS["even"].embedding.vocab - len(POISON)
LENGTHS = (1, 2, 3, 7, 15, 16, 17, 24, 25, 33, 48, 64, 70)
LONG = (520, 601)  # more keys than one block of attention
POOLINGS = _core.POOLINGS
SCHEDULES = ("auto", "throughput", "latency")

#: All levels that promise the same bits.
LEVELS = _core.fused_isas() or _core.isas()[:1]


@dataclass
class Case:
    """A model whose table is partly poison, the texts, and what each gives alone on one thread."""

    name: str
    encoder: _core.Encoder
    texts: list[NDArray[np.int32]]
    poison: list[NDArray[np.int32]]
    alone: list[dict[str, bytes]]


def ragged(texts: list[NDArray[np.int32]]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    ids = np.concatenate([np.zeros(0, np.int32), *texts])
    return ids, np.concatenate([[0], np.cumsum([len(t) for t in texts])]).astype(np.int64)


def types_of(name: str, offsets: NDArray[np.int64]) -> NDArray[np.int32] | None:
    """The second half of every text has the last token type."""
    if not SPECS[name].embedding.token_types:
        return None
    lengths = np.diff(offsets)
    within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
    return (within >= np.repeat(lengths, lengths) // 2).astype(np.int32)


def run(
    case: Case, texts: list[NDArray[np.int32]], pooling: str, schedule: str, threads: int, isa: str
) -> list[dict[str, NDArray[np.float32]]]:
    """Everything that the encoder says of each text."""
    spec = SPECS[case.name]
    ids, offsets = ragged(texts)
    numbers = list(range(len(spec.layers) + 1))
    result = case.encoder.forward(
        ids,
        offsets,
        types_of(case.name, offsets),
        layers=numbers,
        attentions=numbers[1:],
        pooling=pooling,
        normalize=POOLINGS.index(pooling) % 2 == 0,
        schedule=schedule,
        num_threads=threads,
        isa=isa,
    )
    pooled = result["pooled"]
    assert pooled is not None
    areas = spec.heads * np.diff(offsets) ** 2
    starts = np.concatenate([[0], np.cumsum(areas)])
    found = []
    for i in range(len(texts)):
        rows = slice(offsets[i], offsets[i + 1])
        of_text = {f"pooled {pooling}": pooled[i]}
        for layer in numbers:
            of_text[f"hidden {layer}"] = result["hidden"][layer][rows]
        for layer in numbers[1:]:
            of_text[f"attention {layer}"] = result["attentions"][layer][starts[i] : starts[i + 1]]
        found.append(of_text)
    return found


@cache
def case_of(name: str) -> Case:
    weights = weights_of(name)
    for row, value in enumerate(POISON, start=CLEAN):
        weights["embeddings.token"][row] = value
    counts = [*LENGTHS, *LENGTHS, *LONG]
    texts = [integers(f"{name} text {i}", n, 0, CLEAN).astype(np.int32) for i, n in enumerate(counts)]
    poison = [
        integers(f"{name} poison {i}", n, CLEAN, SPECS[name].embedding.vocab).astype(np.int32)
        for i, n in enumerate((1, 5, 16, 40, 64))
    ]
    poison += [np.full(9, row, np.int32) for row in range(CLEAN, SPECS[name].embedding.vocab)]
    case = Case(name, encoder_of(name, weights), texts, poison, [])
    for text in texts:
        everything: dict[str, bytes] = {}
        for pooling in POOLINGS:
            found = run(case, [text], pooling, "throughput", 1, LEVELS[0])[0]
            for what, array in found.items():
                # The hidden states are the oracle of 2,000 trials: they must say something.
                assert np.isfinite(array).all(), what
                assert len(text) == 1 or np.std(array) > 1e-3 * np.abs(array).max(), what
                assert everything.setdefault(what, array.tobytes()) == array.tobytes(), what
        case.alone.append(everything)
    return case


@pytest.mark.parametrize("name", SPECS)
def test_poison_is_poison(name: str) -> None:
    case = case_of(name)
    for isa in LEVELS:
        spoilt = [run(case, [p], "mean", "auto", 1, isa)[0]["hidden 0"] for p in case.poison]
        assert sum(not np.isfinite(states).all() for states in spoilt) >= len(case.poison) // 2


@pytest.mark.parametrize("name", SPECS)
def test_no_bit_depends_on_the_batch(name: str) -> None:
    """Random neighbours, order, place, poison, threads, schedule, level: every bit of every clean text."""
    case = case_of(name)
    trials = -(-TRIALS // len(SPECS))
    draw = itertools.chain.from_iterable(
        integers(f"{name} trials {i}", 4096, 0, 1 << 30) for i in itertools.count()
    )
    short = len(case.texts) - len(LONG)
    compared, different = 0, []
    for trial in range(trials):
        # -1 and below is poison; long texts are dear, so few trials have them.
        members = [int(next(draw)) % short for _ in range(1 + next(draw) % 9)]
        if next(draw) % 25 == 0:
            members.append(short + int(next(draw)) % len(LONG))
        members += [-1 - int(next(draw)) % len(case.poison) for _ in range(next(draw) % 4)]
        order = np.argsort([next(draw) for _ in members], kind="stable")
        members = [members[i] for i in order]
        pooling = POOLINGS[next(draw) % len(POOLINGS)]
        schedule = SCHEDULES[next(draw) % 3]
        threads = 1 + int(next(draw)) % 4
        isa = LEVELS[next(draw) % len(LEVELS)]
        texts = [case.texts[m] if m >= 0 else case.poison[-1 - m] for m in members]
        for member, found in zip(members, run(case, texts, pooling, schedule, threads, isa), strict=True):
            if member < 0:
                continue
            for what, array in found.items():
                compared += 1
                if array.tobytes() != case.alone[member][what]:
                    different.append((trial, members, member, what, schedule, threads, isa))
    assert compared > 10 * trials
    assert not different, f"{len(different)} of {compared} differ, the first: {different[0]}"


@pytest.mark.parametrize("name", SPECS)
def test_baseline_is_as_accurate(name: str) -> None:
    """Without fused multiply-adds other bits, but no worse ones: both levels against float64.

    A product of one layer then rounds twice instead of once, so its error at most doubles; the rest is the
    luck of one draw.
    """
    case = case_of(name)
    spec = SPECS[name]
    weights = weights_of(name)
    ids, offsets = ragged(case.texts[: len(LENGTHS)])
    types = types_of(name, offsets)
    exact = reference.encode_tokens(spec, weights, ids, offsets, types, dtype=np.float64)
    layers = list(range(len(spec.layers) + 1))
    fused, plain = (
        encoder_of(name, weights).forward(ids, offsets, types, layers=layers, isa=isa)["hidden"]
        for isa in (LEVELS[0], "baseline")
    )
    unit = np.finfo(np.float32).eps / 2
    for layer in layers:
        oracle = np.asarray(exact.hidden_states[layer])
        scale = np.abs(oracle).max()
        of_fused, of_plain = (np.abs(x[layer] - oracle).max() for x in (fused, plain))
        # Rounding errors of a chain of n operations add up like a random walk, sqrt(n) of them per layer.
        bound = (1 + layer) * np.sqrt(spec.layers[0].ffn.width + 4 * spec.hidden) * 4 * unit * scale
        assert of_fused <= bound
        assert of_plain <= bound
        assert of_plain <= 4 * max(of_fused, unit * scale)
