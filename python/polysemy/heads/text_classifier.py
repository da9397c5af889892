"""`TextClassifier`: a label for every text."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arguments import positive
from ..model.heads import HeadKind
from .scores import sigmoid, softmax
from .task import Task

__all__ = ["TextClassifier"]


class TextClassifier(Task):
    """A sequence classifier on texts, called as transformers' pipeline "text-classification" is."""

    kind = HeadKind.SEQUENCE

    def __call__(self, inputs: object, *, top_k: int | None = 1) -> Any:
        """``{"label", "score"}`` of each text in a list, of a text alone in a list of one.

        With another ``top_k`` the list of its so many best labels, best first, of all with None. Scores are
        probabilities: of one label, where the model tells several apart that exclude each other, otherwise of each; a
        regression's are what the model gives.
        """
        texts, single = self._texts(inputs, "TextClassifier")
        count = len(self.labels) if top_k is None else positive(top_k, "TextClassifier: top_k")
        results = [self._labelled(row, count) for row in self.scores(texts)]
        if top_k == 1:
            return [result[0] for result in results]
        return results[0] if single else results

    def scores(self, texts: list[str]) -> NDArray[np.float32]:
        """A row of scores per text, (texts, labels) float32, in the order of ``labels``.

        Probabilities that add up to 1, or one of each label where the model's labels do not exclude each other, or the
        values of a regression. Raises ``TypeError`` or ``ValueError`` for what is no text.
        """
        logits = self._logits(texts, "TextClassifier")
        problem = self._config.text("problem_type", "")
        if problem == "regression" or not len(logits):
            return logits
        if problem == "multi_label_classification" or len(self.labels) == 1:
            return sigmoid(logits)
        return softmax(logits)

    def _labelled(self, row: NDArray[np.float32], count: int) -> list[dict[str, Any]]:
        best = np.argsort(-row, kind="stable")[:count]
        return [{"label": self.labels[i], "score": float(row[i])} for i in best]
