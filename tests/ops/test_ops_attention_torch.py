"""Attention beside torch's: the same options drawn at random, both against the float64 oracle."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import ops_bounds
import pytest
import torch
from numpy.typing import NDArray
from polysemy import ops, reference

CASES = 150
MANY_CASES = 2000
# Multiplications a case may cost in one product: keeps the default run short.
BUDGET = 20_000_000
LARGE_BUDGET = 200_000_000


@dataclass
class Case:
    """Arguments of one call of attention."""

    query: NDArray[Any]
    key: NDArray[Any]
    value: NDArray[Any]
    mask: NDArray[Any] | None = None
    options: dict[str, Any] = field(default_factory=dict)


def _length(rng: np.random.Generator) -> int:
    return int(rng.integers(0, [70, 70, 70, 400, 2001][rng.integers(5)]))


def _dim(rng: np.random.Generator) -> int:
    return int(rng.choice([rng.integers(1, 70), rng.integers(1, 513), 32, 64, 128]))


def _thin(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape with some axes that broadcast instead: of size one, or missing in front."""
    thinned = tuple(1 if rng.random() < 0.2 else n for n in shape)
    return thinned[int(rng.integers(0, len(thinned) + 1)) :] if rng.random() < 0.1 else thinned


def _mask(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[Any]:
    shape = shape[int(rng.integers(0, len(shape) - 1)) :]
    shape = (*(1 if rng.random() < 0.3 else n for n in shape[:-2]), *shape[-2:])
    keep: NDArray[Any] = rng.random(shape) < rng.choice([0.1, 0.7, 0.95])
    if rng.random() < 0.5:
        return keep
    return np.where(keep, rng.standard_normal(shape), -np.inf).astype(np.float32)


def draw(seed: int, budget: int) -> Case:
    """The case of this number."""
    rng = np.random.default_rng(seed)
    batch = tuple(int(n) for n in rng.integers(1, 4, rng.integers(0, 3)))
    kv_heads, lq, lk, dim, value_dim = (
        int(rng.integers(1, 5)),
        _length(rng),
        _length(rng),
        _dim(rng),
        _dim(rng),
    )
    grouped = rng.random() < 0.3
    heads = kv_heads * int(rng.integers(1, 4)) if grouped else kv_heads
    while np.prod(batch) * heads * lq * lk * max(dim, value_dim) > budget:
        lq, lk = lq * 2 // 3, lk * 2 // 3
    if grouped:
        q_lead, k_lead, v_lead = (*batch, heads), (*batch, kv_heads), (*batch, kv_heads)
    else:
        q_lead, k_lead, v_lead = (_thin(rng, (*batch, heads)) for _ in range(3))
    spread = rng.choice([0.3, 1.0, 3.0])

    def normal(*shape: int) -> NDArray[Any]:
        return (rng.standard_normal(shape) * spread).astype(np.float32)

    case = Case(normal(*q_lead, lq, dim), normal(*k_lead, lk, dim), normal(*v_lead, lk, value_dim))
    case.options["enable_gqa"] = grouped
    case.options["scale"] = [None, None, 0.1, 0.02][rng.integers(4)]
    kind = rng.integers(3)
    if kind == 1:
        case.options["is_causal"] = True
    elif kind == 2:
        lead = np.broadcast_shapes(q_lead, k_lead, v_lead) if not grouped else q_lead
        case.mask = _mask(rng, (*lead, lq, lk))
    return case


def _torch(case: Case, dtype: torch.dtype) -> NDArray[Any]:
    q, k, v = (torch.from_numpy(a).to(dtype) for a in (case.query, case.key, case.value))
    mask = None if case.mask is None else torch.from_numpy(case.mask)
    if mask is not None and mask.dtype != torch.bool:
        mask = mask.to(dtype)
    lead = (
        torch.broadcast_shapes(q.shape[:-2], k.shape[:-2], v.shape[:-2])
        if not case.options["enable_gqa"]
        else None
    )
    if lead is not None:
        q, k, v = (a.expand(*lead, *a.shape[-2:]) for a in (q, k, v))
    attend = torch.nn.functional.scaled_dot_product_attention
    return np.asarray(attend(q, k, v, mask, **case.options).numpy())


@dataclass
class Comparison:
    """What one case showed: how many results were not zero, and both largest errors."""

    elements: int
    ours: float
    theirs: float


def compare(seed: int, budget: int) -> Comparison:
    """Check one case against the oracle, with torch's error and the bounds as the measure."""
    case = draw(seed, budget)
    q, k, v = (a.astype(np.float64) for a in (case.query, case.key, case.value))
    mask = case.mask if case.mask is None or case.mask.dtype == np.bool_ else case.mask.astype(np.float64)
    oracle, weights = reference.scaled_dot_product_attention(
        q, k, v, mask, **case.options, return_weights=True
    )
    result = ops.scaled_dot_product_attention(case.query, case.key, case.value, case.mask, **case.options)
    beside = _torch(case, torch.float32)
    assert beside.shape == result.shape
    if case.options["enable_gqa"]:
        v = np.repeat(v, q.shape[-3] // v.shape[-3], axis=-3)
    # Where no key takes part torch has given zeros or NaN, depending on its version and path.
    theirs = np.nanmax(np.abs(beside.astype(np.float64) - oracle), initial=0.0)
    ops_bounds.within(result, oracle, theirs + ops_bounds.attention(oracle, weights, v))
    ours = np.abs(result.astype(np.float64) - oracle).max(initial=0.0)
    return Comparison(int(np.count_nonzero(oracle)), float(ours), float(theirs))


def _judge(cases: list[Comparison], elements: int) -> None:
    # Mostly empty or fully masked draws would prove nothing.
    assert sum(case.elements for case in cases) > elements
    ratios = [case.ours / case.theirs for case in cases if case.theirs > 0.0]
    assert len(ratios) > len(cases) // 2
    # Two float32 results of the same quality differ either way: as many are closer as are farther off.
    assert np.median(ratios) < 1.0


def test_random_options() -> None:
    _judge([compare(seed, BUDGET) for seed in range(CASES)], 100_000)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(20))
def test_many_random_options(block: int) -> None:
    size = MANY_CASES // 20
    first = 10_000 + block * size
    _judge([compare(seed, LARGE_BUDGET) for seed in range(first, first + size)], 100_000)


def test_the_oracle_is_that_of_torch() -> None:
    """The reference itself against torch in float64, so that both can't be wrong in the same way."""
    for seed in range(60):
        case = draw(seed, BUDGET // 20)
        mask = case.mask
        ours = reference.scaled_dot_product_attention(
            *(a.astype(np.float64) for a in (case.query, case.key, case.value)),
            mask if mask is None or mask.dtype == np.bool_ else mask.astype(np.float64),
            **case.options,
        )
        theirs = _torch(case, torch.float64)
        decided = ~np.isnan(theirs)
        size = np.abs(case.value).max(initial=0.0) * (case.key.shape[-2] + case.key.shape[-1])
        np.testing.assert_allclose(
            ours[decided], theirs[decided], rtol=0, atol=16 * 2.0**-53 * max(size, 1.0)
        )
