"""The README: what its commands are said to print is what they print."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pages import ROOT, readme_commands, same_output
from polysemy.families import all_families

from bench.engines import readme

EVERY = readme_commands()
# What needs the network, the whole test suite, or hours: these have tests of their own, or are no tests.
_NOT_HERE = ("scripts/", "pip ", "python -m bench")


RUNNABLE = [pair for pair in EVERY if not pair[0].startswith(_NOT_HERE)]


def environment(folder: Path) -> dict[str, str]:
    """This Python's commands first on the path, whatever way the tests were started."""
    path = folder / "bin"
    path.mkdir(exist_ok=True)
    for name, arguments in (
        ("polysemy", "-c 'import sys; from polysemy.cli import main; sys.exit(main())'"),
        ("python", ""),
    ):
        command = path / name
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n')
        command.chmod(0o755)
    variables = {k: v for k, v in os.environ.items() if k not in {"POLYSEMY_ISA", "OMP_NUM_THREADS"}}
    return variables | {"PATH": f"{path}{os.pathsep}{os.environ['PATH']}", "PYTHONIOENCODING": "utf-8"}


def test_the_readme_lists_every_family() -> None:
    table = (ROOT / "README.md").read_text("utf-8").partition("## Models")[2].partition("## Limits")[0]
    for family in all_families():
        for name in family.model_types:
            assert f"`{name}`" in table, name


def test_the_readme_shows_what_it_should() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert EVERY[0][0] == "scripts/demo.sh" and EVERY[1][0] == "scripts/test.sh"
    assert text.index("scripts/test.sh") < text.index("## "), "both commands stand on the first screen"
    assert len(RUNNABLE) >= 6
    assert "python -m bench.engines" in text


@pytest.mark.parametrize(("command", "expected"), RUNNABLE, ids=[c for c, _ in RUNNABLE])
def test_a_command_prints_what_is_shown(command: str, expected: str, tmp_path: Path) -> None:
    bash = shutil.which("bash")
    assert bash, "the README's commands are for a shell"
    done = subprocess.run(
        [bash, "-euo", "pipefail", "-c", command],
        check=False,
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert same_output(expected, done.stdout), done.stdout
    assert done.stderr == ""


def test_the_comparison_notices_differences() -> None:
    assert same_output("a ... c\n", "a b c\n")
    assert not same_output("layer 6  0.804\n", "layer 6  0.805\n")


def test_the_speed_tables_are_those_of_the_stored_runs() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert text == readme.written(text)
    assert str(readme.RESULTS.with_suffix(".md").relative_to(ROOT)) in text
