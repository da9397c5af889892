"""Places of tokens with the spaces that they begin with, where a tokenizer leaves those out.

A token of spaces alone has then no extent, and stands where it ends.
"""

from __future__ import annotations

from .pieces import Tokens

__all__ = ["trimmed", "untrimmed"]


def untrimmed(tokens: Tokens, text: str) -> Tokens:
    """The tokens of the text, each from where the one before it ends if only spaces are between.

    Nothing if `trimmed` does not give back all but the first one, which some tokenizers treat otherwise.
    """
    found: Tokens = []
    before = 0
    for number, start, end, word, name in tokens:
        begin = start if text[before:start].strip(" ") else min(before, start)
        found.append((number, begin, end, word, name))
        before = end
    return found if trimmed(found, text)[1:] == tokens[1:] else []


def trimmed(tokens: Tokens, text: str) -> Tokens:
    """The same as the tokenizer gives them."""
    return [
        (number, end - len(text[start:end].lstrip(" ")), end, word, name)
        for number, start, end, word, name in tokens
    ]
