"""How much longer a tokenizer can make a text before it cuts it into tokens.

Each step of a normalizer may replace a character by many, and the steps multiply: a file of 100 KB can turn one
letter into gigabytes. Here the factors are multiplied first.
"""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING

from ..errors import TokenizerError
from .library import steps

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["check_growth", "check_table", "check_tables"]

# SentencePiece's own table of replacements makes 18 letters of one; real chains stay below 100.
_MOST_GROWTH = 1_000
_MOST_STEPS = 64
# What a pattern needs to match between two characters, where each match inserts.
_MAY_BE_EMPTY = set("*?{^$|(\\")

_TABLE = re.compile(rb'"precompiled_charsmap"\s*:\s*"([A-Za-z0-9+/=]*)"')
_ESCAPED_LETTER = re.compile(rb"\\u00[4-7]")


def check_table(table: bytes, source: str) -> None:
    """SentencePiece's table of replacements says how large its tree is. The library would make room for it.

    Raises ``TokenizerError`` when the tree is larger than the table.
    """
    if len(table) < 4 or int.from_bytes(table[:4], "little") > len(table) - 4:
        raise TokenizerError(f"{source}: the table of replacements is damaged")


def check_tables(data: bytes, source: str) -> None:
    """`check_table` for every table in a tokenizer.json, before the library reads it."""
    tables = [match[1] for match in _TABLE.finditer(data)]
    if len(tables) != data.count(b"precompiled_charsmap") or (
        _ESCAPED_LETTER.search(data) and len(tables) != _spelled(data, source).count("precompiled_charsmap")
    ):
        raise TokenizerError(f"{source}: a table of replacements is not written as usual")
    for table in tables:
        try:
            check_table(base64.b64decode(table), source)
        except ValueError as error:
            raise TokenizerError(f"{source}: the table of replacements is damaged: {error}") from None


def _spelled(data: bytes, source: str) -> str:
    """The text of a JSON file without needless escapes."""
    try:
        return json.dumps(json.loads(data), ensure_ascii=False)
    except (ValueError, RecursionError):
        raise TokenizerError(f"{source} is not a usable tokenizer: it is no JSON") from None


def check_growth(tokenizer: Tokenizer, source: str) -> None:
    """Raises ``TokenizerError`` for a chain that could make a text more than a thousand times longer."""
    growth = 1.0
    count = 0
    for part in (tokenizer.normalizer, tokenizer.pre_tokenizer):
        for step in steps(part):
            count += 1
            growth *= _factor(step)
            if count > _MOST_STEPS or growth > _MOST_GROWTH:
                raise TokenizerError(
                    f"{source}: its normalizers must have at most {_MOST_STEPS} steps and must not make a text "
                    f"more than {_MOST_GROWTH:,} times longer"
                )


def _factor(step: dict[str, object]) -> float:
    match step:
        case {"type": "Replace", "pattern": {"String": str(pattern)}, "content": str(content)}:
            return max(1.0, len(content) / len(pattern)) if pattern else 1.0 + len(content)
        case {"type": "Replace", "pattern": {"Regex": str(pattern)}, "content": str(content)}:
            between = bool(content) and bool(
                _MAY_BE_EMPTY & set(pattern.replace(" {2,}", "").replace("\\s+", ""))
            )
            return between + max(1.0, len(content))
        case {"type": "Prepend", "prepend": str(text)}:
            return 1.0 + len(text)
        case {"type": "Precompiled", "precompiled_charsmap": str(table)}:
            return _longest_replacement(base64.b64decode(table))
        case {"type": "ByteLevel"}:  # a byte becomes a character
            return 4.0
    return 1.0  # Unicode's own forms: a constant, however often they are applied


def _longest_replacement(table: bytes) -> float:
    """The table is the size of a tree, the tree, and replacements that end with a zero byte."""
    place = 4 + int.from_bytes(table[:4], "little")
    return max([1.0, *(float(len(text.decode("utf-8", "replace"))) for text in table[place:].split(b"\0"))])
