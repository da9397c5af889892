"""`SparseTable`: sparse vectors without a transformer, of a weight for each token of the vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..encoding.losses import Losses
from ..errors import CheckpointError
from ..io.checkpoint import Checkpoint
from ..io.jsonfile import read_json_object
from ..io.pieces import Wanted
from ..record import record
from ..shown import shown
from ..text.chunks import text_chunks
from ..text.tokenizer import TextTokenizer
from ..util.sparse_rows import SparseRows

__all__ = ["SparseTable"]

# Of a token and its weight in a JSON file, several times those of the largest real vocabulary.
_JSON_BYTES = 1 << 25
# There are no positions to run out of: only the tokenizer's own limit counts.
_ANY_LENGTH = (1 << 31) - 1
_LARGEST = float(np.finfo(np.float32).max)


@record
class SparseTable:
    """What sentence-transformers calls a SparseStaticEmbedding: a text has the weights of its tokens."""

    tokenizer: TextTokenizer
    weights: NDArray[np.float32]

    @classmethod
    def from_folder(cls, folder: Path, width: int) -> SparseTable:
        """Read the weights of ``width`` tokens. Raises ``CheckpointError`` or ``TokenizerError``."""
        tokenizer = TextTokenizer.from_folder(
            folder, max_seq_length=None, max_positions=_ANY_LENGTH, special=False
        )
        settings = folder / "config.json"
        listed = read_json_object(settings).get("path")
        if listed is None:
            weights = _stored(folder, width)
        elif listed == "idf.json":
            weights = _listed(folder / listed, tokenizer, width)
        else:
            raise CheckpointError(f"{settings}: path must be 'idf.json' or null, got {shown(listed)}")
        return cls(tokenizer, weights)

    def rows(self, texts: Sequence[str], prompt: str, method: str, num_threads: int) -> SparseRows:
        """A row per text, of the tokens that are in it."""
        losses, found = Losses(), []
        for chunk in text_chunks(texts, prompt, name=f"{method}: inputs"):
            for encoding in self.tokenizer.encode(chunk, spans=False, num_threads=num_threads):
                losses.add(np.array([self.tokenizer.tokens_cut(encoding)]))
                ids = np.unique(np.array(encoding.ids, dtype=np.int32))
                found.append(ids[self.weights[ids] != 0])
        losses.warn(method, self.tokenizer.max_length)
        columns = np.concatenate([np.empty(0, np.int32), *found])
        starts = np.cumsum([0, *map(len, found)], dtype=np.int64)
        return SparseRows(self.weights[columns], columns, starts, (len(texts), len(self.weights)))


def _stored(folder: Path, width: int) -> NDArray[np.float32]:
    with Checkpoint(folder) as checkpoint:
        if checkpoint.shapes != {"weight": (width,)}:
            raise CheckpointError(
                f"checkpoint {folder}: it must hold weight with shape {(width,)} and nothing else, got "
                f"{shown(checkpoint.shapes)}"
            )
        checkpoint.load(Wanted(["weight"]))
    return np.array(checkpoint.read("weight").float32(), dtype=np.float32)


def _listed(source: Path, tokenizer: TextTokenizer, width: int) -> NDArray[np.float32]:
    weights = np.zeros(width, dtype=np.float32)
    for token, value in read_json_object(source, _JSON_BYTES).items():
        number = tokenizer.number_of(token)
        if number is None or not 0 <= number < width:
            raise CheckpointError(f"{source}: {shown(token)} must be a token of the vocabulary")
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise CheckpointError(f"{source}: a weight must be a number, got {shown(value)}")
        weights[number] = value if abs(value) <= _LARGEST else np.inf
    if not np.isfinite(weights).all():
        raise CheckpointError(f"{source}: weights must be finite float32 numbers")
    return weights
