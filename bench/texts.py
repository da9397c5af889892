"""The texts of the benchmarks and their token ids."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int32]
TEXTS = Path(__file__).parent / "data" / "texts.txt"


def load(file: Path = TEXTS) -> list[str]:
    """The texts of a file, one per line: queries, sentences and paragraphs in the order in which they arrive."""
    return [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]


def token_ids(model: Path, texts: list[str], most: int) -> list[Ids]:
    """Ids with special tokens, cut to at most `most` tokens, by the checkpoint's own tokenizer."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(most)
    return [np.array(encoding.ids, dtype=np.int32) for encoding in tokenizer.encode_batch(texts)]


def uniform(ids: list[Ids], count: int, length: int) -> list[Ids]:
    """`count` sequences of exactly `length` tokens: the running text of `ids` between the special tokens."""
    first, last = ids[0][0], ids[0][-1]
    stream = np.concatenate([row[1:-1] for row in ids])
    body = np.resize(stream, (count, length - 2))
    return [np.concatenate([[first], row, [last]]).astype(np.int32) for row in body]
