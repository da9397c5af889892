"""Products in reduced precision: exact where the scheme is exact, one set of bits on every level."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from polysemy import _core, ops, reference
from polysemy.reference.precision import (
    GROUP,
    INT16_MOST,
    ROTATED,
    quantize_int16,
    quantize_rows,
    quantize_weight,
    rotate,
    to_bfloat16,
)

Floats = NDArray[np.float32]

#: Around lanes, pairs, rotations, groups and blocks of k; around tiles of rows; around panels.
SIZES = [
    (1, 16, 4),
    (1, 33, 191),
    (2, 17, 64),
    (3, 50, 77),
    (5, 1, 1),
    (6, 15, 65),
    (7, 64, 192),
    (8, 40, 193),
]
SIZES += [(9, 100, 385), (13, 31, 3), (16, 48, 577), (50, 34, 288), (200, 19, 95), (4, 70, 8192)]
INTEGERS = ["int8", "int16"]
REDUCED = [name for name in _core.PRECISIONS if name != "float32"]
FUSED = _core.fused_isas()


def draw(seed: int, *shape: int) -> Floats:
    rng = np.random.default_rng(seed)
    return np.float32(rng.standard_normal(shape) * np.exp(rng.uniform(-2, 2, shape)))


def multiply(x: Floats, weight: Floats, precision: str, isa: str, threads: int = 1) -> Floats:
    out = np.full((len(x), len(weight)), np.nan, np.float32)
    _core.linear(
        x, _core.PackedWeight(weight, precision), None, None, None, out, num_threads=threads, isa=isa
    )
    return out


def adversarial(columns: int) -> Floats:
    """Rows that are all extreme, alternate, have an outlier, are tiny, or constant."""
    rows = np.ones((9, columns), np.float32)
    rows[1] = -1
    rows[2, ::2] = -1
    rows[3] = draw(1, columns)
    rows[3, columns // 2] = 1e4
    rows[4] = 1e-42
    rows[5] = 0
    rows[6] = 3e38
    rows[6, ::2] = -3e38
    rows[7] = np.float32(2.0**-120) * draw(2, columns)
    rows[8] = 1e-30
    return rows


@pytest.mark.parametrize("isa", _core.isas())
@pytest.mark.parametrize("precision", INTEGERS)
@pytest.mark.parametrize(("m", "n", "k"), SIZES)
def test_integers_have_the_bits_of_the_reference(m: int, n: int, k: int, precision: str, isa: str) -> None:
    x, weight = draw(m, m, k), draw(n, n, k)
    x[:, : k // 3] = 0
    x = np.concatenate([x, adversarial(k)])
    with np.errstate(over="ignore", invalid="ignore"):
        expected = reference.linear(x, weight, precision=precision)
    for threads in (1, 3):
        assert np.array_equal(multiply(x, weight, precision, isa, threads), expected, equal_nan=True)


def exact_sums(row: NDArray[np.int64], column: NDArray[np.int64], scale: float = 1) -> float:
    """Of Python's integers by groups, which are scaled on both sides and added in float32, in order."""
    total = np.float32(0)
    for first in range(0, len(row), GROUP):
        part = slice(first, first + GROUP)
        exact = sum(int(a) * int(w) for a, w in zip(row[part], column[part], strict=True))
        total += np.float32(exact) * np.float32(scale) * np.float32(scale)
    return float(total)


@pytest.mark.parametrize("isa", _core.isas())
@pytest.mark.parametrize("k", [1, 63, 192, 320, 8192])
def test_int16_sums_are_exact(k: int, isa: str) -> None:
    """Whole numbers of the largest size, with a scale of 1 but for its rounding: Python's integers know the sum."""
    scale = float(np.float32(INT16_MOST) * (np.float32(1) / np.float32(INT16_MOST)))
    most, signs = INT16_MOST, np.where(np.arange(k) % 2, -1, 1)
    first = np.arange(k) % GROUP == 0
    rows = [
        np.full(k, most),
        np.full(k, -most),
        most * signs,
        np.where(first, most, 0),
        np.where(first, -most, 1),
    ]
    rows += [np.where(first, most, np.random.default_rng(k).integers(-most, most, k))]
    found = multiply(np.float32(rows), np.float32(rows), "int16", isa)
    for i, row in enumerate(rows):
        for j, column in enumerate(rows):
            assert found[i, j] == exact_sums(row, column, scale)


