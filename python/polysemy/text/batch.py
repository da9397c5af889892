"""Every accepted form of a batch, turned into rows plus offsets.

Below this module there is no padding and no mask: a batch is the ids of all sequences one after the other,
their token types, and the offsets at which they begin.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, chain
from typing import TYPE_CHECKING, TypeGuard

import numpy as np
from numpy.typing import NDArray

from ..errors import TokenizerError
from ..record import record
from .check import count_dimensions, is_textual
from .pairs import PairEncoding

if TYPE_CHECKING:
    from .pairs import Encoded

__all__ = [
    "RaggedBatch",
    "from_encodings",
    "from_id_sequences",
    "from_padded",
    "is_padded",
    "split_by_tokens",
]

_CPU = 1  # kDLCPU in dlpack.h
# One of them has everything that NumPy can read as a sequence.
_OF_SEQUENCES = ("__len__", "__iter__", "__array__", "__array_interface__", "__dlpack__")


@record
class RaggedBatch:
    """Sequence i is ``ids[offsets[i] : offsets[i + 1]]``."""

    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    types: NDArray[np.int32] | None = None
    """Token types, one for each id; None: all are 0."""

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def part(self, first: int, last: int) -> RaggedBatch:
        """Sequences ``first .. last - 1``."""
        if last - first == len(self):
            return self
        start, stop = int(self.offsets[first]), int(self.offsets[last])
        types = None if self.types is None else self.types[start:stop]
        return RaggedBatch(self.ids[start:stop], self.offsets[first : last + 1] - start, types)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each sequence."""
        return _lengths(self.offsets)


def _offsets(lengths: Iterable[int]) -> NDArray[np.int64]:
    return np.fromiter(accumulate(lengths, initial=0), dtype=np.int64)


