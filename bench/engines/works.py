"""The pieces of work that every engine gets, and the ways to cut them into batches."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from bench.texts import Ids, uniform

ALONE = (8, 16, 32, 64, 128, 256, 512)
BATCHES = ((8, 32), (32, 128), (8, 512))
RAGGED = (64, 256)
SORTED = (1, 8, 32, 64)
TRUNCATION = 256

UNIFORM_NAMES = [f"1x{n}" for n in ALONE] + [f"{b}x{n}" for b, n in BATCHES]
RAGGED_NAMES = [f"ragged-{n}" for n in RAGGED]


@dataclass(frozen=True, slots=True)
class Work:
    name: str
    ids: list[Ids]
    ragged: bool

    @property
    def lengths(self) -> list[int]:
        return [len(row) for row in self.ids]

    def sizes(self, ours: bool) -> list[int]:
        """Batch sizes to try, sorted by length; 0 is everything in one batch in arrival order."""
        # Sorting within one batch of all changes nothing but the order.
        return [0, *(size for size in SORTED if size < len(self.ids))] if self.ragged and not ours else [0]


def parse(name: str) -> tuple[int, int]:
    """Sequences and their length, 0 for texts as they come. Raises ValueError for what is no name of a work."""
    if match := re.fullmatch(r"ragged-([1-9]\d*)", name):
        return int(match[1]), 0
    match = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", name)
    if match is None or int(match[2]) <= 2:  # a text has two special tokens
        raise ValueError(f"work {name}: expected BATCHxLENGTH (8x32) or ragged-COUNT (ragged-64)")
    return int(match[1]), int(match[2])


def make(name: str, text_ids: list[Ids]) -> Work:
    """A work by name: `8x32` is 8 sequences of 32 tokens, `ragged-64` the first 64 texts as they come."""
    count, length = parse(name)
    if length:
        return Work(name, uniform(text_ids, count, length), False)
    return Work(name, text_ids[:count], True)


def cut(lengths: list[int], size: int) -> list[list[int]]:
    """Indices of the sequences of each batch; longest first when sorted, as sentence-transformers does it."""
    if size == 0:
        return [list(range(len(lengths)))]
    order = [int(i) for i in np.argsort([-n for n in lengths], kind="stable")]
    return [order[i : i + size] for i in range(0, len(order), size)]
