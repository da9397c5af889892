"""The options of `python -m bench.engines`."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.engines import works
from bench.engines.catalogue import OTHERS, others
from bench.engines.checkpoint import cache_folder
from bench.engines.engine import CLASSES, FLOAT32
from bench.texts import load

_HELP = """
Compares polysemy with other CPU engines on the same work, in float32 unless --precision says otherwise.

Each engine gets a process of its own, the same cores, thread count, token ids and truncation. Its output
is compared with ours before anything is timed, and an output that differs by more than rounding is a failure
(exit status 1). Rounds are interleaved: in each, every engine has one turn, beginning with another one each
time, while the processes of the others are stopped. The FMA peak is measured in every round.

A reduced mode is compared with the others of its class alone (16-bit: bfloat16, float16, int16; 8-bit: int8): by
speed with polysemy's bfloat16 or int8, and beside it by accuracy, the distance of each engine's sentence vectors and
hidden states from float64. polysemy in float32 takes part in every run, to show what its own modes gain. A reduced mode
differs by more than rounding of float32, so only a broken one is a failure.

Results go to --out: results.json (every single time), results.md (tables), results.png (chart).
"""
_EXAMPLES = """
examples:
  python -m bench.engines --install                      install the other engines with pip, run everything
  python -m bench.engines --works 1x128 8x32 --rounds 3  two works, three rounds
  python -m bench.engines --model my-model --threads 4   a checkpoint of one's own, four threads
  python -m bench.engines --engines onnxruntime openvino --model default --works ragged-64
  python -m bench.engines --precision 16-bit 8-bit --model default --works 1x8 1x128 32x128 ragged-64
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
    precision = f"classes of precisions to compare in, of {', '.join(CLASSES)}; default: {FLOAT32}"
    add("--precision", nargs="+", choices=list(CLASSES), default=[FLOAT32], metavar="P", help=precision)
    by_class = "; ".join(f"{kind}: {', '.join(others(kind))}" for kind in CLASSES)
    engines = f"other engines; default: all of --precision that are installed. {by_class}"
    add("--engines", nargs="+", choices=OTHERS, metavar="E", help=engines)
    add("--rounds", type=_positive, default=7, metavar="N", help="interleaved rounds per work; default: 7")
    add("--seconds", type=float, default=10.0, metavar="S", help=_SECONDS)
    startups = "fresh processes per engine for the cold start; 0: none; default: 5"
    add("--startups", type=int, default=5, metavar="N", help=startups)
    accuracy = "texts of the comparison with float64; 0: none; default: all of the benchmarks'"
    add("--accuracy", type=int, default=len(load()), metavar="N", help=accuracy)
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


def chosen(args: argparse.Namespace) -> list[str]:
    """The other engines of a run. Raises SystemExit for one of a class that --precision leaves out."""
    possible = [name for kind in args.precision for name in others(kind)]
    if strange := [name for name in args.engines or () if name not in possible]:
        raise SystemExit(
            f"bench: --engines {' '.join(strange)}: not of {', '.join(args.precision)}; name the class with --precision"
        )
    return [name for name in possible if args.engines is None or name in args.engines]
