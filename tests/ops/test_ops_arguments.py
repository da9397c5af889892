"""The border of the public operations: what goes in, what is refused, and that no copy is made needlessly."""

from __future__ import annotations

import inspect
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from ops_calls import CALLS, IDS
from polysemy import ops, reference

SDPA = ops.scaled_dot_product_attention


def _f32(*shape: int) -> Any:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


X, W = _f32(4, 5), _f32(5, 7)


@pytest.mark.parametrize("name", ops.__all__)
def test_the_reference_has_the_same_signature(name: str) -> None:
    ours, theirs = (inspect.signature(getattr(module, name)) for module in (ops, reference))
    assert [(p.name, p.kind, p.default) for p in ours.parameters.values()] == [
        (p.name, p.kind, p.default) for p in theirs.parameters.values()
    ]


def _first_array(arguments: dict[str, Any]) -> Any:
    return next(value for value in arguments.values() if getattr(value, "dtype", None) == np.float32)


@pytest.mark.parametrize(("name", "build"), CALLS, ids=IDS)
class TestOut:
    """``out=`` of every operation."""

    def _call(self, name: str, build: Any) -> tuple[Any, dict[str, Any], Any]:
        # A draw whose result has elements and is no row or column, so that layouts differ.
        for seed in range(100):
            arguments = build(np.random.default_rng(seed))
            expected = getattr(ops, name)(**arguments)
            if expected.ndim >= 1 and expected.size and sum(n > 1 for n in expected.shape) >= 2:
                return getattr(ops, name), arguments, expected
        raise AssertionError("no usable draw")

    def test_is_filled_and_returned(self, name: str, build: Any) -> None:
        op, arguments, expected = self._call(name, build)
        out = np.full_like(expected, np.nan)
        assert op(**arguments, out=out) is out
        np.testing.assert_array_equal(out, expected)

    def test_inputs_are_left_alone(self, name: str, build: Any) -> None:
        op, arguments, _ = self._call(name, build)
        before = {key: value.copy() for key, value in arguments.items() if isinstance(value, np.ndarray)}
        op(**arguments)
        for key, value in before.items():
            np.testing.assert_array_equal(arguments[key], value)

    @pytest.mark.parametrize(
        ("change", "error", "message"),
        [
            (
                lambda x: x.astype(np.float64),
                TypeError,
                "must have dtype float32 in native byte order, got float64",
            ),
            (
                lambda x: x.astype(x.dtype.newbyteorder("S")),
                TypeError,
                "must have dtype float32 in native byte",
            ),
            (lambda x: x.reshape(1, *x.shape), ValueError, "must have shape"),
            (lambda x: x[..., :-1].copy(), ValueError, "must have shape"),
            (
                np.asfortranarray,
                ValueError,
                "must be C-contiguous and aligned, got strides",
            ),
            (
                lambda x: np.stack([x, x], axis=-1)[..., 0],
                ValueError,
                "must be C-contiguous and aligned",
            ),
            (np.ma.masked_array, TypeError, "must be a NumPy array or None, got MaskedArray"),
            (lambda x: x.tolist(), TypeError, "must be a NumPy array or None, got list"),
            (torch.from_numpy, TypeError, "must be a NumPy array or None, got Tensor"),
        ],
    )
    def test_wrong(
        self, name: str, build: Any, change: Callable[[Any], Any], error: type[Exception], message: str
    ) -> None:
        op, arguments, expected = self._call(name, build)
        with pytest.raises(error, match=f"{name}: out {message}"):
            op(**arguments, out=change(expected))

    def test_misaligned(self, name: str, build: Any) -> None:
        op, arguments, expected = self._call(name, build)
        raw = np.zeros(expected.nbytes + 1, dtype=np.uint8)
        with pytest.raises(ValueError, match=f"{name}: out must be C-contiguous and aligned"):
            op(**arguments, out=raw[1:].view(np.float32).reshape(expected.shape))

    def test_read_only(self, name: str, build: Any) -> None:
        op, arguments, expected = self._call(name, build)
        expected.flags.writeable = False
        with pytest.raises(ValueError, match=f"{name}: out must be writeable"):
            op(**arguments, out=expected)

    def test_overlap(self, name: str, build: Any) -> None:
        """The result's memory may share no element with any array that is read."""
        op, arguments, expected = self._call(name, build)
        for key, value in arguments.items():
            if not isinstance(value, np.ndarray) or value.dtype != np.float32:
                continue
            memory = np.zeros(expected.size + value.size, dtype=np.float32)
            out = memory[: expected.size].reshape(expected.shape)
            inside = memory[expected.size - 1 : expected.size - 1 + value.size].reshape(value.shape)
            inside[...] = value
            with pytest.raises(ValueError, match=f"{name}: out must have memory of its own"):
                op(**{**arguments, key: inside}, out=out)
            beside = memory[expected.size :].reshape(value.shape)
            beside[...] = value
            np.testing.assert_array_equal(op(**{**arguments, key: beside}, out=out), expected)


