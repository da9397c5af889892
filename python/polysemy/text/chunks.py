"""Texts of unknown number, taken a bounded amount at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set

__all__ = ["check_text", "text_chunks"]

# A chunk is tokenized at once. These bounds keep its memory at a few dozen MB, and are far above what one
# forward pass takes, so that a chunk's last, smaller pass costs nothing to speak of.
_MOST_TEXTS = 2048
_MOST_CHARACTERS = 1 << 20


def check_text(text: object, name: str) -> str:
    """The text itself. Raises ``TypeError`` naming the argument when it is no str."""
    if not isinstance(text, str):
        raise TypeError(f"{name} must be a str, got {type(text).__name__}")
    return text


def text_chunks(texts: Iterable[object], prompt: str = "") -> Iterator[list[str]]:
    """Lists of texts in order, each with the prompt in front. Raises ``TypeError`` for what is no text."""
    if isinstance(texts, (bytes, bytearray, Mapping, Set)) or not isinstance(texts, Iterable):
        raise TypeError(
            f"encode: texts must be a str or an ordered iterable of str, got {type(texts).__name__}"
        )
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
