"""The tokens of a text that was read in pieces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from ..record import record
from .pieces import Tokens

if TYPE_CHECKING:
    from tokenizers import Encoding

__all__ = ["Around", "JoinedEncoding", "special_around"]

T = TypeVar("T")


@record
class Around:
    """Special tokens before or behind a text."""

    ids: list[int]
    tokens: list[str]


def special_around(encoding: Encoding) -> tuple[Around, Around]:
    """The special tokens of a text that has others, too."""
    special = encoding.special_tokens_mask
    first = special.index(0) if 0 in special else len(special)
    last = len(special) - special[::-1].index(0) if 0 in special else len(special)
    return (
        Around(encoding.ids[:first], encoding.tokens[:first]),
        Around(encoding.ids[last:], encoding.tokens[last:]),
    )


class JoinedEncoding:
    """In the form of the library's ``Encoding``, between special tokens."""

    __slots__ = ("_after", "_before", "_tokens", "tokens_cut")

    def __init__(self, tokens: Tokens, cut: int, around: tuple[Around, Around]) -> None:
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
