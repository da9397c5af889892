"""Another limit for the length of texts than the one a model comes with."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from ..arguments import positive
from .losses import frames_inside

if TYPE_CHECKING:
    from ..model.spec import EncoderSpec
    from ..text.tokenizer import TextTokenizer

__all__ = ["with_length"]


def with_length(tokenizer: TextTokenizer, length: object, spec: EncoderSpec, method: str) -> TextTokenizer:
    """The tokenizer for texts of up to ``length`` tokens, special tokens included.

    Warns where the model is set up for less: it was not trained for more. Raises ``TypeError``, and ``ValueError`` for
    more than the model has positions, or fewer than the special tokens of a text.
    """
    name = f"{method}: max_seq_length"
    wanted = positive(length, name, most=spec.max_positions)
    if wanted > tokenizer.max_length:
        warnings.warn(
            f"{name} is raised from {tokenizer.max_length} to {wanted}: this model was made for texts of up to "
            f"{tokenizer.max_length} tokens, and vectors of longer ones may be worse",
            UserWarning,
            stacklevel=frames_inside(),
        )
    return tokenizer if wanted == tokenizer.max_length else tokenizer.limited(wanted, name)
