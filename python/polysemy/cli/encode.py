"""`polysemy encode`: a text per line in, a vector per text out."""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ..encoding.encoder import Encoder
from ..encoding.sink import LineSink, NpySink
from ..encoding.stream import Stream
from .lines import open_texts
from .outfile import check_writable, replacing, scratch

__all__ = ["run"]

_FORMATS = {".npy": "npy", ".jsonl": "jsonl", ".txt": "txt"}


def run(arguments: argparse.Namespace) -> int:
    """Check everything that can be checked without work, load the model, encode, deliver."""
    output: Path | None = None if arguments.output in (None, Path("-")) else arguments.output
    kind = _output_format(arguments.format, output)
    if output is not None:
        check_writable(output)
        if arguments.file != "-" and output.exists() and output.samefile(arguments.file):
            raise ValueError(f"{output}: the output would take the place of the input")
    texts = open_texts(arguments.file, any_lines=arguments.lines)
    encoder = Encoder.from_pretrained(
        arguments.model, num_threads=arguments.threads, precision=arguments.precision
    )
    if arguments.truncate_dim is not None and arguments.truncate_dim > encoder.dim:
        raise ValueError(f"--truncate-dim must be at most {encoder.dim} here, got {arguments.truncate_dim}")
    stream = encoder.stream(
        texts,
        batch_tokens=arguments.batch_tokens,
        normalize=arguments.normalize,
        truncate_dim=arguments.truncate_dim,
        prompt_name=arguments.prompt,
    )
    with _delivered(output) as target, target.open("wb") as file:
        sink = _sink(kind, file, stream)
        stream.pour(sink, show_progress=arguments.progress)
        sink.finish()
    stream.losses.warn("encode", encoder.max_seq_length)
    return 0


def _sink(kind: str, file: BinaryIO, stream: Stream) -> NpySink | LineSink:
    if kind == "npy":
        return NpySink(file, stream.width, stream.total)
    return LineSink(file, json=kind == "jsonl")


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
    with scratch() as part:
        yield part
        with part.open("rb") as source:
            shutil.copyfileobj(source, sys.stdout.buffer)
