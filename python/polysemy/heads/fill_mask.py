"""`FillMask`: the tokens that a model expects in the place of its mask."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arguments import positive
from ..compat import check_running
from ..errors import TokenizerError
from ..model.heads import HeadKind
from ..text.check import check_texts, shortened
from .scores import softmax
from .task import Task

__all__ = ["FillMask"]


class FillMask(Task):
    """A masked language model, called as transformers' pipeline "fill-mask" is."""

    kind = HeadKind.MASKED

    @property
    def mask_token(self) -> str:
        """What stands for a missing token in a text. `TokenizerError` for a tokenizer that has none."""
        return self._tokenizer.token_of(self._mask())

    def __call__(
        self, inputs: object, *, top_k: int = 5, targets: str | Iterable[str] | None = None, **others: object
    ) -> Any:
        """The ``top_k`` best tokens for the mask: ``{"score", "token", "token_str", "sequence"}``, best first.

        Several masks in a text give a list for each. A list of texts gives a list, one of a single text the result
        of that text. ``targets`` are the only tokens that count, each a token of the vocabulary. Raises
        ``ValueError`` for a text without a mask.
        """
        name = "FillMask"
        check_running(others, name)
        texts, single = self._texts(inputs, name)
        mask, count = self._mask(), positive(top_k, f"{name}: top_k")
        among = None if targets is None else self._targets(targets)
        results: list[Any] = []
        for part in self._parts(texts, name):
            places = np.flatnonzero(part.batch.ids == mask)
            probabilities = self._probabilities(part.hidden[places])
            for i in range(len(part.texts)):
                rows = part.rows(i)
                mine = np.flatnonzero((places >= rows.start) & (places < rows.stop))
                if not len(mine):
                    raise ValueError(
                        f"{name}: a text must have {self.mask_token}, got {shortened(str(part.texts[i]))}"
                    )
                ids = part.batch.ids[rows]
                found = [
                    self._best(
                        ids, int(places[k]) - rows.start, probabilities[k], count, among, len(mine) == 1
                    )
                    for k in mine
                ]
                results.append(found[0] if len(found) == 1 else found)
        return results[0] if single or len(results) == 1 else results

    def _probabilities(self, hidden: NDArray[np.float32]) -> NDArray[np.float32]:
        assert self._head.vocabulary is not None  # of this kind
        return softmax(self._head.vocabulary(self._head(hidden, self._num_threads), self._num_threads))

    def _mask(self) -> int:
        number = self._tokenizer.roles.get("mask_token")
        if number is None:
            raise TokenizerError("FillMask: the tokenizer of this model names no mask token")
        return number

    def _targets(self, targets: str | Iterable[str]) -> NDArray[np.int64]:
        name = "FillMask: targets"
        given = check_texts(
            [targets] if isinstance(targets, str) else targets, name, wanted="a str or a list of str"
        )
        if not given:
            raise ValueError(f"{name} must have at least one token, got none")
        return np.array(sorted({self._tokenizer.single_token(token, name) for token in given}))

    def _best(
        self,
        ids: NDArray[np.int32],
        place: int,
        probabilities: NDArray[np.float32],
        count: int,
        among: NDArray[np.int64] | None,
        only: bool,
    ) -> list[dict[str, Any]]:
        tokens = np.arange(len(probabilities)) if among is None else among
        values = probabilities[tokens]
        best = np.argsort(-values, kind="stable")[:count]
        padding = self._tokenizer.roles.get("pad_token")
        results = []
        for token in tokens[best].tolist():
            filled = ids.copy()
            filled[place] = token
            kept = filled[filled != padding].tolist() if padding is not None else filled.tolist()
            results.append(
                {
                    "score": float(probabilities[token]),
                    "token": token,
                    "token_str": self._tokenizer.decode([token]),
                    "sequence": self._tokenizer.decode(kept, skip_special=only),
                }
            )
        return results
