"""`ModelCard`: what is known about a model beside its spec."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["ModelCard"]


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Name, place and further facts about a model."""

    name: str
    """A Hugging Face id, or the folder as it was given."""
    folder: str | None = None
    model_type: str | None = None
    """The family, as config.json names it."""
    sha256: str | None = None
    """Hash of the weights file, where it is published and was checked."""
    prompts: dict[str, str] = field(default_factory=dict)
    """Texts to put before an input, by name."""
    default_prompt: str | None = None
    """The name of the prompt that `Encoder.encode` uses when none is given."""
    similarity: str | None = None
    """The similarity that the embeddings were trained for, as the model names it."""
