"""Texts of unknown number, taken a bounded amount at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .check import check_text

__all__ = ["text_chunks"]

# A chunk is tokenized at once. These bounds keep its memory at a few dozen MB, and are far above what one
# forward pass takes, so that a chunk's last, smaller pass costs nothing to speak of.
_MOST_TEXTS = 2048
_MOST_CHARACTERS = 1 << 20


def text_chunks(texts: Iterable[object], prompt: str = "") -> Iterator[list[str]]:
    """Lists of texts in order, each with the prompt in front. Raises as `check_text` for what is no text."""
    chunk: list[str] = []
    characters = 0
    for i, item in enumerate(texts):
        text = prompt + check_text(item, f"encode: texts[{i}]")
        chunk.append(text)
        characters += len(text)
        if len(chunk) >= _MOST_TEXTS or characters >= _MOST_CHARACTERS:
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk
