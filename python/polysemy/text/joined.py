"""The tokens of a text that was read in pieces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from ..record import record

if TYPE_CHECKING:
    from tokenizers import Encoding

    from .pieces import Tokens

__all__ = ["JoinedEncoding", "Special", "special_around", "special_tokens"]

T = TypeVar("T")


@record
class Special:
    """Consecutive special tokens."""

    ids: list[int]
    type_ids: list[int]
    tokens: list[str]


def special_tokens(encoding: Encoding, part: slice) -> Special:
    """Those of a part that has no others."""
    return Special(encoding.ids[part], encoding.type_ids[part], encoding.tokens[part])


def special_around(encoding: Encoding) -> tuple[Special, Special]:
    """The special tokens before and behind the tokens of a text."""
    mask = encoding.special_tokens_mask
    before = mask.index(0) if 0 in mask else len(mask)
    behind = mask[::-1].index(0) if 0 in mask else 0
    return (
        special_tokens(encoding, slice(before)),
        special_tokens(encoding, slice(len(mask) - behind, None)),
    )


class JoinedEncoding:
    """In the form of the library's ``Encoding``, between special tokens."""

    __slots__ = ("_after", "_before", "_tokens", "tokens_cut")

    def __init__(self, tokens: Tokens, cut: int, around: tuple[Special, Special]) -> None:
        """``cut`` tokens of the text are left out."""
        self._tokens = tokens
        self._before, self._after = around
        self.tokens_cut = cut

    def __len__(self) -> int:
        return len(self._before.ids) + len(self._tokens) + len(self._after.ids)

    @property
    def ids(self) -> list[int]:
        """Token ids."""
        return [*self._before.ids, *(token[0] for token in self._tokens), *self._after.ids]

    @property
    def tokens(self) -> list[str]:
        """As the vocabulary spells them."""
        return [*self._before.tokens, *(token[4] for token in self._tokens), *self._after.tokens]

    @property
    def offsets(self) -> list[tuple[int, int]]:
        """First and last character in the whole text, (0, 0) for special tokens."""
        return self._within([token[1:3] for token in self._tokens], (0, 0))

    @property
    def word_ids(self) -> list[int | None]:
        """The number of the word that a token is a part of."""
        return self._within([token[3] for token in self._tokens], None)

    @property
    def type_ids(self) -> list[int]:
        """Token types."""
        return [0] * len(self)

    @property
    def sequence_ids(self) -> list[int | None]:
        """0 for tokens of the text, None for special ones."""
        return self._within([0] * len(self._tokens), None)

    @property
    def special_tokens_mask(self) -> list[int]:
        """1 for special tokens."""
        return self._within([0] * len(self._tokens), 1)

    def _within(self, values: Sequence[T], special: T) -> list[T]:
        return [*[special] * len(self._before.ids), *values, *[special] * len(self._after.ids)]
