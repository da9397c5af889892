"""The command as a whole: help, usage, environment."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cli_texts import COMMAND, Run
from numpy.typing import NDArray
from polysemy import Encoder, _core


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
    assert re.search(r"^ISA in use +baseline \(POLYSEMY_ISA\)$", done.stdout, re.MULTILINE)
    assert re.search(r"^threads +3 \(OMP_NUM_THREADS=3\)$", done.stdout, re.MULTILINE)
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


COMPARE = ["compare", "--word", "bank", "the bank", "a bank", "--model", "MODEL"]


def closed(streams: str, model: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command with streams closed, as a shell does that: "<&-", ">&-", "2>&-"."""
    words = [str(model) if word == "MODEL" else word for word in arguments]
    line = ["sh", "-c", f'"$@" {streams}', "sh", *COMMAND, *words]
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (COMPARE, 0, ""),
        ([*COMPARE, "--json"], 0, ""),
        (["info", "--no-model", "--json"], 0, ""),
        (["--help"], 0, ""),
        (["--version"], 0, ""),
        (["encode", "--help"], 0, ""),
        (["encode", "/dev/null", "--model", "MODEL"], 0, ""),
        (["encode", "-", "--model", "MODEL"], 1, "python -m polysemy: error: standard input is closed\n"),
    ],
)
def test_closed_standard_streams(model: Path, arguments: list[str], status: int, said: str) -> None:
    """As print() has it: output that nobody wants goes nowhere."""
    done = closed("<&- >&-", model, *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (status, "", said)
    done = closed("<&- >&- 2>&-", model, *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (status, "", "")


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["encode", "nosuch.txt"], 1),
        (["encode", "/dev/null", "-o", "no/such/v.npy"], 1),
        (["compare", "--word", "river", "the bank", "a bank", "--model", "MODEL"], 1),
        (["encode"], 2),
        (["nosuch"], 2),
    ],
)
def test_an_error_that_nobody_reads(model: Path, arguments: list[str], status: int) -> None:
    done = closed("2>&-", model, *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (status, "", "")


@pytest.mark.parametrize("kind", ["jsonl", "npy", "txt"])
@pytest.mark.parametrize("progress", [[], ["--progress"]])
def test_a_closed_standard_error_leaves_the_vectors_alone(
    model: Path, tmp_path: Path, kind: str, progress: list[str]
) -> None:
    """A warning or a progress bar goes nowhere then, and never among the vectors or into the output file."""
    source, out = tmp_path / "long.txt", tmp_path / "v"
    source.write_text("bank " * 30 + "\nbank\n")
    arguments = ["encode", str(source), "--model", "MODEL", "--format", kind, *progress]
    for streams in ("2>&-", "<&- 2>&-"):
        done = closed(f"{streams} > '{out}'", model, *arguments)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        piped = out.read_bytes()
        done = closed(streams, model, *arguments, "-o", str(out))
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert out.read_bytes() == piped
    rows = read_rows(out, kind)
    np.testing.assert_array_equal(rows[0], Encoder.from_pretrained(model).encode("bank " * 10))
    assert rows.shape == (2, 24)


def read_rows(path: Path, kind: str) -> NDArray[np.float32]:
    if kind == "npy":
        rows: NDArray[np.float32] = np.load(path)
        return rows
    lines = path.read_text("ascii").splitlines()
    return np.array([json.loads(x) if kind == "jsonl" else x.split(" ") for x in lines], dtype=np.float32)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize(
    "arguments", [COMPARE, ["info", "--no-model"], ["encode", "/dev/stdin", "--model", "MODEL"]]
)
def test_a_full_disk_behind_standard_output(model: Path, arguments: list[str]) -> None:
    done = closed("> /dev/full < /etc/passwd", model, *arguments)
    message = "python -m polysemy: error: No space left on device"
    assert done.returncode == 1 and message in done.stderr
    assert "Traceback" not in done.stderr and "ignored" not in done.stderr


@pytest.mark.parametrize(
    ("name", "needed"), [("encode", ["x"]), ("compare", ["x", "y", "--word", "x"]), ("info", [])]
)
def test_wrong_arguments_of_a_command_show_its_usage(run: Run, name: str, needed: list[str]) -> None:
    status, out, err = run(name, *needed, "--nosuch")
    assert (status, out) == (2, "")
    assert err.startswith(f"usage: polysemy {name} ") and "unrecognized arguments: --nosuch" in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
@pytest.mark.parametrize(
    "arguments", [["--version"], ["--help"], ["encode", "--help"], ["info", "--no-model"], []]
)
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_device_is_an_error(arguments: list[str], unbuffered: str) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*COMMAND, *arguments], env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
            stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=120,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == "python -m polysemy: error: No space left on device\n"


@pytest.mark.parametrize(
    "command", [["compare", "--word", "bank", "a bank", "the bank"], ["pull"], ["encode", "-"]]
)
def test_a_home_that_nobody_has(command: list[str]) -> None:
    """As in a container that runs with a number for a user."""
    name = ["org/model"] if command[0] == "pull" else ["--model", "org/model"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "XDG_"))}
    done = subprocess.run(
        [*COMMAND, *command, *name],
        env=environment | {"HF_HOME": "~nobody-here"},
        input="a text\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "the home directory of a user who has none. Set HF_HOME" in done.stderr
    assert "Traceback" not in done.stderr
