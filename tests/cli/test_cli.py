"""The command as a whole: help, usage, environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli_texts import COMMAND, Run
from polysemy import _core


def command(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != "POLYSEMY_ISA"} | variables
    return subprocess.run(
        [*COMMAND, *arguments], env=environment, capture_output=True, text=True, check=False, timeout=120
    )


def test_module_without_arguments_is_the_page_for_a_bug_report() -> None:
    done = command()
    assert done.returncode == 0 and done.stderr == ""
    for label in (
        "polysemy ",
        "Python ",
        "CPU ",
        "caches ",
        "ISA levels ",
        "ISA in use ",
        "threads ",
        "OpenMP ",
    ):
        assert f"\n{label}" in f"\n{done.stdout}"
    assert "model" not in done.stdout


def test_the_environment_is_honoured_and_told() -> None:
    done = command(POLYSEMY_ISA="baseline", OMP_NUM_THREADS="3")
    assert "ISA in use  baseline (POLYSEMY_ISA)" in done.stdout
    assert "threads     3 (OMP_NUM_THREADS=3)" in done.stdout
    done = command(POLYSEMY_ISA="nosuch")
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith(
        "python -m polysemy: error: environment variable POLYSEMY_ISA: isa 'nosuch'"
    )


def test_version(run: Run) -> None:
    assert run("--version") == (0, f"{_core.__version__}\n", "")


@pytest.mark.parametrize(
    ("option", "file"), [("--include-dir", "polysemy.h"), ("--cmake-dir", "polysemyConfig.cmake")]
)
def test_folders_for_compilers(run: Run, option: str, file: str) -> None:
    status, out, _ = run(option)
    assert status == 0 and (Path(out.strip()) / file).is_file()


@pytest.mark.parametrize("arguments", [[], ["encode"], ["compare"], ["info"]])
def test_help_teaches(run: Run, arguments: list[str]) -> None:
    status, out, err = run(*arguments, "--help")
    assert (status, err) == (0, "")
    assert "examples:\n  polysemy " in out
    assert max(map(len, out.splitlines())) <= 110


def test_help_loads_nothing() -> None:
    code = (
        "import sys\nfrom polysemy.cli import main\n"
        "try: main(['encode', '--help'])\nexcept SystemExit: pass\n"
        "print([m for m in ('numpy', 'tokenizers', 'polysemy._core') if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr == "[]\n"


def test_no_command_shows_the_help(run: Run) -> None:
    status, out, err = run()
    assert (status, err) == (0, "") and "commands:" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nosuch"], "invalid choice: 'nosuch'"),
        (["compare", "a", "b"], "the following arguments are required: --word"),
        (["compare", "--word", "a", "a"], "the following arguments are required: TEXT"),
        (["encode"], "the following arguments are required: FILE"),
        (["encode", "-", "--format", "csv"], "invalid choice: 'csv'"),
    ],
)
def test_wrong_usage(run: Run, arguments: list[str], message: str) -> None:
    status, out, err = run(*arguments)
    assert (status, out) == (2, "") and message in err


def test_text_that_standard_output_cannot_write(model: Path) -> None:
    """It is escaped, in the table and in JSON, and not an error."""
    arguments = ("compare", "--word", "bank", "the bank é", "a bank", "--model", str(model))
    done = command(*arguments, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("A  the [bank] \\xe9\nB  a [bank]\n")
    done = command(*arguments, "--json", PYTHONIOENCODING="ascii")
    assert json.loads(done.stdout)["texts"] == ["the bank é", "a bank"]


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["compare", "--word", "bank", "the bank", "a bank", "--model", "MODEL"], 0, ""),
        (["compare", "--word", "bank", "the bank", "a bank", "--model", "MODEL", "--json"], 0, ""),
        (["info", "--no-model", "--json"], 0, ""),
        (["encode", "/dev/null", "--model", "MODEL"], 0, ""),
        (["encode", "-", "--model", "MODEL"], 1, "python -m polysemy: error: standard input is closed\n"),
    ],
)
def test_closed_standard_streams(model: Path, arguments: list[str], status: int, said: str) -> None:
    """As print() has it: output that nobody wants goes nowhere."""
    words = [str(model) if word == "MODEL" else word for word in arguments]
    closed = ["sh", "-c", '"$@" <&- >&-', "sh", *COMMAND, *words]
    done = subprocess.run(closed, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (status, "", said)
