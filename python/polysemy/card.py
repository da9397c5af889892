"""`ModelCard`: what is known about a model beside its spec."""

from __future__ import annotations

from dataclasses import field

from .record import record
from .shown import shown

__all__ = ["ModelCard"]


@record
class ModelCard:
    """Name, place and further facts about a model."""

    name: str
    """A Hugging Face id, or the folder as it was given."""
    folder: str | None = None
    model_type: str | None = None
    """The family, as config.json names it."""
    sha256: str | None = None
    """Hash of ``model.safetensors``, where it is published and was checked; `Encoder.fingerprint` covers all files."""
    prompts: dict[str, str] = field(default_factory=dict)
    """Texts to put before an input, by name."""
    default_prompt: str | None = None
    """The name of the prompt that `Encoder.encode` uses when none is given."""
    heads: tuple[str, ...] = ()
    """What stands on the encoder in the checkpoint, by the names of the tasks in transformers."""
    similarity: str | None = None
    """The similarity that the embeddings were trained for, as the model names it."""

    def prompt(self, name: object = None, method: str = "encode") -> str:
        """The text that `Encoder.encode` puts before an input. None names the default prompt, "" none.

        Raises ``ValueError``, which begins with ``method``, for a name that the model does not have.
        """
        chosen = self.default_prompt if name is None else name
        if chosen is None or chosen == "":
            return ""
        if not isinstance(chosen, str) or chosen not in self.prompts:
            raise ValueError(
                f"{method}: prompt_name must be one of {sorted(self.prompts)}, got {shown(chosen)}"
            )
        return self.prompts[chosen]
