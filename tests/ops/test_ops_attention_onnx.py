"""The backend test cases of ONNX's Attention operator that the ``onnx`` package carries."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from polysemy import ops

importlib.import_module("onnx.backend.test.case.node.attention")
_COLLECTED = importlib.import_module("onnx.backend.test.case.node")._NodeTestCases
_INPUTS = ("Q", "K", "V", "attn_mask", "past_key", "past_value", "nonpad_kv_seqlen")
_OUTPUTS = ("Y", "present_key", "present_value", "qk_matmul_output")
_PROBABILITIES = 3


def _single_node(case: Any) -> Any:
    nodes = case.model.graph.node
    return nodes[0] if len(nodes) == 1 and nodes[0].op_type == "Attention" else None


def _attributes(node: Any) -> dict[str, Any]:
    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


def _named(names: tuple[str, ...], present: Any, arrays: Any) -> dict[str, Any]:
    given = iter(arrays)
    return {name: next(given) for name, here in zip(names, present, strict=False) if here}


def other_semantics(case: Any) -> str | None:
    """Why the operator asks for something that the operation does not have; None if it doesn't."""
    if _attributes(_single_node(case)).get("softcap", 0.0):
        return "soft capping of the scores"
    for array in case.data_sets[0][0]:
        dtype = np.asarray(array).dtype
        if dtype not in (np.float32, np.float16, np.bool_, np.int64):
            return f"{dtype} inputs, which are refused by name"
    return None


CASES = {case.name: case for case in _COLLECTED if _single_node(case) is not None}
SAME = {name: case for name, case in CASES.items() if other_semantics(case) is None}


def _heads_first(array: NDArray[Any], heads: int) -> NDArray[Any]:
    """(batch, length, heads * dim) as (batch, heads, length, dim); four axes are that already."""
    if array.ndim == 4:
        return array
    batch, length, width = array.shape
    return array.reshape(batch, length, heads, width // heads).swapaxes(1, 2)


def _allowed(
    lq: int, lk: int, offset: NDArray[Any], valid: NDArray[Any], attributes: dict[str, Any]
) -> NDArray[np.bool_]:
    """Who meets whom when queries start at a later position than keys: (batch, 1, L, S)."""
    i = np.arange(lq)[:, None] + offset[:, None, None, None]
    j = np.arange(lk)[None, :]
    keep = np.broadcast_to(j < valid[:, None, None, None], (valid.size, 1, lq, lk)).copy()
    if attributes.get("is_causal"):
        keep &= j <= i
    if attributes.get("left_window_size", -1) >= 0:
        keep &= j >= i - attributes["left_window_size"]
    if attributes.get("right_window_size", -1) >= 0:
        keep &= j <= i + attributes["right_window_size"]
    return keep


def run(inputs: dict[str, Any], attributes: dict[str, Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The operator through the operation: (Y, probabilities)."""
    query, key, value = inputs["Q"], inputs["K"], inputs["V"]
    flat = query.ndim == 3
    query = _heads_first(query, attributes.get("q_num_heads", 0))
    key, value = (_heads_first(a, attributes.get("kv_num_heads", 0)) for a in (key, value))
    batch, heads, lq, _ = query.shape
    offset = np.zeros(batch, dtype=np.int64)
    if "past_key" in inputs:
        offset += inputs["past_key"].shape[2]
        key = np.concatenate([inputs["past_key"], key], axis=2)
        value = np.concatenate([inputs["past_value"], value], axis=2)
    lk = key.shape[2]
    valid = np.full(batch, lk)
    if "nonpad_kv_seqlen" in inputs:
        valid = inputs["nonpad_kv_seqlen"]
        offset = valid - lq
    options: dict[str, Any] = {"scale": attributes.get("scale"), "enable_gqa": heads != key.shape[1]}
    mask = inputs.get("attn_mask")
    if mask is not None and mask.shape[-1] < lk:
        missing = [(0, 0)] * (mask.ndim - 1) + [(0, lk - mask.shape[-1])]
        mask = np.pad(mask, missing, constant_values=False if mask.dtype == np.bool_ else -np.inf)
    if mask is None and not offset.any() and (valid == lk).all():
        # The operation's own options have these semantics: use them.
        options["is_causal"] = bool(attributes.get("is_causal", 0))
        window = attributes.get("left_window_size", -1), attributes.get("right_window_size", -1)
        options["window"] = window if window != (-1, -1) else None
    else:
        keep = _allowed(lq, lk, offset, valid, attributes)
        if mask is None:
            mask = keep
        elif mask.dtype == np.bool_:
            mask = mask & keep
        else:
            mask = np.where(keep, mask, -np.inf).astype(mask.dtype)
    result, weights = ops.scaled_dot_product_attention(
        query, key, value, mask, **options, return_weights=True
    )
    if flat:
        result = result.swapaxes(1, 2).reshape(batch, lq, -1)
    return result, weights


@pytest.mark.parametrize("name", SAME)
def test_backend_case(name: str) -> None:
    case = SAME[name]
    node = _single_node(case)
    for arrays, expected in case.data_sets:
        inputs = _named(_INPUTS, [bool(n) for n in node.input], [np.asarray(a) for a in arrays])
        outputs = _named(_OUTPUTS, [bool(n) for n in node.output], [np.asarray(a) for a in expected])
        result, weights = run(inputs, _attributes(node))
        # The expected values of a half-precision case were rounded to it.
        atol = case.atol if inputs["Q"].dtype == np.float32 else float(np.finfo(np.float16).eps)
        np.testing.assert_allclose(result, outputs["Y"].astype(np.float64), rtol=case.rtol, atol=atol)
        # The other modes of this output are scores before the softmax: a streaming one never has their matrix.
        if "qk_matmul_output" in outputs and _attributes(node).get("qk_matmul_output_mode") == _PROBABILITIES:
            np.testing.assert_allclose(weights, outputs["qk_matmul_output"], rtol=case.rtol, atol=atol)


@pytest.mark.parametrize("name", [name for name in CASES if "bf16" in name])
def test_bfloat16_is_refused(name: str) -> None:
    case = CASES[name]
    arrays = [np.asarray(a) for a in case.data_sets[0][0]]
    with pytest.raises(TypeError, match=r"query must have dtype float32 or float16, got bfloat16"):
        run(
            _named(_INPUTS, [bool(n) for n in _single_node(case).input], arrays),
            _attributes(_single_node(case)),
        )


def test_most_cases_are_run() -> None:
    """The rules above leave out one feature and one dtype, not the operator."""
    reasons = {other_semantics(case) for case in CASES.values()} - {None}
    assert reasons == {"soft capping of the scores", "bfloat16 inputs, which are refused by name"}
    assert len(CASES) >= 50
    assert len(SAME) >= len(CASES) * 3 // 4