def _lengths(offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    return offsets[1:] - offsets[:-1]  # np.diff takes longer to start


def from_encodings(encodings: Sequence[Encoded], *, vocab: int, token_types: int) -> RaggedBatch:
    """The batch of tokenized texts, for a model with so many token types.

    A model that has none takes pairs without them. Raises ``TokenizerError`` for ids or types beyond the model's.
    """
    offsets = _offsets(map(len, encodings))
    count = int(offsets[-1])
    ids = np.fromiter(
        chain.from_iterable(encoding.ids for encoding in encodings), dtype=np.uint32, count=count
    )  # as the tokenizers library has them; those of a model fit int32
    if len(ids) and int(ids.max()) >= vocab:
        raise TokenizerError(
            f"the tokenizer gave id {int(ids.max())}, but the model has only {vocab} tokens; the two do not "
            "belong together"
        )
    tokens = ids.view(np.int32)
    if not token_types or not any(isinstance(encoding, PairEncoding) for encoding in encodings):
        return RaggedBatch(tokens, offsets, None)  # a single text has type 0, see TextTokenizer
    types = np.fromiter(
        chain.from_iterable(encoding.type_ids for encoding in encodings), dtype=np.int32, count=count
    )
    if len(types) and int(types.max()) >= token_types:
        raise TokenizerError(
            f"the tokenizer gave token type {int(types.max())}, but the model has only {token_types}; the two "
            "do not belong together"
        )
    return RaggedBatch(tokens, offsets, types)


def split_by_tokens(offsets: NDArray[np.int64], most: int) -> Iterator[tuple[int, int]]:
    """Consecutive ranges of sequences with at most ``most`` tokens each, or of one longer sequence."""
    first, count = 0, len(offsets) - 1
    while first < count:
        last = count
        if offsets[last] - offsets[first] > most:
            last = int(np.searchsorted(offsets, offsets[first] + most, side="right")) - 1
            last = max(last, first + 1)
        yield first, last
        first = last


def is_padded(inputs: object) -> TypeGuard[tuple[object, object]]:
    """Is this ``(input_ids, attention_mask)``? A tuple of two means that, whatever its members are.

    Raises ``ValueError`` where they can't be: two flat sequences are as well two texts as one with its mask.
    """
    if not isinstance(inputs, tuple) or len(inputs) != 2 or any(map(is_textual, inputs)):
        return False
    dimensions = [_dimensions(part) for part in inputs]
    if 1 in dimensions:
        raise ValueError(
            "forward: inputs must be two 2-D arrays where they are a tuple of two, (input_ids, attention_mask), "
            f"got dimensions {tuple(dimensions)}; pass a list for two sequences of ids, arrays of shape "
            "(1, length) for one with its mask"
        )
    return dimensions == [2, 2]


def _dimensions(value: object) -> int:
    """Of an array, or of nested lists as far as their first members show it."""
    found = count_dimensions(value)
    if found is not None:
        return found
    if not isinstance(value, (list, tuple)):
        return 0
    return 1 + (_dimensions(value[0]) if value else 0)


def from_padded(inputs: tuple[object, object], *, vocab: int, max_positions: int) -> RaggedBatch:
    """The batch of ``(input_ids, attention_mask)``, both of shape (n, length) and an integer or bool dtype.

    A mask holds 1 for tokens and 0 for padding, on the left or on the right. Positions count from the first
    token, wherever it stands in its row. A mask with a hole is refused: whether the tokens behind it
    should keep their positions differs between libraries. Ids below padding are not looked at.
    """
    ids = _integers(inputs[0], "input_ids")
    mask = _integers(inputs[1], "attention_mask", allow_bool=True)
    if ids.shape != mask.shape:
        raise ValueError(
            f"forward: attention_mask must have the shape of input_ids, {ids.shape}, got {mask.shape}"
        )
    taken = mask != 0
    if not np.array_equal(mask, taken):
        raise ValueError("forward: attention_mask must hold only 0 and 1")
    # Row by row, the tokens are one run exactly if the mask steps up at most once.
    steps = np.diff(taken.astype(np.int8), axis=1, prepend=0)
    broken = np.flatnonzero((steps == 1).sum(axis=1) > 1)
    if len(broken):
        raise ValueError(
            f"forward: attention_mask[{broken[0]}] has a hole between tokens, which is not supported"
        )
    return _checked(ids[taken], taken.sum(axis=1).tolist(), vocab, max_positions)


def from_id_sequences(inputs: Sequence[object], *, vocab: int, max_positions: int) -> RaggedBatch:
    """The batch of a list of id sequences, each a list of int or a 1-D integer array."""
    rows = [_sequence(sequence, i) for i, sequence in enumerate(inputs)]
    if not rows:
        return _checked(np.empty(0, dtype=np.int64), [], vocab, max_positions)
    ids = np.concatenate(rows) if len(rows) > 1 else rows[0]
    return _checked(ids, [*map(len, rows)], vocab, max_positions)


def _sequence(value: object, i: int) -> NDArray[np.integer]:
    name = f"inputs[{i}]"
    if isinstance(value, (str, bytes)):
        raise TypeError(
            f"forward: {name} must be a sequence of token ids like those before it, got {value!r}"
        )
    if _is_single(value):
        wanted = "a sequence of token ids" if i else "a text or a sequence of token ids"
        raise TypeError(f"forward: {name} must be {wanted}, got one {type(value).__name__}")
    array = _integers(value, name)
    if array.ndim != 1:
        raise ValueError(
            f"forward: {name} must be 1-D, got shape {array.shape}; a padded batch is given as a tuple "
            "(input_ids, attention_mask)"
        )
    return array


def _is_single(value: object) -> bool:
    """Whether this is no sequence in any form: a number, a missing value of a column, a row of a table."""
    if isinstance(value, (np.generic, Mapping)):
        return True
    return not any(hasattr(value, name) for name in _OF_SEQUENCES)


def _integers(value: object, name: str, *, allow_bool: bool = False) -> NDArray[np.integer]:
    """An integer array of any width, from anything that NumPy can read from this process's memory."""
    device = getattr(value, "__dlpack_device__", None)
    if device is not None and (place := tuple(device()))[0] != _CPU:
        raise TypeError(
            f"forward: {name} must be in the memory of the CPU, got a tensor on DLPack device {place}"
        )
    try:
        array: NDArray[np.generic] = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"forward: {name} can't be read as an array: {error}") from None
    if array.size == 0 and isinstance(value, (list, tuple)):
        return np.empty(array.shape, dtype=np.int64)  # an empty list has no dtype of its own
    if array.dtype.kind in "iu":
        return array  # type: ignore[return-value]
    if allow_bool and array.dtype.kind == "b":
        return array.astype(np.uint8)
    raise TypeError(f"forward: {name} must have an integer dtype, got {array.dtype}")


def _checked(ids: NDArray[np.integer], lengths: list[int], vocab: int, max_positions: int) -> RaggedBatch:
    """Ranges are checked in the caller's dtype, before a conversion to int32 could wrap around."""
    offsets = _offsets(lengths)
    # As unsigned numbers, negative ones are the largest.
    if len(ids) and ids.astype(np.uint64).max() >= vocab:
        place = int(np.flatnonzero((ids < 0) | (ids >= vocab))[0])
        row = int(np.searchsorted(offsets, place, side="right")) - 1
        raise ValueError(
            f"forward: token ids must be in 0..{vocab - 1}, got {int(ids[place])} at position "
            f"{place - int(offsets[row])} of sequence {row}"
        )
    most = max(lengths, default=0)
    if most > max_positions:
        raise ValueError(
            f"forward: a sequence can have at most {max_positions} tokens, "
            f"got {most} in sequence {lengths.index(most)}"
        )
    # A copy in any case: the caller's array may change.
    return RaggedBatch(ids.astype(np.int32, order="C"), offsets, None)
