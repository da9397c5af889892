"""Calls with wrong and odd arguments, drawn at random: the right answer, or a TypeError or ValueError."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from ops_calls import CALLS, Arguments, widened
from ops_layouts import LAYOUTS
from ops_memory import bordered, guarded, guarded_output
from polysemy import ops, reference

FEW, MANY = 1000, 10_000
SENTINEL = np.float32(-12345.0)


# More than any address space holds, so that asking for a result of this size can't succeed anywhere.
_ENDLESS = np.broadcast_to(np.float32(0), (2**30, 2**30))


class _Liar:
    """Says that it is an array, and isn't."""

    __array_interface__ = "nonsense"


class _Thrower:
    """Raises an error of its own when looked at."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise RuntimeError("not today")


def _odd_value(rng: np.random.Generator) -> Any:
    choices: list[Any] = [
        None,
        "text",
        b"bytes",
        3,
        -1,
        2.5,
        float("nan"),
        True,
        (),
        [],
        [1, 2],
        (1, 2, 3),
        {},
        object(),
        2**70,
        1j,
        _Liar(),
        _Thrower(),
        np.float32(1.0),
        np.zeros((), np.float32),
        np.zeros(0, np.float32),
        np.zeros((0, 3), np.float32),
        np.zeros((1,) * 32, np.float32),
        np.zeros(3, np.dtype([("a", np.float32)])),
        np.array(["a"]),
        np.array([None]),
        np.ma.masked_array(np.zeros(3, np.float32), mask=[0, 1, 0]),
        _ENDLESS,
        torch.zeros(2, 3),
        torch.zeros(3, dtype=torch.bfloat16),
        torch.zeros(3, device="meta"),
        memoryview(b"12345678"),
        [[1.0, 2.0], [3.0]],
    ]
    return choices[int(rng.integers(len(choices)))]


def _odd_array(rng: np.random.Generator, array: np.ndarray[Any, Any]) -> Any:
    """The array with another shape, dtype, layout or content."""
    kind = rng.integers(7)
    if kind == 0:
        return np.asarray(array).astype(
            rng.choice([np.float64, np.float16, np.int32, np.complex64, np.bool_])
        )
    if kind == 1 and array.ndim:
        axis = int(rng.integers(array.ndim))
        return np.take(array, np.arange(max(0, array.shape[axis] - int(rng.integers(1, 3)))), axis=axis)
    if kind == 2:
        return array[None] if rng.random() < 0.5 or not array.ndim else array[0] if array.shape[0] else array
    if kind == 3 and array.ndim:
        return np.swapaxes(array, 0, -1)
    if kind == 4 and array.dtype.kind == "f":
        poisoned = array.copy()
        if poisoned.size:
            poisoned.reshape(-1)[rng.integers(poisoned.size)] = rng.choice(
                [np.nan, np.inf, -np.inf, 3e38, 1e-40]
            )
        return poisoned
    if kind == 5 and array.dtype == np.float32 and array.ndim:
        return LAYOUTS[str(rng.choice(list(LAYOUTS)))](np.ascontiguousarray(array))
    return array - 2 if array.dtype.kind == "i" else array[..., ::-1] if array.ndim else array


def _odd_out(rng: np.random.Generator, name: str, arguments: Arguments) -> Any:
    """Something to write to: fitting, in an array with a border, of another shape, or an input."""
    try:
        expected = getattr(reference, name)(**widened(arguments))
    except Exception:
        return np.zeros((2, 2), np.float32)
    shape = expected.shape if isinstance(expected, np.ndarray) else (3,)
    if np.prod(shape, dtype=float) > 1e6:
        return np.zeros(2, np.float32)
    fitting = guarded_output(shape, at_end=bool(rng.random() < 0.5))
    choices = [
        fitting,
        fitting,
        fitting,
        fitting.astype(np.float64),
        np.full((*shape, 2), np.nan, dtype=np.float32),
        bordered(fitting, fill=SENTINEL) if fitting.ndim < 5 else None,
        next((v for v in arguments.values() if isinstance(v, np.ndarray)), None),
        _odd_value(rng),
    ]
    return choices[int(rng.integers(len(choices)))]


def _snapshot(arguments: Arguments) -> dict[str, bytes]:
    return {
        key: v.tobytes() for key, v in arguments.items() if isinstance(v, np.ndarray) and v.nbytes < 2**20
    }


def one_call(seed: int) -> str:
    """Make a call of this number; "answered" or the name of the error."""
    rng = np.random.default_rng(seed)
    name, build = CALLS[int(rng.integers(len(CALLS)))]
    arguments = build(rng)
    if rng.random() < 0.5:
        # A step outside of any of these ends the process.
        at_end = bool(rng.random() < 0.5)
        arguments = {
            key: guarded(value, at_end=at_end) if isinstance(value, np.ndarray) else value
            for key, value in arguments.items()
        }
    for _ in range(int(rng.integers(0, 3))):
        key = str(rng.choice(list(arguments)))
        value = arguments[key]
        plain = isinstance(value, np.ndarray) and value.dtype.kind in "fi" and value.size < 10**6
        odd = plain and rng.random() < 0.7
        with np.errstate(all="ignore"):
            arguments[key] = _odd_array(rng, value) if odd else _odd_value(rng)
    if rng.random() < 0.3:
        arguments["num_threads"] = [1, 2, None, 0, -3, "2", 2**62, 1.5][rng.integers(8)]
    out = _odd_out(rng, name, arguments) if rng.random() < 0.4 else None
    before = _snapshot(arguments)
    try:
        result = getattr(ops, name)(**arguments, out=out)
    except (TypeError, ValueError) as refusal:
        # The message names the operation: not one of NumPy's that slipped through.
        if not str(refusal).startswith(f"{name}: ") or _snapshot(arguments) != before:
            raise
        return type(refusal).__name__
    except MemoryError:
        assert any(getattr(value, "size", 0) == _ENDLESS.size for value in arguments.values())
        return "MemoryError"
    if out is not None:
        assert result is out
    assert type(result) is np.ndarray and result.dtype == np.float32 and result.flags.c_contiguous
    assert _snapshot(arguments) == before or any(v is out for v in arguments.values())
    _check(seed, name, arguments, result)
    return "answered"


def _check(seed: int, name: str, arguments: Arguments, result: Any) -> None:
    """The answer is that of the reference: loosely, for other tests judge the digits."""
    with np.errstate(all="ignore"):
        plain = {
            k: np.asarray(v) if hasattr(v, "__array__") or isinstance(v, memoryview) else v
            for k, v in arguments.items()
        }
        for key, value in plain.items():
            if hasattr(value, "__array_interface__"):
                plain[key] = np.asarray(value)
                if plain[key].dtype.kind == "f":
                    plain[key] = plain[key].astype(np.float64)
        expected = getattr(reference, name)(**{k: v for k, v in plain.items() if k != "num_threads"})
    assert result.shape == expected.shape, f"{seed}: {name}"
    sane = np.isfinite(expected) & (np.abs(expected) < 1e30)
    scale = max(
        (
            np.abs(v[np.isfinite(v)]).max(initial=1.0)
            for v in plain.values()
            if getattr(v, "dtype", None) == np.float64
        ),
        default=1.0,
    )
    if scale < 1e3:
        np.testing.assert_allclose(
            result[sane], expected[sane], rtol=1e-3, atol=1e-4 * scale**2, err_msg=f"{seed}: {name}"
        )


def _run(seeds: range) -> None:
    outcomes: dict[str, int] = {}
    for seed in seeds:
        outcome = one_call(seed)
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    # All three ends of a call must be reached often, or the draw tests little.
    assert all(outcomes[kind] > len(seeds) // 20 for kind in ("answered", "TypeError", "ValueError")), (
        outcomes
    )


def test_odd_calls() -> None:
    _run(range(FEW))


@pytest.mark.slow
def test_many_odd_calls() -> None:
    _run(range(FEW, FEW + MANY))
