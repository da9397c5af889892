"""What Unicode says of characters, as far as words need it (UAX 29, word boundaries)."""

from __future__ import annotations

import unicodedata
from bisect import bisect_right

__all__ = ["fold", "is_word", "split_clusters", "writes_spaces"]

# Ranges of characters in scripts without spaces between words, for which UAX 29 needs a dictionary or lets a
# word end after every character.
_SPACELESS = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x1950, 0x19DF),  # Tai Le, New Tai Lue
    (0x1A20, 0x1AAF),  # Tai Tham
    (0x3005, 0x3007),  # ideographic marks
    (0x3021, 0x30FF),  # Hiragana, Katakana
    (0x31F0, 0x31FF),  # Katakana
    (0x3400, 0x4DBF),  # ideographs
    (0x4E00, 0x9FFF),
    (0xA9E0, 0xA9FF),  # Myanmar
    (0xAA60, 0xAADF),  # Myanmar, Tai Viet
    (0xF900, 0xFAFF),  # ideographs
    (0xFF66, 0xFF9D),  # halfwidth Katakana
    (0x11700, 0x1174F),  # Ahom
    (0x16FE0, 0x18D7F),  # Tangut, Khitan
    (0x1AFF0, 0x1B2FF),  # Kana, Nushu
    (0x20000, 0x3FFFF),  # ideographs
)
_STARTS = [first for first, _ in _SPACELESS]
_NEWLINES = "\n\r\x0b\x0c\x85\u2028\u2029"
# Format characters that are no part of a word: zero width space.
_NO_MARKS = "\u200b"
# Marks by their use but not by their category: halfwidth voiced sound marks, emoji modifiers.
_MORE_MARKS = "\uff9e\uff9f\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff"


def is_word(character: str) -> bool:
    """Whether this is a letter, a digit or an underscore."""
    return character.isalnum() or character == "_"


def writes_spaces(character: str) -> bool:
    """Whether this is a letter or digit of a script that writes spaces between its words."""
    if not character.isalnum():
        return False
    code = ord(character)
    i = bisect_right(_STARTS, code) - 1
    return i < 0 or code > _SPACELESS[i][1]


def split_clusters(text: str) -> list[tuple[int, int]]:
    """(start, end) of every character with the marks that belong to it (rule WB4)."""
    if text.isascii():
        return [(i, i + 1) for i in range(len(text))]
    starts = [
        i for i, character in enumerate(text) if i == 0 or not _is_mark(character) or text[i - 1] in _NEWLINES
    ]
    return [*zip(starts, [*starts[1:], len(text)], strict=True)]


def _is_mark(character: str) -> bool:
    category = unicodedata.category(character)
    if category in ("Mn", "Mc", "Me") or character in _MORE_MARKS:
        return True
    return category == "Cf" and character not in _NO_MARKS


def fold(cluster: str, *, ignore_case: bool) -> str:
    """The same for canonically equivalent clusters, and for upper and lower case where that doesn't matter."""
    if cluster.isascii():
        return cluster.lower() if ignore_case else cluster
    if not ignore_case:
        return unicodedata.normalize("NFD", cluster)
    lowered = "".join(map(_lower, unicodedata.normalize("NFD", cluster)))
    return unicodedata.normalize("NFD", lowered)


def _lower(character: str) -> str:
    folded = character.casefold()
    return folded if len(folded) == 1 else character.lower()
