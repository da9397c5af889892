"""BERT's WordPiece tokenizer from ``vocab.txt``, for folders that have no ``tokenizer.json``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import TokenizerError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["wordpiece_from_vocab"]

_SPECIAL = {"unk_token": "[UNK]", "sep_token": "[SEP]", "cls_token": "[CLS]", "pad_token": "[PAD]"}


def wordpiece_from_vocab(vocab_file: Path, settings: Mapping[str, object]) -> Tokenizer:
    """Build the tokenizer; ``settings`` is the content of ``tokenizer_config.json``.

    The vocabulary has one token per line, its id is the number of the line from 0. Raises
    ``TokenizerError`` when a special token is not in it.
    """
    from tokenizers import AddedToken, Tokenizer
    from tokenizers.decoders import WordPiece as WordPieceDecoder
    from tokenizers.models import WordPiece
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer
    from tokenizers.processors import TemplateProcessing

    try:
        lines = vocab_file.read_text("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise TokenizerError(f"{vocab_file} is not valid UTF-8: {error}") from None
    if lines[-1] == "":
        lines.pop()
    vocab = {line.rstrip("\r"): i for i, line in enumerate(lines)}
    special = {role: _token(settings.get(role), default) for role, default in _SPECIAL.items()}
    missing = [token for token in special.values() if token not in vocab]
    if missing:
        raise TokenizerError(f"{vocab_file} lacks the special tokens {missing}")
    lowercase = _flag(settings, "do_lower_case", True)
    strip = settings.get("strip_accents")
    tokenizer = Tokenizer(WordPiece(vocab, unk_token=special["unk_token"], max_input_chars_per_word=100))
    tokenizer.normalizer = BertNormalizer(
        clean_text=True,
        handle_chinese_chars=_flag(settings, "tokenize_chinese_chars", True),
        strip_accents=strip if isinstance(strip, bool) else None,
        lowercase=lowercase,
    )
    tokenizer.pre_tokenizer = BertPreTokenizer()
    cls, sep = special["cls_token"], special["sep_token"]
    tokenizer.post_processor = TemplateProcessing(
        single=f"{cls} $A {sep}",
        pair=f"{cls} $A {sep} $B:1 {sep}:1",
        special_tokens=[(cls, vocab[cls]), (sep, vocab[sep])],
    )
    tokenizer.decoder = WordPieceDecoder()
    mask = _token(settings.get("mask_token"), "[MASK]")
    known = [*special.values(), *([mask] if mask in vocab else [])]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in known])
    return tokenizer


def _token(value: object, default: str) -> str:
    """A special token is stored as its text, or as an object with the text and flags."""
    if isinstance(value, dict):
        value = value.get("content")
    return value if isinstance(value, str) else default


def _flag(settings: Mapping[str, object], name: str, default: bool) -> bool:
    value = settings.get(name)
    return value if isinstance(value, bool) else default
