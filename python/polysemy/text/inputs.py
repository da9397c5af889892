"""Text to batch, and the inputs of `Encoder.forward` in any of their forms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import TokenizerError
from ..record import record
from .batch import RaggedBatch, from_encodings, from_id_sequences, from_padded, is_padded
from .check import Text, check_text_or_pair, count_dimensions, is_ordered, is_textual, members

if TYPE_CHECKING:
    from ..model.spec import EncoderSpec
    from .pairs import Encoded
    from .tokenizer import TextTokenizer

__all__ = ["Inputs", "from_encoded", "read_inputs", "read_texts"]


@record
class Inputs:
    """A batch, with the encodings of its texts if it was given as text."""

    batch: RaggedBatch
    encodings: list[Encoded] | None
    tokens_cut: NDArray[np.int64]
    """How many tokens of each text did not fit, (n,)."""


def read_texts(
    texts: Sequence[Text],
    spec: EncoderSpec,
    tokenizer: TextTokenizer,
    *,
    spans: bool = True,
    num_threads: int = 0,
) -> Inputs:
    """Texts and pairs of texts as a batch. ``spans=False`` leaves out where tokens stand in the texts.

    Raises ``TokenizerError`` where the tokenizer fails or does not belong to the model.
    """
    encodings = tokenizer.encode(texts, spans=spans, num_threads=num_threads)
    lost = np.array([tokenizer.tokens_cut(encoding) for encoding in encodings], dtype=np.int64)
    return from_encoded(encodings, spec, lost)


def from_encoded(
    encodings: list[Encoded], spec: EncoderSpec, lost: NDArray[np.int64] | None = None
) -> Inputs:
    """Encodings as a batch for a model; ``lost`` tokens of each did not fit, None means none."""
    batch = from_encodings(encodings, vocab=spec.embedding.vocab, token_types=spec.embedding.token_types)
    return Inputs(batch, encodings, np.zeros(len(batch), np.int64) if lost is None else lost)


def read_inputs(
    inputs: object, spec: EncoderSpec, tokenizer: TextTokenizer | None, *, num_threads: int = 0
) -> Inputs:
    """A text, texts and pairs of them, token id sequences, or ``(input_ids, attention_mask)``.

    Raises ``TypeError`` or ``ValueError`` naming the argument, and ``TokenizerError`` for text without a
    tokenizer.
    """
    if isinstance(inputs, str):
        inputs = [inputs]
    if is_padded(inputs):
        return _of_ids(from_padded(inputs, vocab=spec.embedding.vocab, max_positions=spec.max_positions))
    items = _members(inputs)
    if not items or not is_textual(items[0]):
        return _of_ids(from_id_sequences(items, vocab=spec.embedding.vocab, max_positions=spec.max_positions))
    if tokenizer is None:
        raise TokenizerError("forward: this encoder has no tokenizer, it takes only token ids")
    texts = [check_text_or_pair(item, f"forward: inputs[{i}]") for i, item in enumerate(items)]
    return read_texts(texts, spec, tokenizer, num_threads=num_threads)


def _of_ids(batch: RaggedBatch) -> Inputs:
    return Inputs(batch, None, np.zeros(len(batch), dtype=np.int64))


def _members(inputs: object) -> list[object]:
    """The members of a list of texts or of id sequences."""
    if isinstance(inputs, list):
        return inputs
    if hasattr(inputs, "dtype") and (count_dimensions(inputs) or 0) > 1:
        raise TypeError(
            "forward: inputs must have a mask where they are a padded array of ids: pass a tuple (input_ids, "
            "attention_mask)"
        )
    if not is_ordered(inputs):
        raise TypeError(
            "forward: inputs must be texts, a list of token id sequences, or a tuple (input_ids, "
            f"attention_mask), got {type(inputs).__name__}"
        )
    return [*members(inputs)]
