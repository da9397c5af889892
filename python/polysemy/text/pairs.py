"""Two texts that a model reads together: how they share its length, and their tokens as one sequence.

The tokenizer library can do this, but it makes an encoding of every combination of the pieces of two long
texts: memory that grows with the product of their lengths. Here each text is tokenized alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from ..record import record
from .joined import JoinedEncoding, Special, special_tokens

if TYPE_CHECKING:
    from tokenizers import Encoding

__all__ = ["Encoded", "PairEncoding", "PairTemplate", "cut_tokens", "pair_template", "shares"]

T = TypeVar("T")

Encoded: TypeAlias = "Encoding | JoinedEncoding | PairEncoding"
"""A tokenized text, or pair of texts."""


@record
class PairTemplate:
    """What a tokenizer puts before, between and after two texts, and their token types."""

    before: Special
    between: Special
    after: Special
    types: tuple[int, int]

    @property
    def special(self) -> int:
        """Number of special tokens."""
        return len(self.before.ids) + len(self.between.ids) + len(self.after.ids)

    def room(self, most: int) -> int:
        """Tokens of both texts that a model has room for which reads ``most`` tokens."""
        return most - self.special


class PairEncoding:
    """The tokens of two texts as one sequence, in the form of the library's ``Encoding``."""

    __slots__ = ("_parts", "_template", "tokens_cut")

    def __init__(
        self,
        first: Encoding | JoinedEncoding,
        second: Encoding | JoinedEncoding,
        template: PairTemplate,
        most: int,
        *,
        keep_end: bool,
        lengths: tuple[int, int],
    ) -> None:
        """Each encoding is that of a text alone, without special tokens, of at most ``most`` tokens.

        ``lengths`` are those of the texts before they were cut.
        """
        kept = shares(*lengths, template.room(most))
        self.tokens_cut = sum(lengths) - sum(kept)
        self._template = template
        self._parts = tuple(
            (part, slice(len(part) - count, None) if keep_end else slice(count), count)
            for part, count in zip((first, second), kept, strict=True)
        )

    def __len__(self) -> int:
        return self._template.special + sum(count for _, _, count in self._parts)

    @property
    def ids(self) -> list[int]:
        return self._joined(lambda part: part.ids, lambda special: special.ids)

    @property
    def tokens(self) -> list[str]:
        return self._joined(lambda part: part.tokens, lambda special: special.tokens)

    @property
    def offsets(self) -> list[tuple[int, int]]:
        return self._joined(lambda part: part.offsets, lambda special: [(0, 0)] * len(special.ids))

    @property
    def word_ids(self) -> list[int | None]:
        return self._joined(lambda part: part.word_ids, lambda special: [None] * len(special.ids))

    @property
    def type_ids(self) -> list[int]:
        return self._filled(self._template.types, lambda special: special.type_ids)

    @property
    def sequence_ids(self) -> list[int | None]:
        return self._filled((0, 1), lambda special: [None] * len(special.ids))

    @property
    def special_tokens_mask(self) -> list[int]:
        return self._filled((0, 0), lambda special: [1] * len(special.ids))

    def _joined(
        self, of: Callable[[Encoding | JoinedEncoding], list[T]], around: Callable[[Special], list[T]]
    ) -> list[T]:
        (first, kept, _), (second, kept_too, _) = self._parts
        form = self._template
        return [
            *around(form.before), *of(first)[kept],
            *around(form.between), *of(second)[kept_too],
            *around(form.after),
        ]  # fmt: skip

    def _filled(self, values: tuple[T, T], around: Callable[[Special], list[T]]) -> list[T]:
        (_, _, first), (_, _, second) = self._parts
        form = self._template
        return [
            *around(form.before), *[values[0]] * first,
            *around(form.between), *[values[1]] * second,
            *around(form.after),
        ]  # fmt: skip


def cut_tokens(encoding: Encoding | JoinedEncoding) -> int:
    """Tokens of a text alone that are in the further pieces of its encoding, special tokens not counted."""
    if isinstance(encoding, JoinedEncoding):
        return encoding.tokens_cut
    return sum(piece.special_tokens_mask.count(0) for piece in encoding.overflowing)


def shares(first: int, second: int, room: int) -> tuple[int, int]:
    """How many tokens of each text stay, as the strategy "longest_first" of the tokenizer library has it.

    Half of the room is everybody's; what the shorter text leaves of its half is the longer one's, and so is the
    odd token. Of two equally long texts the second counts as the longer one.
    """
    if first + second <= room:
        return first, second
    less, more = room // 2, room - room // 2
    shorter = min(first, second)
    if shorter <= less:
        less, more = shorter, room - shorter
    return (less, more) if first <= second else (more, less)


def pair_template(encoding: Encoding) -> PairTemplate | None:
    """The template, read off an encoding of two texts that have tokens; None for a form unknown here."""
    sequences, types = encoding.sequence_ids, encoding.type_ids
    if [number for number, _ in groupby(sequences) if number is not None] != [0, 1]:
        return None
    first, second = (_range(sequences, number) for number in (0, 1))
    if len({*types[slice(*first)]}) != 1 or len({*types[slice(*second)]}) != 1:
        return None

    return PairTemplate(
        special_tokens(encoding, slice(first[0])),
        special_tokens(encoding, slice(first[1], second[0])),
        special_tokens(encoding, slice(second[1], None)),
        (types[first[0]], types[second[0]]),
    )


def _range(sequences: Sequence[int | None], number: int) -> tuple[int, int]:
    """Where the consecutive tokens of a text begin and end."""
    start = sequences.index(number)
    return start, start + sequences.count(number)