@pytest.mark.parametrize(("name", "build"), CALLS, ids=IDS)
@pytest.mark.parametrize(
    "dtype",
    [np.float64, np.int32, np.int64, np.uint8, np.bool_, np.complex64, np.longdouble, object, "S4", "M8[s]"],
)
def test_other_dtypes_are_refused_by_name(name: str, build: Any, dtype: Any) -> None:
    arguments = build(np.random.default_rng(1))
    for key, value in arguments.items():
        if not isinstance(value, np.ndarray) or value.dtype != np.float32:
            continue
        if key == "attn_mask" and dtype is np.bool_:
            continue
        wrong = np.zeros(value.shape, dtype=dtype)
        with pytest.raises(TypeError, match=f"{name}: {key} must have dtype .*float32 or float16, got "):
            getattr(ops, name)(**{**arguments, key: wrong})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1.0, 2.0], "must be an array, got list"),
        (1.0, "must be an array, got float"),
        ("text", "must be an array, got str"),
        (None, "must be an array, got NoneType"),
        (np.ma.masked_array(np.zeros(3, np.float32)), "must be an array without a mask, got MaskedArray"),
        (torch.zeros(3, requires_grad=True), "got Tensor .dtype torch.float32, device cpu.: .*gradient"),
        (torch.zeros(3, dtype=torch.bfloat16), "got Tensor .dtype torch.bfloat16"),
        (torch.zeros(3, device="meta"), "got Tensor .*device meta"),
        (torch.zeros(3).to_sparse(), "got Tensor"),
        (torch._neg_view(torch.ones(3)), "got Tensor .*: its memory holds the negated values"),
        (b"1234", "must have dtype float32 or float16, got uint8"),
    ],
)
def test_what_is_no_array(value: Any, message: str) -> None:
    with pytest.raises(TypeError, match=f"gelu: x .*{message}"):
        ops.gelu(value)


def test_float64_is_told_what_to_do() -> None:
    x = np.random.default_rng(1).standard_normal((3, 5))
    with pytest.raises(TypeError) as error:
        ops.gelu(x)
    advice = (
        "gelu: x must have dtype float32 or float16, got float64: numpy.asarray(x, numpy.float32) converts it"
    )
    assert str(error.value) == advice
    assert ops.gelu(np.asarray(x, np.float32)).shape == (3, 5)


@pytest.mark.parametrize(
    ("call", "fits", "message"),
    [
        (lambda w: ops.linear(X, w), W.T, r"x must have shape \(..., 7\), got \(4, 5\): .* shape \(5, 7\); weight.T"),
        (lambda w: ops.linear(X, ops.PackedWeight(w)), W.T, r"shape \(5, 7\); weight.T would fit"),
        (lambda b: ops.matmul(X, b), W, r"b must have 5 rows as a has columns, got 7: transpose_b=True would fit"),
        (lambda b: ops.matmul(X, b, transpose_b=True), W.T, r"got 7: transpose_b=False would fit"),
        (lambda a: ops.matmul(a, W), X, r"b must have 4 rows .* got 5: transpose_a=True would fit"),
    ],
)  # fmt: skip
def test_a_transposed_operand_is_named(call: Any, fits: Any, message: str) -> None:
    assert call(fits) is not None
    with pytest.raises(ValueError, match=message):
        call(fits.T)


def test_no_advice_that_would_not_fit() -> None:
    for call in (
        lambda: ops.linear(X, np.zeros((3, 4), np.float32)),
        lambda: ops.matmul(X, np.zeros((3, 2), np.float32)),
    ):
        with pytest.raises(ValueError, match=r"must have .*, got") as error:
            call()
        assert "fit" not in str(error.value)


LARGE = 600  # A square of this side has 1.44 MB, far more than anything else a call allocates.


def _allocated(call: Callable[[], Any]) -> int:
    """Bytes that NumPy and Python allocated at most during the call."""
    call()
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _square() -> Any:
    return _f32(LARGE, LARGE)


