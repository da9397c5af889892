"""Arguments of sentence-transformers that mean nothing here: accepted where results are the same, else refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

__all__ = ["DOCUMENT_PROMPTS", "Comparing", "Compatible", "check_device", "refuse_unknown"]

Model = TypeVar("Model", bound="Compatible")

# Names that models give to their prompt for documents, the usual one first.
DOCUMENT_PROMPTS = ("document", "passage", "corpus")
# What changes nothing about a result here, and the values that ask for nothing else.
_WITHOUT_EFFECT: dict[str, tuple[object, ...]] = {
    "backend": ("torch",),
    "trust_remote_code": (True, False, None),  # no code beside a checkpoint is ever run
    "model_kwargs": (None, {}),
    "tokenizer_kwargs": (None, {}),
    "processor_kwargs": (None, {}),
    "config_kwargs": (None, {}),
    "automodel_args": (None, {}),
    "model_card_data": (None,),
    "modules": (None,),
    "pool": (None,),
    "chunk_size": (None,),
    "save_to_cpu": (True, False),
}


def check_device(device: object, name: str) -> None:
    """None or the CPU, by name or as torch's object. ``ValueError`` for any other device."""
    if device is None or (isinstance(device, (list, tuple)) and not device):
        return
    if str(device).partition(":")[0] != "cpu":
        raise ValueError(f"{name}: device must be 'cpu', got {device!s:.60}")


def refuse_unknown(others: Mapping[str, object], name: str) -> None:
    """Raise for arguments that would change something. ``TypeError`` for names that nobody knows."""
    for argument, value in others.items():
        if argument not in _WITHOUT_EFFECT:
            raise TypeError(f"{name}: got an unexpected argument {argument!r}")
        if value not in _WITHOUT_EFFECT[argument]:
            raise ValueError(f"{name}: {argument} is not supported here, got {value!s:.100}")


class _Card:
    """What evaluators write their results to."""

    def set_evaluation_metrics(
        self, evaluator: object, metrics: object, epoch: int = 0, step: int = 0
    ) -> None:
        """Nothing: no model is published from here."""


class Compatible:
    """What models of sentence-transformers have beside the methods that compute something."""

    model_card_data = _Card()

    @property
    def device(self) -> str:
        """Always the CPU."""
        return "cpu"

    def eval(self: Model) -> Model:
        """Nothing: there is no training here."""
        return self

    def to(self: Model, device: object) -> Model:
        """The same model. ``ValueError`` for a device that is no CPU."""
        check_device(device, "to")
        return self


class Comparing(Compatible):
    """A model whose vectors are compared, by one of several functions."""

    _similarities: ClassVar[Mapping[str, Any]]
    """Name -> the function for all pairs, and that for pairs of rows."""
    _similarity: str

    @property
    def similarity_fn_name(self) -> str:
        """Which function `similarity` is, by name."""
        return self._similarity

    @similarity_fn_name.setter
    def similarity_fn_name(self, name: str) -> None:
        name = getattr(name, "value", name)
        if name not in self._similarities:
            raise ValueError(
                f"{type(self).__name__}: similarity_fn_name must be one of {', '.join(self._similarities)}, "
                f"got {name!r}"
            )
        self._similarity = name

    def _choose_similarity(self, asked: str | None, saved: str | None, default: str) -> None:
        """What a folder says counts where it names one for this kind of vectors."""
        self.similarity_fn_name = asked or (saved if saved in self._similarities else None) or default
