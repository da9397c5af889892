"""Arguments of sentence-transformers that mean nothing here: accepted where results are the same, else refused."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

from .arguments import check_device, is_one_of, whole
from .shown import shown
from .text.check import check_text, is_ordered, members

__all__ = [
    "Comparing",
    "Compatible",
    "Prompting",
    "check_running",
    "refuse_unknown",
]

Model = TypeVar("Model", bound="Compatible")

# Names that models give to their prompts for queries and for documents, the usual ones first.
_QUERY_PROMPTS = ("query",)
_DOCUMENT_PROMPTS = ("document", "passage", "corpus")
# What `start_multi_process_pool` gives: threads are already at work.
_POOL: dict[str, Any] = {"input": None, "output": None, "processes": []}
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
    "tokenizer_args": (None, {}),
    "config_args": (None, {}),
    "processing_kwargs": (None, {}),
    "use_auth_token": (None,),
    "token_pooling": (None,),
    "pool": (None, _POOL),
}
# Numbers of processes and of what they take at a time, and the least of each. No worker is none beside this process.
_SIZES = {"chunk_size": 1, "num_workers": 0}


def refuse_unknown(others: Mapping[str, object], name: str) -> None:
    """Raise for arguments that would change something. ``TypeError`` for names that nobody knows."""
    for argument, value in others.items():
        if argument in _SIZES:
            _check_size(argument, value, name)
        elif argument not in _WITHOUT_EFFECT:
            raise TypeError(f"{name}: got an unexpected argument {argument!r}")
        elif not _is_among(value, _WITHOUT_EFFECT[argument]):
            raise ValueError(f"{name}: {argument} is not supported here, got {value!s:.100}")


def check_running(others: Mapping[str, object], name: str) -> None:
    """Arguments of transformers' pipelines that say how they run: without effect here.

    ``TypeError`` for others, ``ValueError`` for values that would change something: texts are always cut.
    """
    for argument, value in others.items():
        if argument not in ("batch_size", "num_workers", "truncation"):
            raise TypeError(f"{name}: got an unexpected argument {argument!r}")
        if argument == "truncation":
            if not _is_among(value, (True, None, "longest_first")):
                raise ValueError(f"{name}: truncation must be True, got {shown(value)}")
        else:
            _check_size(argument, value, name)


def _is_among(value: object, known: tuple[object, ...]) -> bool:
    """Whether it equals one of these plain values, where it can be compared: arrays can't."""
    return isinstance(value, (bool, int, float, str, dict, type(None))) and value in known


def _check_size(argument: str, value: object, name: str) -> None:
    if value is not None:
        whole(value, f"{name}: {argument}", least=_SIZES.get(argument, 1))


class _Card:
    """What evaluators write their results to."""

    def set_evaluation_metrics(
        self, evaluator: object, metrics: object, epoch: int = 0, step: int = 0
    ) -> None:
        """Nothing: no model is published from here."""


class Compatible:
    """What models of sentence-transformers have beside the methods that compute something."""

    model_card_data = _Card()
    max_seq_length: Any

    @property
    def device(self) -> str:
        """Always the CPU."""
        return "cpu"

    def get_max_seq_length(self) -> int:
        """The same as ``max_seq_length``."""
        length: int = self.max_seq_length
        return length

    def evaluate(self, evaluator: Any, output_path: str | None = None) -> Any:
        """What an evaluator of sentence-transformers says of this model."""
        if output_path is not None:
            os.makedirs(output_path, exist_ok=True)
        return evaluator(self, output_path)

    def start_multi_process_pool(self, target_devices: Any = None) -> dict[str, Any]:
        """What ``pool`` arguments take. No process is started: the threads of this one are at work anyway."""
        check_device(target_devices, "start_multi_process_pool")
        return {**_POOL, "processes": []}

    @staticmethod
    def stop_multi_process_pool(pool: Any) -> None:
        """Nothing: no process was started."""

    def eval(self: Model) -> Model:
        """Nothing: there is no training here."""
        return self

    def to(self: Model, device: object) -> Model:
        """The same model. ``ValueError`` for a device that is no CPU."""
        check_device(device, "to")
        return self

    def cpu(self: Model) -> Model:
        """The same model."""
        return self