@pytest.mark.parametrize(
    "given",
    [
        _square(),
        torch.from_numpy(_square()),
        memoryview(_square()),
        _square().view(np.matrix),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_fitting_layout_is_not_copied(given: Any) -> None:
    out, weight = np.empty((LARGE, LARGE), dtype=np.float32), np.ones(LARGE, dtype=np.float32)
    packed = ops.PackedWeight(_square())
    for call in (
        lambda: ops.gelu(given, out=out),
        lambda: ops.softmax(given, out=out),
        lambda: ops.layer_norm(given, LARGE, weight, weight, residual=given, out=out),
        lambda: ops.linear(given, packed, weight, residual=given, activation="gelu", out=out),
        lambda: ops.mean_pool(given, [LARGE], out=out[:1]),
        lambda: ops.embedding([3], given, out=out[:1]),
        lambda: SDPA(given, given, given, given, out=out),
    ):
        assert _allocated(call) < LARGE * LARGE * 4 / 10


def test_attention_copies_neither_strided_nor_broadcast_inputs() -> None:
    projections = _f32(1, LARGE, 3, 8, 64)
    q, k, v = (np.swapaxes(projections[:, :, i], 1, 2) for i in range(3))
    out = np.empty((1, 8, LARGE, 64), dtype=np.float32)
    assert _allocated(lambda: SDPA(q, k, v, out=out)) < q.nbytes / 10
    mask = np.ones((LARGE, LARGE), dtype=bool)
    many = np.empty((5, 8, LARGE, 64), dtype=np.float32)
    assert _allocated(lambda: SDPA(np.broadcast_to(q, many.shape), k, v, mask, out=many)) < q.nbytes / 10
    assert _allocated(lambda: SDPA(q[:, ::-1, ::-1], k[:, :, ::-1], v, mask[::-1].T, out=out)) < q.nbytes / 10
    # The features of a row have to follow each other.
    assert _allocated(lambda: SDPA(q[..., ::-1], k, v, out=out)) > q.nbytes / 2


def test_a_product_copies_no_factor() -> None:
    square, out = _square(), np.empty((2, LARGE, LARGE), dtype=np.float32)
    pair = np.broadcast_to(square, out.shape)
    for a in (square, square.T, pair[:, ::-1], square[:, ::-1]):
        for b in (square, square.T, pair, square[::-1, ::-1]):
            result = out if a.ndim + b.ndim > 4 else out[0]
            assert _allocated(lambda a=a, b=b, out=result: ops.matmul(a, b, out=out)) < square.nbytes / 10


def test_a_result_must_not_overlap_lengths_in_foreign_memory() -> None:
    lengths = torch.tensor([1, 1])
    out = lengths.numpy().view(np.float32)[:2].reshape(2, 1)
    with pytest.raises(ValueError, match="mean_pool: out must have memory of its own"):
        ops.mean_pool(_f32(2, 1), lengths, out=out)
    with pytest.raises(ValueError, match="out must have memory of its own"):
        SDPA(_f32(2, 1, 4), _f32(2, 1, 4), _f32(2, 1, 1), seqlens=lengths, out=out.reshape(2, 1, 1))
    with pytest.raises(ValueError, match="out must have memory of its own"):
        SDPA(
            _f32(2, 1, 4),
            _f32(2, 1, 4),
            _f32(2, 1, 1),
            seqlens=[2, 0],
            kv_seqlens=lengths,
            out=out.reshape(2, 1, 1),
        )


def test_a_result_beyond_all_memory_is_named() -> None:
    endless = np.broadcast_to(np.float32(0), (2**30, 1, 2**20, 1))
    for b in (endless[:1].swapaxes(2, 3), endless.swapaxes(0, 1).swapaxes(2, 3)):
        with pytest.raises(MemoryError, match=r"^matmul: result must fit into memory"):
            ops.matmul(endless, b)


def test_a_table_is_not_converted_whole() -> None:
    table = _square().astype(np.float16)
    assert _allocated(lambda: ops.embedding([3, 4], table)) < table.nbytes / 10
    assert _allocated(lambda: ops.embedding([3, 4], _TURNED)) < table.nbytes / 10


_TURNED = _square().T


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"query": _f32(8)}, ValueError, r"query must have shape \(\.\.\., heads, length, dim\), got \(8,\)"),
        ({"value": _f32(2, 4, 7, 4097)}, ValueError, r"value_dim must be at most 4096, got 4097"),
        ({"key": _f32(2, 4, 7, 9)}, ValueError, r"key must have 8 elements along axis -1, got shape"),
        ({"value": _f32(2, 4, 6, 8)}, ValueError, r"value must have 7 elements along axis -2, got shape"),
        ({"key": _f32(2, 2, 7, 8)}, ValueError, r"value must have 2 heads as key has, or 1, got 4"),
        ({"query": _f32(2, 3, 5, 8)}, ValueError, r"key must have 3 heads as query has, or 1, got 4"),
        ({"query": _f32(2, 8, 5, 8)}, ValueError, r"key must .* got 4; enable_gqa=True groups query heads"),
        (
            {"query": _f32(2, 6, 5, 8), "enable_gqa": True},
            ValueError,
            r"key must .* divides the 6 of query, got 4",
        ),
        ({"key": _f32(3, 4, 7, 8)}, ValueError, r"key must have batch axes that broadcast with \(2,\)"),
        ({"value": _f32(3, 4, 7, 8)}, ValueError, r"value must have batch axes that broadcast with \(2,\)"),
        (
            {"attn_mask": _f32(4, 7)},
            ValueError,
            r"attn_mask must .* broadcasts to \(2, 4, 5, 7\), got \(4, 7\)",
        ),
        ({"attn_mask": _f32(1, 2, 4, 5, 7)}, ValueError, r"attn_mask must .* got \(1, 2, 4, 5, 7\)"),
        (
            {"attn_mask": np.ones((5, 7), int)},
            TypeError,
            r"attn_mask must have dtype bool, float32 or float16",
        ),
        ({"attn_mask": [[True]]}, TypeError, r"attn_mask must be an array, got list"),
        ({"attn_mask": _f32(5, 7), "is_causal": True}, ValueError, r"is_causal must be False beside"),
        ({"dropout_p": 0.1}, ValueError, r"dropout_p must be 0, got 0.1"),
        ({"dropout_p": True}, TypeError, r"dropout_p must be a number, got bool"),
        ({"is_causal": 0.0}, TypeError, r"is_causal must be True or False, got float"),
        ({"enable_gqa": 1}, TypeError, r"enable_gqa must be True or False, got int"),
        ({"return_weights": 1}, TypeError, r"return_weights must be True or False, got int"),
        ({"scale": "1"}, TypeError, r"scale must be a number, got str"),
        ({"scale": np.nan}, ValueError, r"scale must be a finite float32 number, got nan"),
        ({"scale": 1e39}, ValueError, r"scale must be a finite float32 number, got 1e\+39"),
        ({"scale": True}, TypeError, r"scale must be a number, got bool"),
        ({"window": 3}, TypeError, r"window must be a pair \(left, right\) of int, got int"),
        ({"window": (1, 2, 3)}, ValueError, r"window must be a pair \(left, right\), got 3 items"),
        ({"window": (1, -2)}, ValueError, r"window must be at least -1, got -2"),
        ({"window": (1, 2.0)}, TypeError, r"window must be an int, got float"),
        ({"alibi_slopes": _f32(3)}, ValueError, r"alibi_slopes must have shape \(4,\), got \(3,\)"),
        ({"kv_seqlens": [7]}, ValueError, r"kv_seqlens must be None without seqlens, got list"),
        ({"seqlens": [5]}, ValueError, r"query must have shape \(tokens, heads, dim\) with seqlens"),
        ({"num_threads": -1}, ValueError, r"num_threads must be at least 1, got -1"),
        ({"num_threads": True}, TypeError, r"num_threads must be an int, got bool"),
        ({"num_threads": 2**40}, ValueError, r"num_threads must be at most 1024"),
    ],
)
def test_wrong_attention(changes: dict[str, Any], error: type[Exception], message: str) -> None:
    arguments = {"query": _f32(2, 4, 5, 8), "key": _f32(2, 4, 7, 8), "value": _f32(2, 4, 7, 8)}
    with pytest.raises(error, match=f"^scaled_dot_product_attention: {message}"):
        SDPA(**{**arguments, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seqlens": [5, 3]}, r"seqlens must add up to the 9 rows of query, got a sum of 8"),
        ({"seqlens": [10, -1]}, r"seqlens must be integers from 0 to 9, got 10"),
        ({"seqlens": [9]}, r"kv_seqlens must have 1 lengths as seqlens has, got 2"),
        ({"kv_seqlens": [6, 6]}, r"kv_seqlens must add up to the 11 rows of key, got a sum of 12"),
        ({"kv_seqlens": None}, r"seqlens must add up to the 11 rows of key, got a sum of 9"),
        ({"value": _f32(10, 2, 8)}, r"value must have 11 elements along axis -3, got shape"),
        ({"key": _f32(11, 3, 8)}, r"value must have 3 heads as key has, or 1, got 2"),
        (
            {"attn_mask": _f32(5, 5)},
            r"attn_mask must have a shape that broadcasts to \(2, 2, 5, 6\), got \(5, 5\)",
        ),
    ],
)
def test_wrong_ragged_attention(changes: dict[str, Any], message: str) -> None:
    arguments = {
        "query": _f32(9, 2, 8),
        "key": _f32(11, 2, 8),
        "value": _f32(11, 2, 8),
        "seqlens": [4, 5],
        "kv_seqlens": [6, 5],
    }
    with pytest.raises(ValueError, match=f"^scaled_dot_product_attention: {message}"):
        SDPA(**{**arguments, **changes})


def test_a_failed_call_leaves_the_output_alone() -> None:
    out = np.full((2, 4, 5, 8), 7.0, dtype=np.float32)
    with pytest.raises(ValueError, match="attn_mask"):
        SDPA(_f32(2, 4, 5, 8), _f32(2, 4, 7, 8), _f32(2, 4, 7, 8), _f32(4, 7), out=out)
    np.testing.assert_array_equal(out, np.full_like(out, 7.0))
