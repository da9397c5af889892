"""`polysemy info`: the build, the machine, a model."""

from __future__ import annotations

import argparse
import json

from ..errors import ModelNotFoundError
from ..report import runtime_report
from .model_card import card_facts, card_rows

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> int:
    """Print facts about this build and machine, and about a model unless that was not wanted."""
    report = runtime_report()
    facts, missing = (None, None) if arguments.no_model else _facts(arguments.model)
    if arguments.json:
        runtime = report.plain()
        print(json.dumps({"runtime": runtime, "model": facts}, indent=2))
        return 0
    _print_rows(report.rows())
    if facts is not None:
        print()
        _print_rows(card_rows(facts))
    if missing is not None:
        print(f"\n{missing}")
    return 0


def _facts(model: str | None) -> tuple[dict[str, object] | None, str | None]:
    """The facts about a model. That the default one is not installed is no error here, but told."""
    from ..encoding.encoder import Encoder

    try:
        return card_facts(Encoder.from_pretrained(model)), None
    except ModelNotFoundError as error:
        if model is not None:
            raise
        return None, f"The default model is not here. {error}"


def _print_rows(rows: list[tuple[str, str]]) -> None:
    width = max(len(label) for label, _ in rows)
    for label, value in rows:
        print(f"{label:{width}}  {value}")
