"""How much of a long text is read. What reads it is imported with the first one: few programs have any."""

from __future__ import annotations

__all__ = ["SHORT", "counted_up_to", "is_long", "part_size", "tokens_needed"]

SHORT = 16_384
"""A text that is read in part has more characters."""
_CHARACTERS_PER_TOKEN, _MOST = 16, 131_072


def part_size(max_length: int) -> int:
    """So many characters are read first, for a model that reads ``max_length`` tokens."""
    return min(max(_CHARACTERS_PER_TOKEN * max_length, SHORT), _MOST)


def is_long(text: str, size: int) -> bool:
    """Whether ``size`` characters, see `part_size`, may be enough of a text."""
    return len(text) > 2 * size


def counted_up_to(max_length: int) -> int:
    """As many tokens beyond ``max_length`` are counted exactly; where more are cut, the count is a lower bound."""
    return max(max_length, 1024)


def tokens_needed(max_length: int) -> int:
    """So many tokens of a part are those of the whole, or the part has all of them."""
    return max_length + counted_up_to(max_length)
