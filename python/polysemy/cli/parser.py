"""Arguments and help of the `polysemy` command."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from . import parser_heads as heads

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

__all__ = ["build_parser"]

_ABOUT = """\
Contextual embeddings on a CPU: one word, many vectors.
"""
_EXAMPLES = """\
examples:
  {prog} compare --word bank "I deposited money in the bank" "We sat on the bank of the river"
      how far two uses of one word drift apart, layer by layer
  {prog} encode texts.txt -o vectors.npy
      a sentence embedding for every line of a file
  {prog} info
      this build, this machine, the default model

`{prog} COMMAND --help` explains a command.
"""
_ENCODE = """\
Sentence embeddings: one text per line in, one vector per line out, in the same order.

Every line is a text, an empty one too. Pooling and normalisation are what the model says. The vectors
don't depend on threads, on --batch-tokens, or on the other lines. A text longer than the model reads is
cut, with a warning.
"""
_ENCODE_MORE = """\
examples:
  {prog} encode texts.txt -o vectors.npy
      then in Python: numpy.load("vectors.npy"), float32 of shape (lines, dimensions)
  zcat texts.gz | {prog} encode - -o vectors.npy
  {prog} encode texts.txt --truncate-dim 8
      JSON lines on standard output: an array of numbers per text
  {prog} encode texts.txt -o vectors.txt --model ./my-model --threads 4

The output file appears when it is complete, never before: a run that fails or is interrupted leaves
what was there.
"""
_COMPARE = """\
Two uses of one word: the cosine between its two vectors before any context (the row of the token table),
after the embeddings (which add the position), and after every layer; then the cosine between the two
sentences.

1 means the same direction. The row of the table is the same in both texts, so the column shows how far
context moves the word.
"""
_COMPARE_MORE = """\
examples:
  {prog} compare --word bank "I deposited money in the bank" "We sat on the bank of the river"
  {prog} compare --word "new york" "Welcome to New York" "A New York minute" --plot drift.png
  {prog} compare --word light "a light bag" "the light of the sun" --json

The word must stand in both texts as a whole word. A word of several tokens is the mean of their vectors.
Where it stands more than once in a text, the first time counts.
"""
_INFO = """\
Version and build, instruction-set levels, threads and why so many, OpenMP runtimes; then the model's card.
"""
_INFO_MORE = """\
examples:
  {prog} info                     the default model
  {prog} info ./my-model          a folder, or a Hugging Face id
  {prog} info --no-model --json   the machine only, for a program to read

environment:
  POLYSEMY_ISA      use no more than this instruction-set level
  OMP_NUM_THREADS   default number of threads
"""
_PULL = """\
A model of the Hugging Face Hub into the local cache, from which every program of this machine loads it.

Only what is missing is downloaded. The folder is printed. A download that was interrupted leaves nothing that could be
taken for a model, and goes on where it was.
"""
_PULL_MORE = """\
examples:
  {prog} pull all-MiniLM-L6-v2
  {prog} pull intfloat/e5-small-v2 --revision main
  {prog} encode texts.txt --model "$({prog} pull BAAI/bge-small-en-v1.5)"

environment:
  HF_HUB_CACHE, HF_HOME   where the cache is
  HF_TOKEN                for models that need one
"""
# What `Encoder.from_pretrained` takes, spelled here because --help starts without the core.
PRECISIONS = ("float32", "bfloat16", "float16", "int8", "int16", "auto")
_MODEL = "a folder or a Hugging Face id (default: all-MiniLM-L6-v2)"


def build_parser(prog: str) -> argparse.ArgumentParser:
    """The parser; the attribute ``run`` of its result is the command's function, or None."""
    parser = _described(_Parser(prog=prog), prog, _ABOUT, _EXAMPLES)
    parser.set_defaults(run=None, parser=parser)
    parser.add_argument("--version", action=_Print, text=_version, help="print the version")
    parser.add_argument(
        "--cmake-dir", action=_Print, text=_cmake_dir, help="print the folder for CMake's polysemy_DIR"
    )
    parser.add_argument(
        "--include-dir", action=_Print, text=_include_dir, help="print the folder of the C header"
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    _add_encode(
        _described(commands.add_parser("encode", help="texts to vectors"), prog, _ENCODE, _ENCODE_MORE)
    )
    _add_compare(
        _described(commands.add_parser("compare", help="two uses of one word"), prog, _COMPARE, _COMPARE_MORE)
    )
    for name, add, about, more, short, run in (
        ("rerank", heads.add_rerank, heads.RERANK, heads.RERANK_MORE, "documents by a query", _run_rerank),
        (
            "classify",
            heads.add_classify,
            heads.CLASSIFY,
            heads.CLASSIFY_MORE,
            "texts to labels",
            _run_classify,
        ),
        (
            "fill-mask",
            heads.add_fill_mask,
            heads.FILL_MASK,
            heads.FILL_MASK_MORE,
            "the missing word",
            _run_fill_mask,
        ),
    ):
        command = _described(commands.add_parser(name, help=short), prog, about, more)
        command.set_defaults(run=run)
        add(command, _positive)
    _add_info(
        _described(
            commands.add_parser("info", help="this build, this machine, a model"), prog, _INFO, _INFO_MORE
        )
    )
    _add_pull(_described(commands.add_parser("pull", help="a model into the cache"), prog, _PULL, _PULL_MORE))
    return parser


def _add_encode(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_run_encode, parser=parser)
    parser.add_argument("file", metavar="FILE", help="UTF-8 text, one text per line; - is standard input")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="where vectors go (default, and -: standard output)"
    )
    parser.add_argument(
        "--format",
        choices=("npy", "jsonl", "txt"),
        help="npy: NumPy array; jsonl: a JSON array per line; txt: numbers with spaces between "
        "(default: by the output's ending; jsonl on standard output)",
    )
    _add_model(parser)
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="float32",
        help="of the matrix products; auto: the fastest that this CPU has an instruction for and that keeps a "
        "cosine of 0.99998 (default: float32)",
    )
    parser.add_argument(
        "--batch-tokens", type=_positive, metavar="N", help="most tokens in one pass, which bounds memory"
    )
    parser.add_argument(
        "--normalize",
        action=argparse.BooleanOptionalAction,
        help="scale vectors to length 1, or don't (default: as the model says)",
    )
    parser.add_argument(
        "--truncate-dim", type=_positive, metavar="N", help="keep the first N dimensions of each vector"
    )
    heads.add_lines(parser)
    parser.add_argument("--prompt", metavar="NAME", help="the model's prompt to put before each text")
    parser.add_argument(
        "--progress", action=argparse.BooleanOptionalAction, help="progress bar (default: on a terminal)"
    )