@pytest.mark.parametrize("isa", _core.isas())
@pytest.mark.parametrize("k", [64, 192, 320, 8192])
def test_int8_sums_are_exact(k: int, isa: str) -> None:
    """The same with a scale of exactly 1, for what the rotation makes of what is given."""
    signs = np.where(np.arange(k) % 2, -1, 1)
    weights = [np.full(k, 127), np.full(k, -127), 127 * signs]
    rows = [np.full(k, 255), np.where(np.arange(k) % GROUP, 255, 0), np.where(signs > 0, 255, 0)]
    rows += [np.where(signs > 0, -255, 0), np.where(np.arange(k) % GROUP, -128, 127)]
    x, weight = rotate(np.float32(rows)) * np.float32(ROTATED), rotate(np.float32(weights))
    assert np.array_equal(rotate(x), np.float32(rows))
    found = multiply(x, weight, "int8", isa)
    for i, row in enumerate(rows):
        for j, column in enumerate(weights):
            assert found[i, j] == exact_sums(row, column)


@pytest.mark.parametrize("k", [5, 200, 1000])
def test_int8_is_as_near_as_its_scales(k: int) -> None:
    x, weight = np.concatenate([draw(3, 20, k), adversarial(k)[:6]]), draw(4, 30, k)
    rows, columns = quantize_rows(x), quantize_weight(weight)
    assert rows.integers.min() >= 0
    assert rows.integers.max() <= 255
    count = rows.scale.shape[1]
    padded = [np.zeros((len(a), count * GROUP), np.float32) for a in (x, weight)]
    for array, to in zip((x, weight), padded, strict=True):
        to[:, :k] = array
    turned = [rotate(padded[0]).astype(float), ROTATED * rotate(padded[1]).astype(float)]
    # Each side is off by half a step, a clipped end by one more; the rest is the sum in float32.
    step_x = np.repeat(rows.scale.astype(float), GROUP, 1) * 1.01
    step_w = np.repeat(columns.scale.astype(float), GROUP, 1) * 0.51
    bound = step_x @ np.abs(turned[1]).T + np.abs(turned[0]) @ step_w.T + step_x @ step_w.T
    # Below the least scale a row is zero: its numbers are at most 255 steps of that.
    bound += 2.0**-112 * np.abs(turned[1]).sum(axis=1)
    # Ten roundings of each side of numbers that are no larger than the sum of 64.
    largest = [np.abs(a).reshape(len(a), -1, ROTATED).sum(-1).repeat(ROTATED, 1) for a in padded]
    bound += 2.0**-20 * count * (largest[0] @ largest[1].T) / ROTATED
    error = np.abs(multiply(x, weight, "int8", FUSED[0]) - x.astype(float) @ weight.astype(float).T)
    assert (error <= bound).all()


@pytest.mark.parametrize("k", [5, 200, 1000])
def test_int16_is_as_near_as_its_scales(k: int) -> None:
    x, weight = np.concatenate([draw(3, 20, k), adversarial(k)[:6]]), draw(4, 30, k)
    rows, columns = quantize_int16(x), quantize_int16(weight)
    assert np.abs(rows.integers).max() == INT16_MOST
    # Each side is off by half a step; products, sums of groups and scales round a few times more.
    step_x, step_w = (
        0.501 * np.repeat(side.scale.astype(float), GROUP, 1)[:, :k] for side in (rows, columns)
    )
    size_x, size_w = np.abs(x).astype(float), np.abs(weight).astype(float)
    bound = step_x @ size_w.T + size_x @ step_w.T + step_x @ step_w.T
    # Below the least scale a row is zero.
    bound += INT16_MOST * 2.0**-120 * size_w.sum(axis=1)
    bound += 2.0**-24 * (4 + rows.scale.shape[1]) * (size_x @ size_w.T)
    error = np.abs(multiply(x, weight, "int16", FUSED[0]) - x.astype(float) @ weight.astype(float).T)
    assert (error <= bound).all()


@pytest.mark.parametrize("isa", _core.isas())
@pytest.mark.parametrize(("m", "n", "k"), SIZES)
def test_bfloat16_is_a_float32_sum_of_rounded_numbers(m: int, n: int, k: int, isa: str) -> None:
    x, weight = draw(m, m, k), draw(n, n, k)
    near_x, near_weight = to_bfloat16(x).astype(float), to_bfloat16(weight).astype(float)
    # A chain of 192 inputs, then the blocks: each addition rounds a partial sum no larger than all of them.
    roundings = min(k, 192) + k // 192 + 1
    bound = 2.0**-24 * roundings * (np.abs(near_x) @ np.abs(near_weight).T)
    error = np.abs(multiply(x, weight, "bfloat16", isa) - near_x @ near_weight.T)
    assert (error <= bound).all()
    assert (np.abs(near_x - x) <= 2.0**-8 * np.abs(x)).all()


