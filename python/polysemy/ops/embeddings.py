"""Rows of a table, and positions as rotations."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from polysemy import _core
from polysemy.arguments import number, thread_count
from polysemy.ops.arrays import as_array, as_float32, as_given, as_integers, contiguous, output

_INT32 = np.iinfo(np.int32)


def embedding(
    ids: Any, table: Any, *, out: NDArray[np.float32] | None = None, num_threads: int | None = None
) -> NDArray[np.float32]:
    """The row of ``table`` for every id.

    Args:
        ids: integers of any shape and integer dtype, 0 .. rows - 1. They are copied before they are checked.
        table: array (rows, width), float32 or float16.
        out: C-contiguous float32 array (*ids.shape, width) that takes the result; must overlap no input.
        num_threads: threads for this call, None for the default.

    Returns:
        float32 array (*ids.shape, width).

    Raises:
        TypeError: ``ids`` are no integers, or ``table`` is neither float32 nor float16.
        ValueError: an id is out of range, or a shape or ``out`` does not fit.
    """
    rows = as_array("embedding", "table", table)
    if rows.dtype.newbyteorder("=") not in (np.float32, np.float16):
        raise TypeError(f"embedding: table must have dtype float32 or float16, got {rows.dtype}")
    if rows.ndim != 2:
        raise ValueError(f"embedding: table must have shape (rows, width), got {rows.shape}")
    given = as_given("embedding", "ids", ids)
    index = as_integers("embedding", "ids", given, 0, rows.shape[0] - 1)
    count = thread_count(num_threads, 0, "embedding")
    result = output("embedding", out, (*index.shape, rows.shape[1]), (rows, given))
    if not result.size:
        return result
    direct = rows.dtype == np.float32 and rows.flags.c_contiguous and rows.flags.aligned
    if direct and rows.shape[0] <= _INT32.max:
        flat = np.ascontiguousarray(index, dtype=np.int32).reshape(-1)
        target = result.reshape(flat.size, rows.shape[1])
        _core.embed(flat, None, None, rows, None, None, None, None, 0.0, target, count)
    else:
        # Only the wanted rows are converted: a table is often far larger than what one call takes from it.
        result[...] = rows[index]
    return result


def rotary(
    x: Any,
    positions: Any,
    theta: float = 10000.0,
    *,
    out: NDArray[np.float32] | None = None,
    num_threads: int | None = None,
) -> NDArray[np.float32]:
    """Rotary position embedding (Su et al., arXiv:2104.09864) with the halves of a row paired.

    Element i goes with element i + dim/2: the pair is turned by the angle position * theta^(-2i/dim), where
    the power is rounded to float32.

    Args:
        x: array (..., dim) with an even dim, float32 or float16.
        positions: integers that broadcast to ``x.shape[:-1]``: (length,) for x of (..., length, dim), and
            (tokens, 1) for x of (tokens, heads, dim).
        theta: base of the frequencies, positive.
        out: C-contiguous float32 array of the shape of ``x`` that takes the result; must overlap no input.
        num_threads: threads for this call, None for the default.

    Returns:
        float32 array of the shape of ``x``.

    Raises:
        TypeError: ``x`` is no array of float32 or float16, or ``positions`` are no integers.
        ValueError: a shape, ``theta`` or ``out`` does not fit.
    """
    source = as_array("rotary", "x", x)
    values = as_float32("rotary", "x", source)
    if values.ndim < 1 or values.shape[-1] % 2:
        raise ValueError(f"rotary: x must have a last axis of even size, got shape {values.shape}")
    given = as_given("rotary", "positions", positions)
    where = as_integers("rotary", "positions", given, _INT32.min, _INT32.max)
    dim, lead = values.shape[-1], values.shape[:-1]
    try:
        spread = np.broadcast_to(where, lead)
    except ValueError:
        raise ValueError(
            f"rotary: positions must have a shape that broadcasts to {lead}, got {where.shape}"
        ) from None
    base = number(theta, "rotary: theta")
    if base <= 0.0:
        raise ValueError(f"rotary: theta must be positive, got {base}")
    count = thread_count(num_threads, 0, "rotary")
    result = output("rotary", out, values.shape, (source, given))
    if values.size:
        # All heads of a token share its position: the core then computes each angle once.
        shared = where.ndim > 0 and where.shape[-1] == 1 and len(lead) > 0
        heads = lead[-1] if shared else 1
        turns = np.ascontiguousarray(spread[..., 0] if shared else spread, dtype=np.int32).reshape(-1)
        grid = (turns.size, heads, dim)
        cosine, sine = _angles(turns, dim, base)
        _core.rotary(
            contiguous(values).reshape(grid),
            cosine,
            sine,
            np.asarray(result).reshape(grid),
            count,
        )
    return result


def _angles(
    positions: NDArray[np.int32], dim: int, theta: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cosine and sine, (positions, dim/2); in float64 because the angle of a late position is large."""
    frequencies = (theta ** (-np.arange(0, dim, 2, dtype=np.float64) / dim)).astype(np.float32)
    distinct, place = np.unique(positions, return_inverse=True)
    angle = distinct[:, None] * frequencies.astype(np.float64)
    return np.cos(angle).astype(np.float32)[place], np.sin(angle).astype(np.float32)[place]
