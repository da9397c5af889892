"""`ZeroShotClassifier`: labels that a model of inference has never seen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arguments import flag
from ..compat import check_running
from ..errors import UnsupportedModelError
from ..model.heads import HeadKind
from ..text.check import check_text, check_texts
from .scores import softmax
from .task import Task

__all__ = ["ZeroShotClassifier"]


class ZeroShotClassifier(Task):
    """Whether a text entails that it is of a label, called as transformers' pipeline "zero-shot-classification" is.

    The model must tell entailment apart: one of its labels must begin with "entail".
    """

    kind = HeadKind.SEQUENCE

    def __call__(
        self,
        sequences: object,
        candidate_labels: str | Iterable[str],
        *,
        hypothesis_template: str = "This example is {}.",
        multi_label: bool = False,
        **others: object,
    ) -> Any:
        """``{"sequence", "labels", "scores"}``, labels by their score, best first; of a list of texts a list.

        ``candidate_labels`` is a list, or a str with commas between labels. ``hypothesis_template`` has ``{}`` for
        the label. With ``multi_label`` each label is judged alone, otherwise scores of a text add up to 1.
        """
        name = "ZeroShotClassifier"
        check_running(others, name)
        texts, single = self._texts(sequences, name, "sequences")
        labels = _labels(candidate_labels, f"{name}: candidate_labels")
        check_text(hypothesis_template, f"{name}: hypothesis_template")
        try:
            hypotheses = [hypothesis_template.format(label) for label in labels]
            missing = hypothesis_template.format("") == hypothesis_template.format(" ")
        except (LookupError, ValueError):
            missing = True
        if missing:
            raise ValueError(
                f"{name}: hypothesis_template must have {{}} for the label and no other braces, got "
                f"{hypothesis_template!r}"
            )
        entails = self._entailment()
        pairs = [(text, hypothesis) for text in texts for hypothesis in hypotheses]
        logits = self._logits(pairs, name).reshape(len(texts), len(labels), len(self.labels))
        if flag(multi_label, f"{name}: multi_label") or len(labels) == 1:
            other = -1 if entails == 0 else 0
            scores = softmax(logits[:, :, [other, entails]])[:, :, 1]
        else:
            scores = softmax(logits[:, :, entails])
        results = [_sorted(text, labels, row) for text, row in zip(texts, scores, strict=True)]
        return results[0] if single else results

    def _entailment(self) -> int:
        for i, label in enumerate(self.labels):
            if label.lower().startswith("entail"):
                return i
        raise UnsupportedModelError(
            f"ZeroShotClassifier: a label of the model must begin with 'entail', got {list(self.labels)[:10]}"
        )


def _labels(value: str | Iterable[str], name: str) -> list[str]:
    if isinstance(value, str):
        labels = [label.strip() for label in value.split(",") if label.strip()]
    else:
        labels = check_texts(value, name, wanted="a str or a list of str")
    if not labels:
        raise ValueError(f"{name} must have at least one label, got none")
    return labels


def _sorted(text: str, labels: list[str], scores: NDArray[np.float32]) -> dict[str, Any]:
    order = np.argsort(scores)[::-1]
    return {"sequence": text, "labels": [labels[i] for i in order], "scores": scores[order].tolist()}