def _add_compare(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_run_compare, parser=parser)
    parser.add_argument("first", metavar="TEXT", help="a text with the word")
    parser.add_argument("second", metavar="TEXT", help="another text with the word")
    parser.add_argument("--word", required=True, help="the word")
    _add_model(parser)
    parser.add_argument(
        "--plot", type=Path, metavar="FILE", help="draw the curve as .png, .svg or .pdf (needs matplotlib)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON, not a table")


def _add_info(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_run_info, parser=parser)
    parser.add_argument("model", nargs="?", metavar="MODEL", help=_MODEL)
    parser.add_argument("--no-model", action="store_true", help="leave the model out")
    parser.add_argument("--json", action="store_true", help="print JSON, not a table")


def _add_pull(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_run_pull, parser=parser)
    parser.add_argument("model", metavar="MODEL", help="a Hugging Face id")
    parser.add_argument("--revision", metavar="NAME", help="a branch, tag or commit (default: main)")
    parser.add_argument("--cache-folder", type=Path, metavar="FOLDER", help="another cache")
    parser.add_argument(
        "--progress", action=argparse.BooleanOptionalAction, help="progress bar (default: on a terminal)"
    )


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", help=_MODEL)
    parser.add_argument("--threads", type=_positive, metavar="N", help="threads (default: see `info`)")


def _described(parser: argparse.ArgumentParser, prog: str, about: str, more: str) -> argparse.ArgumentParser:
    parser.description, parser.epilog = about, more.replace("{prog}", prog)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    return parser


def _positive(text: str) -> int:
    """An argument that counts something."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 on, got {text!r}")
    return number


# Commands and facts are imported when they are asked for: --help needs neither NumPy nor the core.
def _run_encode(arguments: argparse.Namespace) -> int:
    from .encode import run

    return run(arguments)


def _run_compare(arguments: argparse.Namespace) -> int:
    from .compare import run

    return run(arguments)


def _run_rerank(arguments: argparse.Namespace) -> int:
    from .heads import run_rerank

    return run_rerank(arguments)


def _run_classify(arguments: argparse.Namespace) -> int:
    from .heads import run_classify

    return run_classify(arguments)


def _run_fill_mask(arguments: argparse.Namespace) -> int:
    from .heads import run_fill_mask

    return run_fill_mask(arguments)


def _run_pull(arguments: argparse.Namespace) -> int:
    from .pull import run

    return run(arguments)


def _run_info(arguments: argparse.Namespace) -> int:
    from .info import run

    return run(arguments)


def _version() -> str:
    from .._core import __version__

    return __version__


def _cmake_dir() -> str:
    from ..native import cmake_dir

    return cmake_dir()


def _include_dir() -> str:
    from ..native import get_include

    return get_include()


class _Parser(argparse.ArgumentParser):
    def print_help(self, file: SupportsWrite[str] | None = None) -> None:
        """As argparse has it, which takes no notice of a device that is full."""
        print(self.format_help(), end="", file=file)


class _Print(argparse.Action):
    """Prints one fact and ends, as argparse's own version action does."""

    def __init__(self, option_strings: list[str], dest: str, text: Callable[[], str], help: str) -> None:
        super().__init__(option_strings, dest, nargs=0, default=argparse.SUPPRESS, help=help)
        self._text = text

    def __call__(self, parser: argparse.ArgumentParser, *values: object) -> None:
        print(self._text())
        parser.exit()
