"""Code blocks of Markdown pages, and what they show."""

from __future__ import annotations

import doctest
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^```(\w*)\s*$")


@dataclass(frozen=True)
class Block:
    """A fenced block: the word after its fence, its text, and the number of its first line."""

    language: str
    text: str
    line: int


def blocks(page: Path) -> list[Block]:
    found: list[Block] = []
    start: int | None = None
    language = ""
    lines = page.read_text("utf-8").splitlines(keepends=True)
    for number, line in enumerate(lines):
        match = _FENCE.match(line)
        if not match:
            continue
        if start is None:
            start, language = number + 1, match[1]
        else:
            found.append(Block(language, "".join(lines[start:number]), start + 1))
            start = None
    assert start is None, f"{page}: the block from line {start} on is not closed"
    return found


def run_examples(page: Path) -> int:
    """Run the ``>>>`` examples of all python blocks, in one namespace. Returns how many there were."""
    names: dict[str, Any] = {}
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    report: list[str] = []
    for block in blocks(page):
        if block.language != "python":
            continue
        test = doctest.DocTestParser().get_doctest(block.text, names, page.name, str(page), block.line - 1)
        assert test.examples, f"{page}:{block.line}: a python block without an example"
        runner.run(test, out=report.append, clear_globs=False)
        names.update(test.globs)
    assert not runner.failures, "".join(report)
    return runner.tries


def commands(block: Block) -> list[tuple[str, str]]:
    """The commands of a console block, each with the output shown after it."""
    pairs: list[tuple[str, str]] = []
    for line in block.text.splitlines(keepends=True):
        if line.startswith("$ "):
            pairs.append((line[2:].strip(), ""))
        else:
            assert pairs, f"line {block.line}: output without a command"
            pairs[-1] = (pairs[-1][0], pairs[-1][1] + line)
    return pairs


def readme_commands() -> list[tuple[str, str]]:
    """All commands of the README with what they are said to print."""
    found = [block for block in blocks(ROOT / "README.md") if block.language == "console"]
    return [pair for block in found for pair in commands(block)]


def same_output(expected: str, got: str) -> bool:
    """Equal, where ``...`` stands for anything."""
    return doctest.OutputChecker().check_output(expected, got, doctest.ELLIPSIS)
