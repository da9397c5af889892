"""`polysemy encode`: a text per line in, a vector per text out."""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from ..encoder import Encoder
from .lines import Texts, open_texts
from .outfile import check_writable, ends_cleanly, replacing

__all__ = ["run"]

Floats = NDArray[np.float32]

_FORMATS = {".npy": "npy", ".jsonl": "jsonl", ".txt": "txt"}


def run(arguments: argparse.Namespace) -> int:
    """Check everything that can be checked without work, load the model, encode, deliver."""
    output: Path | None = None if arguments.output in (None, Path("-")) else arguments.output
    kind = _output_format(arguments.format, output)
    if output is not None:
        check_writable(output)
        if arguments.file != "-" and output.exists() and output.samefile(arguments.file):
            raise ValueError(f"{output}: the output would take the place of the input")
    texts = open_texts(arguments.file)
    encoder = Encoder.from_pretrained(arguments.model, num_threads=arguments.threads)
    if arguments.truncate_dim is not None and arguments.truncate_dim > encoder.dim:
        raise ValueError(f"--truncate-dim must be at most {encoder.dim} here, got {arguments.truncate_dim}")
    with ends_cleanly(), _delivered(output) as target:
        if kind == "npy":
            _fill(target, encoder, texts, arguments)
        else:
            with tempfile.TemporaryDirectory() as folder:
                vectors = _fill(Path(folder) / "vectors.npy", encoder, texts, arguments)
                with target.open("wb") as file:
                    _write_rows(file, vectors, kind)
    return 0


def _output_format(asked: str | None, output: Path | None) -> str:
    if output is None:
        if asked == "npy" and sys.stdout.isatty():
            raise ValueError("a NumPy array can't be shown on a terminal: use -o, or --format jsonl")
        return asked or "jsonl"
    found = asked or _FORMATS.get(output.suffix.lower())
    if found is None:
        raise ValueError(f"{output}: the ending must be one of {', '.join(_FORMATS)}, or give --format")
    return found


@contextlib.contextmanager
def _delivered(output: Path | None) -> Iterator[Path]:
    """A path to write to, whose content ends up in the output file or on standard output."""
    if output is not None:
        with replacing(output) as part:
            yield part
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "out"
        yield path
        with path.open("rb") as source:
            shutil.copyfileobj(source, sys.stdout.buffer)


def _fill(path: Path, encoder: Encoder, texts: Texts, arguments: argparse.Namespace) -> Floats:
    """Encode into a NumPy file: vectors need not fit into memory. Returns the mapped array."""
    shape = (len(texts), arguments.truncate_dim or encoder.dim)
    if not shape[0]:  # nothing can't be mapped
        empty = np.empty(shape, dtype=np.float32)
        with path.open("wb") as file:
            np.save(file, empty)
        return empty
    vectors = open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
    if hasattr(os, "posix_fallocate"):  # a full disk is an error here; later it would be a fatal signal
        with path.open("rb+") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    encoder.encode(
        texts,
        batch_tokens=arguments.batch_tokens,
        normalize=arguments.normalize,
        truncate_dim=arguments.truncate_dim,
        show_progress=arguments.progress,
        out=vectors,
        prompt_name=arguments.prompt,
    )
    return vectors


def _write_rows(file: BinaryIO, vectors: Floats, kind: str) -> None:
    start, between, end = ("[", ", ", "]\n") if kind == "jsonl" else ("", " ", "\n")
    for row in vectors:
        # 9 significant digits name a float32 exactly.
        numbers = between.join([f"{value:.9g}" for value in row.tolist()])
        file.write(f"{start}{numbers}{end}".encode("ascii"))
