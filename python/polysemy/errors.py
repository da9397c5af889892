"""Exceptions and warnings of polysemy.

Each exception is also a ``ValueError`` or an ``OSError``, so that callers who don't know this module can
still catch it by its general meaning. Wrong argument types raise plain ``TypeError``, wrong argument
values plain ``ValueError``.
"""

from __future__ import annotations

from .shown import clipped

__all__ = [
    "CheckpointError",
    "ModelNotFoundError",
    "PolysemyError",
    "PoolingError",
    "TokenizerError",
    "TruncationWarning",
    "UnsupportedModelError",
]


class PolysemyError(Exception):
    """Base of every exception that polysemy defines. A message has at most `MESSAGE_LENGTH` characters."""

    def __init__(self, message: str = "") -> None:
        super().__init__(clipped(message))


class CheckpointError(PolysemyError, ValueError):
    """A file of a checkpoint is damaged, incomplete, or does not fit its own configuration."""


class UnsupportedModelError(PolysemyError, ValueError):
    """The checkpoint is well formed but asks for something that polysemy does not compute."""


class TokenizerError(PolysemyError, ValueError):
    """The tokenizer of a checkpoint is missing, unreadable, or does not fit the model."""


class PoolingError(PolysemyError, ValueError):
    """A sentence embedding was asked of a model that does not say how to pool its tokens."""


class ModelNotFoundError(PolysemyError, FileNotFoundError):
    """No folder, cache entry or hub repository answers to the given model name."""


class TruncationWarning(UserWarning):
    """Texts were longer than the model reads; the tokens beyond its limit were left out."""