@pytest.mark.parametrize("isa", _core.isas())
@pytest.mark.parametrize(("m", "n", "k"), SIZES)
def test_float16_is_float32_with_rounded_weights(m: int, n: int, k: int, isa: str) -> None:
    x, weight = draw(m, m, k), np.concatenate([draw(n, n, k), np.float32(1e-6) * draw(n + 1, 3, k)])
    rounded = weight.astype(np.float16).astype(np.float32)
    assert np.array_equal(multiply(x, weight, "float16", isa), multiply(x, rounded, "float32", isa))


@pytest.mark.parametrize("precision", REDUCED)
@pytest.mark.parametrize(("m", "n", "k"), SIZES)
def test_bits_depend_on_nothing(m: int, n: int, k: int, precision: str) -> None:
    """Level, threads, neighbours, place; ordinary rows, adversarial ones and tiny products."""
    x = np.concatenate([draw(m, m, k), adversarial(k), np.float32(1e-19) * draw(5, 3, k)])
    weight = np.concatenate([draw(n, n, k), np.float32(1e-20) * draw(6, 5, k)])
    with np.errstate(over="ignore"):
        expected = multiply(x, weight, precision, FUSED[0])
    assert np.unique(expected[:m]).size > min(m * n, 3) // 2
    for isa in FUSED:
        for threads in (1, 2, 5):
            assert multiply(x, weight, precision, isa, threads).tobytes() == expected.tobytes(), isa
        order = np.random.default_rng(7).permutation(len(x))
        assert multiply(x[order], weight, precision, isa).tobytes() == expected[order].tobytes()
        assert multiply(x[m - 1 : m], weight, precision, isa).tobytes() == expected[m - 1 : m].tobytes()


@pytest.mark.parametrize("isa", _core.isas())
@pytest.mark.parametrize("precision", REDUCED)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_stays_in_its_row(value: float, precision: str, isa: str) -> None:
    x, weight = draw(8, 12, 300), draw(9, 20, 300)
    clean = multiply(x, weight, precision, isa)
    x[5, 250] = value
    found = multiply(x, weight, precision, isa)
    assert not np.isfinite(found[5]).any()
    if precision in INTEGERS:
        assert np.isnan(found[5]).all()
    others = np.arange(12) != 5
    assert np.array_equal(found[others], clean[others])


@pytest.mark.parametrize("precision", _core.PRECISIONS)
def test_epilogues_follow_every_product(precision: str) -> None:
    x, weight, bias, residual = draw(1, 7, 100), draw(2, 24, 100), draw(3, 24), draw(4, 7, 24)
    packed = ops.PackedWeight(weight, precision)
    assert packed.precision == precision
    plain = ops.linear(x, packed)
    found = ops.linear(x, packed, bias, activation="relu", residual=residual)
    assert np.array_equal(found, np.maximum(plain + bias, np.float32(0)) + residual)
    assert np.array_equal(ops.linear(x, weight, precision=precision), plain)


def test_memory() -> None:
    weight = draw(1, 384, 384)
    sizes = {name: ops.PackedWeight(weight, name).nbytes for name in _core.PRECISIONS}
    assert sizes["bfloat16"] == sizes["float16"] == sizes["float32"] // 2
    assert sizes["int8"] == weight.size * (1 + 8 / GROUP)
    assert sizes["int16"] == weight.size * (2 + 4 / GROUP)
    assert ops.PackedWeight(draw(2, 16, GROUP + 1), "int16").nbytes == 16 * (2 * (GROUP + 2) + 2 * 4)
    assert ops.PackedWeight(draw(2, 16, GROUP + 1), "int8").nbytes == 16 * (GROUP + ROTATED + 2 * 8)


def test_errors() -> None:
    weight = draw(1, 4, 4)
    with pytest.raises(ValueError, match=r"PackedWeight: precision must be one of float32, .*, got 'int4'"):
        ops.PackedWeight(weight, "int4")
    with pytest.raises(ValueError, match="linear: precision must be one of"):
        ops.linear(weight, weight, precision="auto")
    with pytest.raises(ValueError, match="linear: precision must be 'int8' as the weight was packed"):
        ops.linear(weight, ops.PackedWeight(weight, "int8"), precision="float16")
