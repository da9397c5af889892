"""Which files a model was read from, and what they hash to: two models with one fingerprint give the same vectors."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ..errors import CheckpointError
from .files import Read, is_there, reads

__all__ = ["Footprint", "footprint"]


@contextmanager
def footprint(folder: Path) -> Iterator[Footprint]:
    """Notes every file that is read in this context."""
    found = Footprint(folder)
    token = reads.set(found.reads)
    try:
        yield found
    finally:
        reads.reset(token)


class Footprint:
    """The files that decide what a model gives: its configuration, tokenizer, pooling and weights."""

    __slots__ = ("folder", "reads")

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.reads: list[Read] = []

    def hashes(self) -> dict[str, str]:
        """sha256 by name in the folder. Large files are hashed when this is called for the first time.

        Raises ``CheckpointError`` for a large file that was changed since it was read.
        """
        return {read.path.relative_to(self.folder).as_posix(): read.sha256() for read in self.reads}

    def fingerprint(self) -> str:
        """One sha256 for all of them and their names."""
        lines = [f"{name}\0{digest}\n" for name, digest in sorted(self.hashes().items())]
        return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()

    def check(self, published: Mapping[str, str]) -> None:
        """Raise ``CheckpointError`` unless only such files were read, with these hashes, and none is missing."""
        found = self.hashes()
        for name in sorted(found.keys() | published.keys()):
            unread = name not in found and is_there(self.folder / name)
            if found.get(name) != published.get(name) and not unread:
                raise CheckpointError(
                    f"{self.folder / name} is not the published file: its sha256 must be "
                    f"{published.get(name, 'that of no file')}, got {found.get(name, 'no file')}"
                )
