"""The `polysemy` command."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from ..errors import PolysemyError, TruncationWarning
from .parser import build_parser
from .signals import ends_cleanly
from .streams import discard_output, prepare_streams

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["main"]

# Exit statuses. argparse ends with 2 by itself; the others are what a shell reports for SIGINT and SIGPIPE.
_FAILED, _INTERRUPTED, _PIPE_CLOSED = 1, 130, 141


def main(argv: Sequence[str] | None = None, prog: str = "polysemy") -> int:
    """Run the command and return its exit status: 0, or 1 after an error, which was reported."""
    prepare_streams()
    try:
        with ends_cleanly(), _warnings_in_words(prog):
            arguments = _parsed(build_parser(prog), argv)
            status: int = arguments.run(arguments) if arguments.run else _print_help(arguments.parser)
            sys.stdout.flush()  # here, where a failure can still be reported
            return status
    except BrokenPipeError:
        discard_output()  # the reader has all it wanted
        return _PIPE_CLOSED
    except KeyboardInterrupt:
        print(f"\n{prog}: interrupted", file=sys.stderr)
        return _INTERRUPTED
    except (PolysemyError, OSError, ValueError, MemoryError) as error:
        print(f"{prog}: error: {_message(error)}", file=sys.stderr)
        discard_output()
        return _FAILED


def _parsed(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> argparse.Namespace:
    """The arguments. What is wrong with a command's is said with the usage of that command."""
    try:
        arguments, unknown = parser.parse_known_args(argv)
        if unknown:
            arguments.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    except SystemExit:
        sys.stdout.flush()  # help or a version, which have been printed
        raise
    return arguments


def _print_help(parser: argparse.ArgumentParser) -> int:
    parser.print_help()
    return 0


def _message(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename is not None else error.strerror
    return str(error) or type(error).__name__


@contextmanager
def _warnings_in_words(prog: str) -> Iterator[None]:
    """Warnings as one line each, without the place in the code, which means nothing to a user."""

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        print(f"{prog}: warning: {message}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.simplefilter("always", TruncationWarning)  # it must be seen, whatever filters are set
        warnings.showwarning = show
        yield
