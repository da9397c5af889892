"""The inputs of `Encoder.forward`, in any of their forms, as one batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import TokenizerError
from .batch import RaggedBatch, from_encodings, from_id_sequences, from_padded, is_padded
from .check import check_text, is_ordered

if TYPE_CHECKING:
    from tokenizers import Encoding

    from ..model.spec import EncoderSpec
    from .tokenizer import TextTokenizer

__all__ = ["Inputs", "read_inputs"]


@dataclass(frozen=True, slots=True)
class Inputs:
    """A batch, with the encodings of its texts if it was given as text."""

    batch: RaggedBatch
    encodings: list[Encoding] | None
    tokens_cut: NDArray[np.int64]
    """How many tokens of each text did not fit, (n,)."""


def read_inputs(inputs: object, spec: EncoderSpec, tokenizer: TextTokenizer | None) -> Inputs:
    """A text, texts, token id sequences, or ``(input_ids, attention_mask)``.

    Raises ``TypeError`` or ``ValueError`` naming the argument, and ``TokenizerError`` for text without a
    tokenizer.
    """
    if isinstance(inputs, str):
        inputs = [inputs]
    if is_padded(inputs):
        return _of_ids(from_padded(inputs, vocab=spec.embedding.vocab, max_positions=spec.max_positions))
    members = _members(inputs)
    if not members or not isinstance(members[0], str):
        return _of_ids(
            from_id_sequences(members, vocab=spec.embedding.vocab, max_positions=spec.max_positions)
        )
    if tokenizer is None:
        raise TokenizerError("forward: this encoder has no tokenizer, it takes only token ids")
    encodings = tokenizer.encode([check_text(x, f"forward: inputs[{i}]") for i, x in enumerate(members)])
    lost = np.array([tokenizer.tokens_cut(encoding) for encoding in encodings], dtype=np.int64)
    return Inputs(from_encodings(encodings, spec.embedding.vocab), encodings, lost)


def _of_ids(batch: RaggedBatch) -> Inputs:
    return Inputs(batch, None, np.zeros(len(batch), dtype=np.int64))


def _members(inputs: object) -> list[object]:
    """The members of a list of texts or of id sequences."""
    if not is_ordered(inputs):
        raise TypeError(
            "forward: inputs must be texts, a list of token id sequences, or a tuple (input_ids, "
            f"attention_mask), got {type(inputs).__name__}"
        )
    if len(getattr(inputs, "shape", ())) > 1:
        raise TypeError(
            "forward: a padded array of ids needs its mask: pass a tuple (input_ids, attention_mask)"
        )
    return list(inputs)
