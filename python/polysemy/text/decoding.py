"""Token ids back to text, as transformers writes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .library import library

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from .kinds import TokenizerKind

__all__ = ["decode", "joined", "set_decoder"]

_CLEANED = (
    (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"),
    (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
)  # fmt: skip


def set_decoder(tokenizer: Tokenizer, kind: TokenizerKind) -> None:
    """Give a tokenizer that was made of older files the way back to text of its kind."""
    from tokenizers import decoders

    if kind.model == "WordPiece":
        tokenizer.decoder = decoders.WordPiece(prefix="##")
    elif kind.model == "BPE":
        tokenizer.decoder = decoders.ByteLevel()
    else:
        tokenizer.decoder = decoders.Metaspace()


def decode(tokenizer: Tokenizer, ids: Sequence[int], *, skip_special: bool, cleaned: bool) -> str:
    """The text of tokens. ``cleaned`` takes spaces before punctuation away."""
    with library("tokenizer: tokens can't be decoded"):
        text: str = tokenizer.decode(ids, skip_special_tokens=skip_special)
    if cleaned:
        for old, new in _CLEANED:
            text = text.replace(old, new)
    return text


def joined(tokenizer: Tokenizer, tokens: Sequence[str]) -> str:
    """The text of tokens that are given as the vocabulary spells them."""
    if tokenizer.decoder is None:
        return " ".join(tokens)
    with library("tokenizer: tokens can't be decoded"):
        text: str = tokenizer.decoder.decode(list(tokens))
    return text
