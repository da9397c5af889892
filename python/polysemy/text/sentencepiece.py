"""SentencePiece's model files: a protocol buffer with pieces, scores and a table of replacements.

Only what a Unigram tokenizer needs is read. A protocol buffer is a row of fields: a number that tells the field
and its form, then a varint, 4 or 8 bytes, or a length and so many bytes.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import TokenizerError, UnsupportedModelError
from ..record import record
from .kinds import TokenizerKind
from .settings import TokenizerSettings
from .vocabulary import VOCABULARY_BYTES, read_file

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["PieceModel", "read_pieces", "unigram"]

_MOST_PIECES = 1_000_000
_CONTROL, _USER_DEFINED = 3, 4
_UNIGRAM = 1
# T5 reserves these for gaps in a text; they are no pieces of its file.
_EXTRA_IDS = 100


@record
class PieceModel:
    """Pieces with their scores, in the order of their ids, and what else decides how they are used."""

    pieces: list[tuple[str, float]]
    special: list[tuple[str, bool]]
    """Pieces that stand for themselves, and whether they control: they are matched before all others."""
    unknown: int
    charsmap: bytes


def read_pieces(path: Path) -> PieceModel:
    """Read a model file. Raises ``TokenizerError`` for a damaged one, ``UnsupportedModelError`` for other models."""
    data = read_file(path, VOCABULARY_BYTES)
    pieces: list[tuple[str, float]] = []
    special: list[tuple[str, bool]] = []
    unknown, charsmap, kind = 0, b"", _UNIGRAM
    try:
        for field, value in _fields(data):
            if field == 1 and isinstance(value, bytes):
                _add_piece(value, pieces, special)
            elif field == 2 and isinstance(value, bytes):
                trainer = dict(_fields(value))
                kind = _number(trainer.get(3, _UNIGRAM))
                unknown = _number(trainer.get(40, 0))
            elif field == 3 and isinstance(value, bytes):
                table = dict(_fields(value)).get(2, b"")
                charsmap = table if isinstance(table, bytes) else b""
    except (ValueError, IndexError, struct.error) as error:
        raise TokenizerError(f"{path} is not a usable SentencePiece model: {error}") from None
    if kind != _UNIGRAM:
        raise UnsupportedModelError(
            f"{path}: only Unigram models of SentencePiece are read. Make a tokenizer.json of it once: load the "
            "folder with transformers.AutoTokenizer and call save_pretrained"
        )
    if not pieces:
        raise TokenizerError(f"{path} is not a usable SentencePiece model: it has no pieces")
    return PieceModel(pieces, special, unknown, charsmap)


def _add_piece(data: bytes, pieces: list[tuple[str, float]], special: list[tuple[str, bool]]) -> None:
    parts = dict(_fields(data))
    text, score, kind = parts.get(1, b""), parts.get(2, b"\0\0\0\0"), _number(parts.get(3, 1))
    if not isinstance(text, bytes) or not isinstance(score, bytes) or len(pieces) == _MOST_PIECES:
        raise ValueError(f"piece {len(pieces)} is malformed")
    piece = text.decode("utf-8")
    (value,) = struct.unpack("<f", score)
    if not math.isfinite(value):
        raise ValueError(f"the score of piece {len(pieces)} is not finite")
    if kind in (_CONTROL, _USER_DEFINED):
        special.append((piece, kind == _CONTROL))
    pieces.append((piece, value))


def _number(value: int | bytes) -> int:
    if not isinstance(value, int):
        raise ValueError("a field must be a number")
    return value


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    place, end = 0, len(data)
    while place < end:
        key, place = _varint(data, place)
        form = key & 7
        if form == 0:
            value, place = _varint(data, place)
            yield key >> 3, value
            continue
        size = 8
        if form == 2:
            size, place = _varint(data, place)
        elif form == 5:
            size = 4
        elif form != 1:
            raise ValueError(f"field {key >> 3} has the unknown form {form}")
        if size > end - place:
            raise ValueError(f"field {key >> 3} ends beyond the file")
        yield key >> 3, data[place : place + size]
        place += size


def _varint(data: bytes, place: int) -> tuple[int, int]:
    byte = data[place]
    if byte < 0x80:
        return byte, place + 1
    value = shift = 0
    while shift < 64:
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
    raise ValueError("a number has more than 64 bits")


def unigram(model: PieceModel, kind: TokenizerKind, settings: TokenizerSettings) -> Tokenizer:
    """A tokenizer with the pieces of a model under the ids that this kind gives them."""
    from tokenizers import AddedToken, Tokenizer
    from tokenizers.models import Unigram

    def named(role: str) -> str:
        token = settings.token(role, kind.defaults[role])
        assert token is not None
        return token.content

    pieces, unknown = model.pieces, model.unknown
    extra: list[str] = []
    if kind.name == "xlm-roberta":
        first = [(named(role), 0.0) for role in ("bos_token", "pad_token", "eos_token", "unk_token")]
        pieces, unknown = [*first, *pieces[3:], (named("mask_token"), 0.0)], 3
    elif kind.name == "camembert":
        first = [
            ("<s>NOTUSED", 0.0),
            (named("pad_token"), 0.0),
            ("</s>NOTUSED", 0.0),
            (named("unk_token"), 0.0),
        ]
        pieces = [*first, ("<unk>NOTUSED", -100.0), *pieces[1:], (named("mask_token"), 0.0)]
        unknown = next((i for i, (piece, _) in enumerate(pieces) if piece == named("unk_token")), 0)
    elif kind.name == "t5":
        extra = [f"<extra_id_{i}>" for i in range(_EXTRA_IDS - 1, -1, -1)]
        pieces, unknown = [*pieces, *((token, 0.0) for token in extra)], 2
    elif kind.name == "albert":
        unknown = 1
    tokenizer = Tokenizer(Unigram(pieces, unk_id=unknown, byte_fallback=False))
    tokenizer.add_tokens(
        [AddedToken(piece, normalized=False, special=special) for piece, special in model.special]
    )
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in extra])
    return tokenizer
