"""Derives the constants of csrc/kernels/math.inl.h: weighted minimax polynomials with float32 coefficients.

Needs NumPy and SciPy. Prints, for each function, the error of the rounded polynomial in units of its
tolerance, then the coefficients from the constant term upwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.special import erf, erfc, expit, ndtr

Array = NDArray[np.float64]
Function = Callable[[Array], Array]
ULP = 2.0**-24  # half the spacing of floats in [1, 2): the unit in which relative errors are given


def to_float(value: float) -> float:
    return float(np.float32(value))


def nodes(lo: float, hi: float, count: int = 400) -> tuple[Array, Array]:
    """Chebyshev nodes in [-1, 1] and the points of [lo, hi] that they stand for."""
    t = np.cos(np.pi * (np.arange(count) + 0.5) / count)
    return t, (hi + lo) / 2 + (hi - lo) / 2 * t


def fit(
    f: Function,
    tolerance: Function,
    powers: Iterable[int],
    lo: float,
    hi: float,
    fixed: dict[int, float] | None = None,
) -> tuple[dict[int, float], float]:
    """Minimise max |f - sum c_k x^k| / tolerance over float32 c_k, and give that maximum.

    The coefficients are rounded one after another, lowest power first; those that remain are fitted anew each
    time, by linear programming in a Chebyshev basis, and so make up for the rounding. `fixed` are given ones.
    """
    t, x = nodes(lo, hi)
    weight = 1 / tolerance(x)
    done = dict(fixed or {})
    left = sorted(powers)

    def remainder() -> Array:
        return (f(x) - sum(c * x**k for k, c in done.items())) * weight

    while left:
        n = len(left)
        basis = chebyshev.chebvander(t, n - 1) * (x ** left[0] * weight)[:, None]
        bound = np.ones((len(x), 1))
        limits = np.concatenate([remainder(), -remainder()])
        solution = linprog(
            np.r_[np.zeros(n), 1.0],
            A_ub=np.r_[np.c_[basis, -bound], np.c_[-basis, -bound]],
            b_ub=limits,
            bounds=[(None, None)] * (n + 1),
            method="highs",
        ).x
        origin = -(hi + lo) / (hi - lo)  # where x = 0 lies on the scale of t
        done[left.pop(0)] = to_float(float(chebyshev.chebval(origin, solution[:n])))
    return done, float(np.abs(remainder()).max())


def report(name: str, error: float, coefficients: Iterable[float]) -> None:
    print(f"{name}: {error:.3f}")
    for c in coefficients:
        print(f"  {float(c).hex():>24}  {c:.9g}")


def single(a: Array) -> Array:
    return a.astype(np.float32).astype(np.float64)


def fused(a: Array, b: Array | float, c: Array | float) -> Array:
    """fma in float32 on float64 arrays: the product is exact, the sum is rounded to 53, then to 24 bits."""
    return single(a * b + c)


def shift_with_root(c: float) -> tuple[float, float]:
    """b near 2 sqrt(c) and a float u such that c + u (u + b) is computed as 2^-12 exactly."""
    for k in range(4096):
        b = to_float(2 * np.sqrt(c)) + k * 2.0**-23
        u = to_float(-b / 2 + np.sqrt(b * b / 4 - c + 2.0**-12))
        if fused(np.array(u), single(np.array(u + b)), c) == 2.0**-12:
            return b, u
    raise RuntimeError("no root among the floats")


def tail_constants(name: str, tail: Function, degree: int, hi: float) -> None:
    """tail(a) as w^2 - 2^-24 with w = c + u (u + b), u = v (v + d), v = a t(a) and t a polynomial.

    Small and even errors for a < 4, where activations lie; further out the tail itself is below 3e-5.
    The clamp is a float where w is computed as 2^-12, so that the tail is exactly zero.
    """
    c = 0xB504F4 / 2**24  # c^2 - 2^-24 rounds to 1/2
    b, root = shift_with_root(c)
    d = to_float(
        2 * np.sqrt(b / 2 + 0.03)
    )  # 0.03: found by trial; v^2 is then smoother than a square root of u

    def w(a: Array) -> Array:
        return np.sqrt(tail(a) + 2.0**-24)

    def u(a: Array) -> Array:  # (u + b / 2)^2 = w + b^2 / 4 - c
        return np.sqrt(w(a) + b * b / 4 - c) - b / 2

    def v(a: Array) -> Array:  # (v + d / 2)^2 = u + d^2 / 4
        return np.sqrt(u(a) + d * d / 4) - d / 2

    def tolerance(a: Array) -> Array:  # of v, by the chain rule
        return np.interp(a, [4.0, 5.3], [1e-8, 3e-8]) / (8 * w(a) * (u(a) + b / 2) * (v(a) + d / 2))

    fitted, error = fit(v, tolerance, range(1, degree + 1), 1e-4, hi)
    t = [fitted[k] for k in range(1, degree + 1)]
    a = single(np.arange(4.75, 6.0, 2.0**-21))
    s = np.full_like(a, t[-1])
    for coefficient in t[-2::-1]:
        s = fused(s, a, coefficient)
    computed_v = single(s * a)
    # Whether v meets the float that gives the root is luck: if not, another hi does.
    clamp = a[single(computed_v * single(computed_v + d)) == root][0]
    report(f"{name}: c, b, d, t (1e-8)", error, [c, b, d, *t])
    report(f"{name}: clamp", 0.0, [clamp])


def relative(f: Function) -> Function:
    return lambda x: np.abs(f(x)) * ULP


def main() -> None:
    half_log2 = 0.3466
    c, error = fit(np.exp, relative(np.exp), range(2, 7), -half_log2, half_log2, {0: 1.0, 1: 1.0})
    report("exp (ULP)", error, c.values())

    c, error = fit(np.exp2, relative(np.exp2), range(1, 7), -0.5, 0.5, {0: 1.0})
    report("exp2 (ULP)", error, c.values())

    def erf_ratio(u: Array) -> Array:  # erf(x) / x, u = x^2
        ratio: Array = erf(np.sqrt(u)) / np.sqrt(u)
        return ratio

    c, error = fit(lambda u: erf_ratio(u) - 1, relative(erf_ratio), range(7), 1e-9, 1.0)
    report("erf(x) / x - 1 in x^2, |x| < 1 (ULP)", error, c.values())
    c, error = fit(lambda a: np.log(erfc(a)), lambda a: ULP / erfc(a), range(7), 0.97, 4.0)
    report("log erfc, 1 <= x <= 4 (ULP of erf)", error, c.values())

    def tanh_ratio(u: Array) -> Array:  # tanh(x) / x, u = x^2
        return np.tanh(np.sqrt(u)) / np.sqrt(u)

    c, error = fit(tanh_ratio, relative(tanh_ratio), range(1, 6), 1e-9, 0.55**2, {0: 1.0})
    report("tanh(x) / x in x^2, |x| < 0.55 (ULP)", error, c.values())

    tail_constants("Phi(-a)", lambda a: ndtr(-a), 8, 4.9)
    root_8_pi = np.sqrt(8 / np.pi)
    tail_constants("sigmoid(-2z)", lambda a: expit(-root_8_pi * (a + 0.044715 * a**3)), 11, 5.25)


if __name__ == "__main__":
    main()
