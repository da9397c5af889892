"""Interleaved comparison of single operations on the command line."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from statistics import median

from bench.engines.report import table
from bench.kernels.case import limit_threads
from bench.kernels.cases import OPS, all_cases
from bench.kernels.loop import Result, measure
from bench.machine import describe, versions
from bench.rates import read_bandwidth

_HELP = """
Times single operations of polysemy next to NumPy, SciPy, torch and ONNX Runtime where they have
them. Every answer is checked against float64 first. Rounds are interleaved: each library has one
turn per round, beginning with another one each time, after a measurement of the FMA peak. Shown:
the rate of the median; the share of the limit, which is the FMA peak or the memory bandwidth for a
working set of this size, whichever binds; and the median over rounds of a library's time over ours.
"""


def _row(result: Result, libraries: list[str]) -> list[str]:
    amount, ours = result.flops or result.moved, result.times[0]
    cells = []
    for name in libraries:
        t = next((t for t in result.times if t.library == name), None)
        if t is None or not t.rounds:
            cells.append("wrong" if t and t.problem else "-")
            continue
        ratio = f" **{result.ratio(t):.2f}**" if t is not ours and ours.rounds else ""
        cells.append(f"{amount / median(t.rounds) / 1e9:.3g}{ratio}")
    middle = median(ours.rounds) if ours.rounds else float("nan")
    spread = f"{ours.shortest * 1e6:.3g} / {middle * 1e6:.3g}"
    of_peak = f"{result.flops / middle / result.peak:.0%}" if result.flops else "-"
    return [result.label, spread, of_peak, f"{result.limit / middle:.0%}", *cells]


def show(results: list[Result], threads: int) -> str:
    """A Markdown table per operation, and the list of wrong answers."""
    peak = median(result.peak for result in results) / 1e9
    parts = [f"# Kernels, {threads} thread(s), FMA peak {peak:.1f} GFLOP/s\n"]
    for op in dict.fromkeys(result.op for result in results):
        chosen = [result for result in results if result.op == op]
        libraries = list(dict.fromkeys(t.library for result in chosen for t in result.times))
        unit = "GFLOP/s" if chosen[0].flops else "GB/s"
        head = ["size", "ours, us: min / median", "of FMA peak", "of the limit"]
        head += [f"{name} {unit}" for name in libraries]
        parts.append(f"## {op}\n\n" + table(head, [_row(result, libraries) for result in chosen]))
    problems = [f"- {r.op} {r.label}: {t.problem}\n" for r in results for t in r.times if t.problem]
    return "\n".join(parts + (["## Wrong answers\n\n" + "".join(problems)] if problems else []))


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(prog="python -m bench.kernels", description=_HELP)
    add = p.add_argument
    add("--ops", nargs="+", choices=OPS, default=list(OPS), help="default: all")
    add("--only", default="", metavar="TEXT", help="only sizes whose label has this text, such as 'n=1152 '")
    add("--threads", type=int, default=1, help="default: 1")
    add("--rounds", type=int, default=7, help="default: 7")
    add("--seconds", type=float, default=0.02, help="one library's turn in a round; default: 0.02")
    add("--out", type=Path, default=Path("bench-results"), help="folder; default: bench-results")
    return p


def main() -> int:
    args = parser().parse_args()
    limit_threads(args.threads)
    results = []
    for case in all_cases():
        if case.op in args.ops and args.only in case.label + " ":
            print(case.name, file=sys.stderr, flush=True)
            prepared = case.build(args.threads)
            results.append(measure(case, prepared, args.rounds, args.seconds, args.threads))
    if not results:
        raise SystemExit(f"bench: no case of {', '.join(args.ops)} has {args.only!r} in its label")
    stored = {
        "machine": describe(),
        "versions": versions(("polysemy", "numpy", "scipy", "torch", "onnxruntime")),
        "threads": args.threads,
        "read_bandwidth_256_mib": read_bandwidth(1 << 28, args.threads),
        "results": [asdict(result) for result in results],
    }
    args.out.mkdir(parents=True, exist_ok=True)
    text = show(results, args.threads)
    (args.out / f"kernels-{args.threads}.json").write_text(json.dumps(stored, indent=1) + "\n")
    (args.out / f"kernels-{args.threads}.md").write_text(text)
    print(text)
    return 1 if any(t.problem for result in results for t in result.times) else 0


if __name__ == "__main__":
    raise SystemExit(main())
