"""The beginning of a long text, of which a tokenizer makes the same tokens as of the whole.

A model reads some hundred tokens. Tokenizing megabytes to throw all else away takes seconds with the interpreter
locked, and memory that may not be there.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["border_before", "borders", "counted_up_to"]

# Steps that look at no more than a word, or a character and its marks.
_LOCAL = {None, "BertNormalizer", "Lowercase", "NFC", "NFD", "NFKC", "NFKD", "StripAccents"}
_WORDWISE = {"BertPreTokenizer", "Whitespace", "WhitespaceSplit", "ByteLevel"}
# Ordinary letters on both sides: no mark, no run of spaces, nothing that a pattern could join across.
_SPACES = r"(?<=[A-Za-z0-9])[ \n](?=[A-Za-z0-9])"
# Between two Chinese characters, where each is a word of its own.
_IDEOGRAPHS = "(?<=[\u4e00-\u9fff])(?=[\u4e00-\u9fff])"


def counted_up_to(max_length: int) -> int:
    """As many tokens beyond ``max_length`` are counted exactly; where more are cut, the count is a lower bound."""
    return max(max_length, 1024)


def borders(tokenizer: Tokenizer) -> re.Pattern[str] | None:
    """Places that always part two words, whose tokens don't depend on each other, or None where none are known."""
    steps = [
        None if part is None else json.loads(part.__getstate__())
        for part in (tokenizer.normalizer, tokenizer.pre_tokenizer)
    ]
    normalizer, splitter = steps
    if (normalizer and normalizer["type"]) not in _LOCAL or not splitter or splitter["type"] not in _WORDWISE:
        return None
    if splitter.get("use_regex", True) is not True:
        return None
    added = [token.content for token in tokenizer.get_added_tokens_decoder().values()]
    if any(re.search(r"\s", token) for token in added):
        return None
    apart = normalizer and normalizer.get("handle_chinese_chars", False)
    if apart and not any(re.search("[\u4e00-\u9fff]", token) for token in added):
        return re.compile(f"{_SPACES}|{_IDEOGRAPHS}")
    return re.compile(_SPACES)


def border_before(text: str, most: int, places: re.Pattern[str]) -> int | None:
    """The last of these places in the second half of the first ``most`` characters, or None."""
    last = None
    for match in places.finditer(text, most // 2, most):
        last = match.start()
    return last
