"""`CrossEncoder`: scores of pairs of texts that a model reads together."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arguments import check_device, flag, positive, switch
from ..compat import Prompting, refuse_unknown
from ..model.heads import HeadKind
from ..shown import shown
from ..text.check import Text, check_text, check_texts, is_ordered, members
from ..util.vectors import as_tensor
from .scores import Scores, activation_named, as_activation, softmax
from .task import Task

__all__ = ["CrossEncoder"]

Floats = NDArray[np.float32]

# What `rank` took once, for `predict`; its results are floats in any case.
_OF_PREDICT = ("apply_softmax", "convert_to_numpy", "convert_to_tensor")


class CrossEncoder(Task, Prompting):
    """A sequence classifier on pairs of texts, with the signature of sentence-transformers' class.

    ``device`` may be None or "cpu". ``activation_fn`` replaces what the model says about its scores: a function of
    an array (n, labels), or an object of torch.nn. Without a word in the model, one label has a sigmoid and several
    have none. Raises `ModelNotFoundError`, `UnsupportedModelError`, `CheckpointError` or `TokenizerError`.
    """

    kind = HeadKind.SEQUENCE

    def __init__(
        self,
        model_name_or_path: str | os.PathLike[str],
        *,
        device: object = None,
        prompts: Mapping[str, str] | None = None,
        default_prompt_name: str | None = None,
        activation_fn: object = None,
        max_length: int | None = None,
        num_labels: int | None = None,
        num_threads: int | None = None,
        mmap: bool = False,
        revision: str | None = None,
        cache_folder: str | os.PathLike[str] | None = None,
        local_files_only: bool = False,
        token: str | bool | None = None,
        **others: object,
    ) -> None:
        check_device(device, "CrossEncoder")
        refuse_unknown(others, "CrossEncoder")
        super().__init__(
            model_name_or_path, max_length=max_length, num_threads=num_threads, mmap=mmap, revision=revision,
            cache_folder=cache_folder, local_files_only=local_files_only, token=token,
        )  # fmt: skip
        if num_labels is not None and num_labels != self.num_labels:
            raise ValueError(
                f"CrossEncoder: num_labels must be {self.num_labels}, as the model has it, got {shown(num_labels)}"
            )
        self._take_prompts(
            self._card.prompts, self._card.default_prompt, prompts, default_prompt_name, empty=()
        )
        self.activation_fn = activation_fn

    @property
    def activation_fn(self) -> Scores:
        """What is made of the model's scores, a function of an array. May be set; None is what the model says."""
        return self._activation

    @activation_fn.setter
    def activation_fn(self, value: object) -> None:
        self._activation = (
            self._own_activation() if value is None else as_activation(value, "CrossEncoder: activation_fn")
        )

    @property
    def max_length(self) -> int:
        """The same as ``max_seq_length``."""
        return self.max_seq_length

    @max_length.setter
    def max_length(self, length: int) -> None:
        self.max_seq_length = length

    def _own_activation(self) -> Scores:
        config = self._config
        names = (
            self._sentence.activation,
            config.section("sentence_transformers").text("activation_fn", ""),
            config.text("sbert_ce_default_activation_function", ""),
        )
        path = next((name for name in names if name), None)
        if path is None:
            path = "torch.nn.Sigmoid" if len(self.labels) == 1 else "torch.nn.Identity"
        return activation_named(path, config.source)

    @property
    def num_labels(self) -> int:
        """How many scores a pair has."""
        return len(self.labels)

    def predict(
        self,
        inputs: Any = None,
        prompt_name: str | None = None,
        prompt: str | None = None,
        batch_size: int = 32,
        show_progress_bar: bool | None = None,
        activation_fn: object = None,
        apply_softmax: bool | None = False,
        convert_to_numpy: bool = True,
        convert_to_tensor: bool = False,
        device: object = None,
        *,
        sentences: Any = None,
        **others: object,
    ) -> Any:
        """The scores of pairs: (n,) float32 for a model of one label, (n, labels) for others.

        ``inputs`` is a list of pairs, each a list or tuple of two texts, or one pair, whose score has no first axis.
        ``apply_softmax`` makes probabilities of several labels. ``batch_size`` has no effect; the scores of a pair
        are the same whatever the other pairs are. ``convert_to_tensor`` gives a tensor of
        torch, ``convert_to_numpy=False`` a list of them.
        """
        check_device(device, "predict")
        activation_fn = others.pop("activation_fct", activation_fn)  # its older name
        refuse_unknown(others, "predict")
        positive(batch_size, "predict: batch_size")
        if (inputs is None) == (sentences is None):
            raise TypeError("predict: pairs must be given once, as inputs")
        pairs, single = _pairs(inputs if sentences is None else sentences)
        scores = self._logits(
            pairs, "predict", prompt=self._prompt(prompt, prompt_name, "predict"),
            show_progress=bool(switch(show_progress_bar, "predict: show_progress_bar")),
        )  # fmt: skip
        if len(scores):
            chosen = (
                self._activation
                if activation_fn is None
                else as_activation(activation_fn, "predict: activation_fn")
            )
            scores = chosen(scores)
        result = scores[:, 0] if self.num_labels == 1 else scores
        if apply_softmax and result.ndim > 1:
            result = softmax(result)
        if convert_to_tensor or not convert_to_numpy:
            made = as_tensor(result, "predict: convert_to_tensor")
            return made[0] if single else made if convert_to_tensor else list(made)
        return result[0] if single else result

    def rank(
        self,
        query: str,
        documents: Iterable[str],
        top_k: int | None = None,
        return_documents: bool = False,
        prompt_name: str | None = None,
        prompt: str | None = None,
        batch_size: int = 32,
        show_progress_bar: bool | None = None,
        activation_fn: object = None,
        device: object = None,
        **others: object,
    ) -> list[dict[str, Any]]:
        """Documents by their score with the query, best first: ``corpus_id``, ``score``, and ``text`` if asked for.

        For models of one label. ``top_k`` None keeps all. Of equal scores the earlier document comes first, NaN comes
        last.
        """
        activation_fn = others.pop("activation_fct", activation_fn)  # its older name
        refuse_unknown({name: others[name] for name in others if name not in _OF_PREDICT}, "rank")
        if self.num_labels != 1:
            raise ValueError(
                f"rank: the model must have 1 label, this one has {self.num_labels}; use predict"
            )
        most = None if top_k is None else positive(top_k, "rank: top_k")
        with_text = flag(return_documents, "rank: return_documents")
        texts = check_texts(documents, "rank: documents")
        scores = self.predict(
            [(check_text(query, "rank: query"), text) for text in texts],
            prompt_name=prompt_name,
            prompt=prompt,
            batch_size=batch_size,
            show_progress_bar=show_progress_bar,
            activation_fn=activation_fn,
            device=device,
        )
        order = np.argsort(-scores.astype(np.float64), kind="stable")[:most]
        return [
            {"corpus_id": i, "score": float(scores[i])} | ({"text": texts[i]} if with_text else {})
            for i in order.tolist()
        ]


def _pairs(inputs: object) -> tuple[list[Text], bool]:
    """Pairs, or texts alone, as tuples and str; and whether it was one that was no list."""
    if isinstance(inputs, str):
        return [check_text(inputs, "predict: inputs")], True
    given: Any = inputs
    if getattr(inputs, "ndim", 0) == 2 and hasattr(inputs, "tolist"):  # an array: a table has none
        given = given.tolist()
    if not is_ordered(given):
        raise TypeError(f"predict: inputs must be a list of pairs, got {type(inputs).__name__}")
    items = [*members(given)]
    if items and isinstance(items[0], str):
        return [_pair(items, "predict: inputs")], True
    return [_pair(item, f"predict: inputs[{i}]") for i, item in enumerate(items)], False


def _pair(item: object, name: str) -> Text:
    if isinstance(item, str):
        return check_text(item, name)
    if not isinstance(item, (list, tuple)) or len(item) != 2:
        count = f" of {len(item)}" if isinstance(item, (list, tuple)) else ""
        raise TypeError(
            f"{name} must be a pair, a list or tuple of two texts, got {type(item).__name__}{count}"
        )
    return check_text(item[0], f"{name}[0]"), check_text(item[1], f"{name}[1]")
