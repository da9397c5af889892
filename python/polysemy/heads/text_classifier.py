"""`TextClassifier`: a label for every text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arguments import is_one_of, positive
from ..compat import check_running
from ..model.heads import HeadKind
from ..shown import shown
from ..text.check import Text, check_text, check_texts, is_ordered, members
from .scores import Scores, sigmoid, softmax
from .task import Task

__all__ = ["TextClassifier"]

_FUNCTIONS: dict[str, Scores] = {
    "softmax": softmax,
    "sigmoid": sigmoid,
    "none": lambda logits: logits,
}


class TextClassifier(Task):
    """A sequence classifier on texts, called as transformers' pipeline "text-classification" is."""

    kind = HeadKind.SEQUENCE

    def __call__(
        self,
        inputs: object,
        *,
        top_k: int | str | None = "",
        function_to_apply: str | None = None,
        **others: object,
    ) -> Any:
        """``{"label", "score"}`` of each text in a list, of a text alone in a list of one.

        With ``top_k`` the list of its so many best labels, best first, of all with None. ``{"text", "text_pair"}`` is
        a pair of texts. Scores are probabilities: of one label, where the model tells several apart that exclude each
        other, otherwise of each; a regression's are what the model gives. ``function_to_apply`` is "softmax",
        "sigmoid" or "none" instead. ``batch_size`` and other arguments of a pipeline that say how it runs have no
        effect.
        """
        check_running(others, "TextClassifier")
        pair = isinstance(inputs, Mapping)
        texts, single = _given([inputs] if pair else inputs), isinstance(inputs, str)
        best = isinstance(top_k, str) and not top_k
        count = 1 if best else len(self.labels) if top_k is None else positive(top_k, "TextClassifier: top_k")
        results = [self._labelled(row, count) for row in self._scores(texts, function_to_apply)]
        if best:
            return results[0][0] if pair else [result[0] for result in results]
        return results[0] if single or pair else results

    def scores(self, texts: Iterable[str]) -> NDArray[np.float32]:
        """A row of scores per text, (texts, labels) float32, in the order of ``labels``.

        Probabilities that add up to 1, or one of each label where the model's labels do not exclude each other, or the
        values of a regression. Raises ``TypeError`` or ``ValueError`` for what is no text.
        """
        return self._scores(check_texts(texts, "TextClassifier: texts"), None)

    def _scores(self, texts: Sequence[Text], function: str | None) -> NDArray[np.float32]:
        if function is not None and not is_one_of(function, _FUNCTIONS):
            raise ValueError(
                f"TextClassifier: function_to_apply must be one of {', '.join(_FUNCTIONS)}, got {shown(function)}"
            )
        logits = self._logits(texts, "TextClassifier")
        if function is not None:
            return _FUNCTIONS[function](logits) if len(logits) else logits
        problem = self._config.text("problem_type", "")
        if problem == "regression" or not len(logits):
            return logits
        if problem == "multi_label_classification" or len(self.labels) == 1:
            return sigmoid(logits)
        return softmax(logits)

    def _labelled(self, row: NDArray[np.float32], count: int) -> list[dict[str, Any]]:
        best = np.argsort(-row, kind="stable")[:count]
        return [{"label": self.labels[i], "score": float(row[i])} for i in best]


def _given(inputs: object) -> list[Text]:
    if isinstance(inputs, str):
        return [check_text(inputs, "TextClassifier: inputs")]
    if not is_ordered(inputs):
        raise TypeError(f"TextClassifier: inputs must be a str or a list of str, got {type(inputs).__name__}")
    return [_text_or_pair(item, f"TextClassifier: inputs[{i}]") for i, item in enumerate(members(inputs))]


def _text_or_pair(item: object, name: str) -> Text:
    if not isinstance(item, Mapping):
        return check_text(item, name)
    if not {"text"} <= {*item} <= {"text", "text_pair"}:
        raise ValueError(f"{name} must have the keys text and text_pair, got {shown([*item])}")
    text = check_text(item["text"], f"{name}: text")
    return (text, check_text(item["text_pair"], f"{name}: text_pair")) if "text_pair" in item else text
