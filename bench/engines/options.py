"""The options of `python -m bench.engines`."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.engines import works
from bench.engines.catalogue import ENGINES, EXPORTED, OURS
from bench.engines.checkpoint import cache_folder
from bench.texts import load

OTHERS = [name for name in ENGINES if name not in (OURS, EXPORTED)]

_HELP = """
Compares polysemy with other CPU engines on the same work, in float32.

Each engine gets a process of its own, the same cores, thread count, token ids and truncation. Its output
is compared with ours before anything is timed, and an output that differs by more than rounding is a failure
(exit status 1). Rounds are interleaved: in each, every engine has one turn, beginning with another one each
time, while the processes of the others are stopped. The FMA peak is measured in every round.

Results go to --out: results.json (every single time), results.md (tables), results.png (chart).
"""
_EXAMPLES = """
examples:
  python -m bench.engines --install                      install the other engines with pip, run everything
  python -m bench.engines --works 1x128 8x32 --rounds 3  two works, three rounds
  python -m bench.engines --model my-model --threads 4   a checkpoint of one's own, four threads
  python -m bench.engines --engines onnxruntime openvino --model default --works ragged-64
"""
_MODEL = (
    "'default' (all-MiniLM-L6-v2), 'base' (BERT-base's shape, random weights), or a BERT checkpoint folder; "
    "default: default base"
)
_WORKS = (
    f"BATCHxLENGTH or ragged-COUNT; default: {' '.join([*works.UNIFORM_NAMES, *works.RAGGED_NAMES])} (without "
    "ragged-256 on 'base': padded to one batch it takes every engine gigabytes and minutes)"
)
_SECONDS = "an engine that has spent this long on a work sits out the rounds after its second; default: 10"


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 on, got {text!r}")
    return int(text)


def _work(name: str) -> str:
    try:
        count, length = works.parse(name)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if not length and count > len(load()):
        raise argparse.ArgumentTypeError(f"work {name}: there are only {len(load())} texts")
    return name


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="python -m bench.engines",
        description=_HELP,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = p.add_argument
    add("--model", nargs="+", default=["default", "base"], metavar="M", help=_MODEL)
    add(
        "--threads",
        nargs="+",
        type=_positive,
        default=[1, 2],
        metavar="N",
        help="thread counts; default: 1 2",
    )
    add("--works", nargs="+", type=_work, metavar="W", help=_WORKS)
    engines = f"other engines; default: all that are installed, of {', '.join(OTHERS)}"
    add("--engines", nargs="+", choices=OTHERS, metavar="E", help=engines)
    add("--rounds", type=_positive, default=7, metavar="N", help="interleaved rounds per work; default: 7")
    add("--seconds", type=float, default=10.0, metavar="S", help=_SECONDS)
    startups = "fresh processes per engine for the cold start; 0: none; default: 5"
    add("--startups", type=int, default=5, metavar="N", help=startups)
    add("--out", type=Path, default=Path("bench-results"), metavar="DIR", help="default: bench-results")
    cache = "converted models, reused by later runs; default: ~/.cache/polysemy-bench"
    add("--cache", type=Path, default=cache_folder(), metavar="DIR", help=cache)
    add(
        "--install",
        action="store_true",
        help="first install the chosen engines into this environment with pip",
    )
    add("--no-chart", action="store_true", help="leave out results.png (it needs matplotlib)")
    return p
