"""Vocabularies: ``vocab.txt`` of BERT, ``vocab.json`` and ``merges.txt`` of byte-level BPE."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import CheckpointError, TokenizerError
from ..io.files import read_bytes
from ..io.jsonfile import read_json_object
from ..shown import shown
from .kinds import TokenizerKind
from .settings import TokenizerSettings

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["VOCABULARY_BYTES", "byte_pairs", "read_file", "word_pieces"]

# The largest vocabularies, of 262,000 tokens, take 5 MB in these forms.
VOCABULARY_BYTES = 16 << 20
# As str.strip takes them off, but for the separators of files and records, which are characters here.
_BLANKS = " \t\n\r\x0b\x0c\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)


def read_file(path: Path, limit: int) -> bytes:
    """The content of a file of a tokenizer. Raises ``TokenizerError``."""
    try:
        return read_bytes(path, limit)
    except CheckpointError as error:
        raise TokenizerError(str(error)) from None


def _lines(path: Path) -> list[str]:
    try:
        lines = read_file(path, VOCABULARY_BYTES).decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise TokenizerError(f"{path} is not valid UTF-8: {error}") from None
    if lines[-1] == "":
        lines.pop()
    return lines


def word_pieces(folder: Path, kind: TokenizerKind, settings: TokenizerSettings) -> Tokenizer:
    """A tokenizer with the vocabulary of ``vocab.txt``: one token per line, its id is the number of the line."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordPiece

    path = folder / "vocab.txt"
    vocab = {line.rstrip(_BLANKS): i for i, line in enumerate(_lines(path))}
    needed = {
        role: settings.token(role, default) for role, default in kind.defaults.items() if role != "mask_token"
    }
    missing = list(
        dict.fromkeys(t.content for t in needed.values() if t is not None and t.content not in vocab)
    )
    if missing:
        raise TokenizerError(f"{path} lacks the special tokens {shown(missing)}")
    unknown = needed["unk_token"]
    assert unknown is not None
    return Tokenizer(WordPiece(vocab, unk_token=unknown.content, max_input_chars_per_word=100))


def byte_pairs(folder: Path, kind: TokenizerKind, settings: TokenizerSettings) -> Tokenizer:
    """A tokenizer with ``vocab.json`` (token -> id) and ``merges.txt`` (pairs, the first to be merged first)."""
    from tokenizers import Tokenizer
    from tokenizers.models import BPE

    source, path = folder / "vocab.json", folder / "merges.txt"
    try:
        stored = read_json_object(source, VOCABULARY_BYTES)
    except CheckpointError as error:
        raise TokenizerError(str(error)) from None
    vocab: dict[str, int] = {}
    for token, number in stored.items():
        if type(number) is not int or not 0 <= number < 1 << 31:
            raise TokenizerError(
                f"{source}: the id of {shown(token)} must be below 2**31, got {shown(number)}"
            )
        vocab[token] = number
    merges = []
    for line in _lines(path):
        pair = line.rstrip("\r").split(" ")
        if line.startswith("#version") or line.rstrip("\r") == "":
            continue
        if len(pair) != 2:
            raise TokenizerError(f"{path}: a line must have two parts, got {shown(line)}")
        merges.append((pair[0], pair[1]))
    if kind.name == "clip":
        unknown = settings.token("unk_token", kind.defaults["unk_token"])
        assert unknown is not None
        return Tokenizer(BPE(vocab, merges, end_of_word_suffix="</w>", unk_token=unknown.content))
    return Tokenizer(BPE(vocab, merges))
