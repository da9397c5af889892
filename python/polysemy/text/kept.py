"""What stays of tokenized texts without the tokenizer: plain values, which go to other processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..record import record

if TYPE_CHECKING:
    from .pairs import Encoded

__all__ = ["KeptEncoding", "TokenNames", "kept"]


@record
class KeptEncoding:
    """The tokens of a text or a pair, in the form of the library's ``Encoding``."""

    tokens: list[str]
    offsets: list[tuple[int, int]]
    word_ids: list[int | None]
    sequence_ids: list[int | None]
    special_tokens_mask: list[int]


def kept(encoding: Encoded | KeptEncoding) -> KeptEncoding:
    """All that an output shows of an encoding, and nothing of what was cut off."""
    if isinstance(encoding, KeptEncoding):
        return encoding
    return KeptEncoding(
        encoding.tokens,
        encoding.offsets,
        encoding.word_ids,
        encoding.sequence_ids,
        encoding.special_tokens_mask,
    )


@record
class TokenNames:
    """The vocabulary entries of some ids."""

    names: dict[int, str]

    def token_of(self, token_id: int) -> str:
        """The entry of an id."""
        return self.names[token_id]
