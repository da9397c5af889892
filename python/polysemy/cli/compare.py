"""`polysemy compare`: two uses of one word, as a table, as JSON, or as a picture."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict

from ..encoding.encoder import Encoder
from .bars import bar, supports_blocks, text_width
from .drift import Drift, measure

__all__ = ["run", "table"]


def run(arguments: argparse.Namespace) -> int:
    """Print the table, or JSON, and draw the plot if one is wanted."""
    if arguments.plot is not None:
        from .plot import check_plot

        check_plot(arguments.plot)
    encoder = Encoder.from_pretrained(arguments.model, num_threads=arguments.threads)
    drift = measure(encoder, arguments.word, arguments.first, arguments.second)
    if arguments.json:
        print(json.dumps(asdict(drift), indent=2))
    else:
        print("\n".join(table(drift, text_width(sys.stdout), blocks=supports_blocks(sys.stdout))))
    if arguments.plot is not None:
        from .plot import draw

        draw(drift, arguments.plot)
    return 0


def table(drift: Drift, width: int, *, blocks: bool) -> list[str]:
    """The lines that are printed, none longer than ``width`` unless a text is."""
    lines = [_marked(drift, i) for i in range(2)]
    split = [tokens for tokens in drift.tokens if len(tokens) > 1]
    if split:
        lines.append(f"{drift.word!r} is {len(split[0])} tokens: {' '.join(split[0])}")
    rows = [*drift.rows()]
    label_width = max(len(label) for label, _ in rows)
    room = max(10, min(40, width - label_width - 10))
    lines += ["", f"{'':{label_width}}  cosine"]
    last = [] if drift.sentence is None else [("sentence", drift.sentence)]
    for label, cosine in [*rows, *last]:
        if last and label == last[0][0]:
            lines.append("")
        lines.append(f"{label:{label_width}}  {cosine:6.3f}  {bar(cosine, room, blocks=blocks)}".rstrip())
    return lines


def _marked(drift: Drift, i: int) -> str:
    """The text with the compared word in brackets."""
    text, (start, end) = drift.texts[i], drift.places[i]
    marked = f"{'AB'[i]}  {text[:start]}[{text[start:end]}]{text[end:]}".replace("\n", " ")
    more = drift.occurrences[i] - 1
    return f"{marked}   (the first of {more + 1})" if more else marked