class Prompting(Compatible):
    """A model with texts to put before its inputs, by name."""

    prompts: dict[str, str]
    """May be changed, as may ``default_prompt_name``."""
    default_prompt_name: str | None

    def _take_prompts(
        self,
        saved: Mapping[str, str],
        saved_default: str | None,
        given: Mapping[str, str | None] | None,
        default: str | None,
        *,
        empty: tuple[str, ...] = ("query", "document"),
    ) -> None:
        """Those of a folder, and those given, which win. Those of ``empty`` are there in any case."""
        name = type(self).__name__
        if given is not None and not isinstance(given, Mapping):
            raise TypeError(f"{name}: prompts must be a dict of str, got {type(given).__name__}")
        ours = {
            key: check_text(text, f"{name}: prompts[{key!r}]")
            for key, text in (given or {}).items()
            if text is not None
        }
        self.prompts = dict.fromkeys(empty, "") | dict(saved) | ours
        self.default_prompt_name = default or saved_default
        if self.default_prompt_name is not None and self.default_prompt_name not in self.prompts:
            raise ValueError(
                f"{name}: default_prompt_name must be one of {sorted(self.prompts)}, got "
                f"{shown(self.default_prompt_name)}"
            )

    def _prompt(self, text: str | None, name: str | None, method: str) -> str:
        """The text to put before each input. As in sentence-transformers, ``text`` wins over a name."""
        if text is not None:
            return check_text(text, f"{method}: prompt")
        name = self.default_prompt_name if name is None else name
        if name is None:
            return ""
        if not is_one_of(name, self.prompts):
            raise ValueError(
                f"{method}: prompt_name must be one of {sorted(self.prompts)}, got {shown(name)}"
            )
        return check_text(self.prompts[name], f"{method}: prompts[{name!r}]")


class Comparing(Prompting):
    """A model that gives vectors of queries and of documents, and compares them by one of several functions."""

    encode: Callable[..., Any]
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
        if not is_one_of(name, self._similarities):
            raise ValueError(
                f"{type(self).__name__}: similarity_fn_name must be one of {', '.join(self._similarities)}, "
                f"got {shown(name)}"
            )
        self._similarity = name

    def encode_query(
        self,
        inputs: Any = None,
        prompt_name: str | None = None,
        prompt: str | None = None,
        *further: Any,
        **others: Any,
    ) -> Any:
        """As `encode` with the task "query", and with the model's prompt for queries unless the call has one."""
        prompt_name = self._prompt_for(_QUERY_PROMPTS, prompt, prompt_name)
        return self.encode(inputs, prompt_name, prompt, *further, task="query", **others)

    def encode_document(
        self,
        inputs: Any = None,
        prompt_name: str | None = None,
        prompt: str | None = None,
        *further: Any,
        **others: Any,
    ) -> Any:
        """As `encode` with the task "document", and with the model's prompt for documents unless the call has one."""
        prompt_name = self._prompt_for(_DOCUMENT_PROMPTS, prompt, prompt_name)
        return self.encode(inputs, prompt_name, prompt, *further, task="document", **others)

    @staticmethod
    def _given(inputs: object, sentences: object = None) -> object:
        """The inputs of `encode`, under their own or their older name. ``{"text": ...}`` stands for its text."""
        if (inputs is None) == (sentences is None):
            raise TypeError("encode: texts must be given once, as inputs")
        given = inputs if sentences is None else sentences
        if is_ordered(given) and not isinstance(given, str):
            return [_unwrapped(item) for item in members(given)]
        return _unwrapped(given)

    def _prompt_for(self, names: tuple[str, ...], text: str | None, name: str | None) -> str | None:
        """The name of a prompt: the first of ``names`` that the model has, unless the call has one."""
        if name is None and text is None:
            name = next((each for each in names if each in self.prompts), None)
        return name

    def _choose_similarity(self, asked: str | None, saved: str | None, default: str) -> None:
        """What a folder says counts where it names one for this kind of vectors."""
        self.similarity_fn_name = asked or (saved if saved in self._similarities else None) or default


def _unwrapped(item: object) -> object:
    """sentence-transformers names the kind of an input so, among several kinds."""
    return item["text"] if isinstance(item, dict) and item.keys() == {"text"} else item
