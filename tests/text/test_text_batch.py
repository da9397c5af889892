"""Batches: every accepted form, and everything that is refused."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pytest
from polysemy.text.batch import RaggedBatch, from_id_sequences, from_padded, is_padded, split_by_tokens

LIMITS = {"vocab": 50, "max_positions": 6}
ROWS = [[3, 4, 5], [], [49], [0, 1, 2, 3, 4, 5]]


def check(batch: RaggedBatch) -> None:
    assert batch.ids.dtype == np.int32 and batch.offsets.dtype == np.int64
    assert batch.ids.flags.c_contiguous and batch.offsets.flags.c_contiguous
    assert batch.ids.tolist() == [*chain.from_iterable(ROWS)]
    assert batch.offsets.tolist() == [0, 3, 3, 4, 10] and len(batch) == 4
    assert batch.lengths.tolist() == [3, 0, 1, 6]


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.int32, np.int64, np.uint64, ">i4", ">i8"])
def test_sequences_of_any_integer_type(dtype: object) -> None:
    check(from_id_sequences([np.array(row, dtype) for row in ROWS], **LIMITS))  # type: ignore[call-overload]
    check(from_id_sequences([np.array([row, row], dtype).T[:, 0] for row in ROWS], **LIMITS))  # type: ignore[call-overload]


def test_lists_and_tuples() -> None:
    check(from_id_sequences(ROWS, **LIMITS))
    check(from_id_sequences([tuple(row) for row in ROWS], **LIMITS))


def test_batch_keeps_its_ids_when_the_array_changes() -> None:
    array = np.array([1, 2, 3], dtype=np.int32)
    batch = from_id_sequences([array], vocab=10, max_positions=8)
    array[:] = 9
    assert batch.ids.tolist() == [1, 2, 3]


@pytest.mark.parametrize("side", ["left", "right", "middle"])
@pytest.mark.parametrize("dtype", [np.bool_, np.int64, np.uint8])
def test_padded(side: str, dtype: type) -> None:
    ids = np.full((4, 8), -7, np.int64)  # what stands in the padding is not looked at
    mask = np.zeros((4, 8), dtype)
    for i, row in enumerate(ROWS):
        start = {"left": 8 - len(row), "right": 0, "middle": (8 - len(row)) // 2}[side]
        ids[i, start : start + len(row)] = row
        mask[i, start : start + len(row)] = 1
    assert is_padded((ids, mask))
    check(from_padded((ids, mask), **LIMITS))
    check(from_padded((np.asfortranarray(ids), mask[::1]), **LIMITS))


def test_torch_tensors() -> None:
    import torch

    ids = torch.tensor([[3, 4, 5, 0], [7, 0, 0, 0]])
    batch = from_padded((ids, torch.tensor([[1, 1, 1, 0], [1, 0, 0, 0]])), **LIMITS)
    assert batch.ids.tolist() == [3, 4, 5, 7]


def test_nothing() -> None:
    batch = from_id_sequences([], **LIMITS)
    assert len(batch) == 0 and batch.ids.shape == (0,)
    assert len(from_padded((np.zeros((0, 5), int), np.zeros((0, 5), int)), **LIMITS)) == 0


@pytest.mark.parametrize(
    ("sequences", "error", "message"),
    [
        ([[1, 50]], ValueError, r"0\.\.49, got 50 at position 1 of sequence 0"),
        ([[1], [], [2, -1]], ValueError, "got -1 at position 1 of sequence 2"),
        ([np.array([2**32 + 1])], ValueError, "got 4294967297"),
        ([np.array([2**64 - 1], np.uint64)], ValueError, "got 18446744073709551615"),
        ([[1] * 7], ValueError, "at most 6 tokens, got 7 in sequence 0"),
        ([[1.0]], TypeError, r"inputs\[0\] must have an integer dtype, got float64"),
        ([[True]], TypeError, "got bool"),
        ([["1"]], TypeError, "integer dtype"),
        ([[None]], TypeError, "integer dtype, got object"),
        ([[1], 5], TypeError, r"inputs\[1\] must be a sequence of token ids, got one int"),
        ([[1], "a"], TypeError, r"inputs\[1\] .* got 'a'"),
        ([[[1]]], ValueError, r"inputs\[0\] must be 1-D, got shape \(1, 1\)"),
        ([[[1], [1, 2]]], TypeError, "can't be read as an array"),
        ([[10**30]], TypeError, "integer dtype, got object"),
    ],
)
def test_bad_sequences(sequences: list[object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        from_id_sequences(sequences, **LIMITS)


IDS = np.array([[1, 2, 3, 4]])


@pytest.mark.parametrize(
    ("ids", "mask", "error", "message"),
    [
        (IDS, [[1, 0, 1, 1]], ValueError, r"attention_mask\[0\] has a hole"),
        (IDS, [[1, 1, 1]], ValueError, r"shape of input_ids, \(1, 4\), got \(1, 3\)"),
        (IDS, [[1, 1, 2, 0]], ValueError, "only 0 and 1"),
        (IDS, [[1, 1, -1, 0]], ValueError, "only 0 and 1"),
        (IDS, [[1.0, 1, 1, 0]], TypeError, "attention_mask must have an integer dtype, got float64"),
        (IDS.astype(float), [[1, 1, 1, 0]], TypeError, "input_ids must have an integer dtype, got float64"),
        (IDS * 20, [[1, 1, 1, 0]], ValueError, "got 60 at position 2 of sequence 0"),
        (np.ones((1, 7), int), np.ones((1, 7), int), ValueError, "at most 6 tokens"),
    ],
)
def test_bad_padded(ids: object, mask: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        from_padded((np.asarray(ids), np.asarray(mask)), **LIMITS)


class Elsewhere:
    """An array of another device, as far as the array protocols show it."""

    shape = (1, 4)

    def __dlpack_device__(self) -> tuple[int, int]:
        return (2, 0)  # kDLCUDA


def test_other_devices() -> None:
    with pytest.raises(TypeError, match=r"input_ids must be in the memory of the CPU, got .* \(2, 0\)"):
        from_padded((Elsewhere(), np.ones((1, 4), int)), **LIMITS)


def test_what_counts_as_padded() -> None:
    for padded in ((IDS, IDS), (IDS.tolist(), IDS), (IDS.tolist(), IDS.tolist()), ([[1], [2]], ((1,), (0,)))):
        assert is_padded(padded)
    pairs = (("a", "b"), ("c", "d"))
    for other in ([IDS, IDS], (IDS,), IDS, "ab", ("a", "b"), pairs, (IDS, IDS, IDS), ()):
        assert not is_padded(other)


@pytest.mark.parametrize(
    "inputs",
    [
        ([101, 7, 102, 0], [1, 1, 1, 0]),
        ([101, 7, 102], [101, 8, 9, 102]),
        (IDS[0], IDS[0]),
        (IDS, IDS[0]),
        (IDS[0].tolist(), IDS),
        ([], []),
    ],
)
def test_two_flat_sequences_are_ambiguous(inputs: tuple[object, object]) -> None:
    """Two sequences of ids, or one with its mask?"""
    with pytest.raises(ValueError, match=r"forward: inputs must be two 2-D arrays .* pass a list for two"):
        is_padded(inputs)


@pytest.mark.parametrize("most", [1, 2, 3, 5, 8, 100])
def test_split_by_tokens(most: int) -> None:
    rng = np.random.default_rng(most)
    offsets = np.concatenate([[0], np.cumsum(rng.integers(0, 7, 60))])
    ranges = list(split_by_tokens(offsets, most))
    assert [first for first, _ in ranges] == [0, *[last for _, last in ranges[:-1]]]
    assert ranges[-1][1] == 60
    for first, last in ranges:
        assert last - first == 1 or offsets[last] - offsets[first] <= most
        assert last == 60 or offsets[last + 1] - offsets[first] > most, "no fewer than fit"


def test_part() -> None:
    batch = from_id_sequences(ROWS, **LIMITS).part(2, 4)
    assert batch.ids.tolist() == [49, 0, 1, 2, 3, 4, 5] and batch.offsets.tolist() == [0, 1, 7]


def test_types_go_with_their_tokens() -> None:
    whole = from_id_sequences(ROWS, **LIMITS)
    assert whole.types is None and whole.part(0, 2).types is None
    typed = RaggedBatch(whole.ids, whole.offsets, np.arange(10, dtype=np.int32)).part(2, 4)
    assert typed.types is not None and typed.types.tolist() == [*range(3, 10)]
