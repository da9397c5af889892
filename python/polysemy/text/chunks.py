"""Texts of unknown number, taken a bounded amount at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .check import Text, check_text_or_pair, members

__all__ = ["text_chunks"]

# A chunk is tokenized at once. These bounds keep its memory at a few dozen MB, and are far above what one
# forward pass takes, so that the smaller pass at the end of a chunk costs next to nothing.
_MOST_TEXTS = 2048
_MOST_CHARACTERS = 1 << 20


def text_chunks(
    texts: Iterable[object], prompt: str = "", *, name: str = "encode: texts"
) -> Iterator[list[Text]]:
    """Lists of texts and pairs in order, each with the prompt in front of its (first) text.

    Raises as `check_text` for anything else; ``name`` is that of the argument.
    """
    chunk: list[Text] = []
    characters = 0
    for i, item in enumerate(members(texts)):
        text = check_text_or_pair(item, f"{name}[{i}]")
        if isinstance(text, str):
            text = prompt + text
            characters += len(text)
        else:
            text = (prompt + text[0], text[1])
            characters += len(text[0]) + len(text[1])
        chunk.append(text)
        if len(chunk) >= _MOST_TEXTS or characters >= _MOST_CHARACTERS:
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk
