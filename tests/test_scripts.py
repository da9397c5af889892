"""The two scripts that set everything up, with a stand-in for pip: what they run, and how they fail."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pages import readme_commands, same_output

ROOT = Path(__file__).parents[1]
BASH = shutil.which("bash") or "bash"
BUILT = "wheel .venv/wheel ."
INSTALLED = ["install --force-reinstall --no-deps WHEEL", "install WHEEL"]


class Clone:
    """A copy of what the scripts look at, and an environment whose pip only notes what it is asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "calls"
        for name in ("scripts", "csrc/base"):
            shutil.copytree(ROOT / name, folder / name)
        for name in ("pyproject.toml", "CMakeLists.txt"):
            shutil.copy(ROOT / name, folder)
        (folder / "python").mkdir()
        self.put(
            ".venv/bin/python",
            f"""case "$*" in
              "-m pip --version") ;;
              "-m pip install"* | "-m pytest"*) echo "$@" >> "{self.log}" ;;
              "-m pip wheel"*)
                echo "$@" >> "{self.log}"
                mkdir -p "{folder}/.venv/wheel" && touch "{folder}/.venv/wheel/polysemy-1.whl" ;;
              *) exec "{sys.executable}" "$@" ;;
            esac""",
        )
        self.put(
            ".venv/bin/polysemy",
            f"exec '{sys.executable}' -m polysemy \"$@\"",
        )

    def put(self, name: str, script: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def run(self, script: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        # What the scripts read must not come from whoever runs these tests.
        inherited = {
            name: value
            for name, value in os.environ.items()
            if name not in ("VENV", "PYTHON", "CXX", "POLYSEMY_WHEEL")
        }
        return subprocess.run(
            [BASH, str(self.folder / "scripts" / script), *arguments],
            env=inherited | {"PYTHONIOENCODING": "utf-8"} | variables,
            check=False,
            cwd="/",
            capture_output=True,
            encoding="utf-8",
            timeout=120,
        )

    def calls(self) -> list[str]:
        """What was asked of pip and pytest since the last time."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        plain = {
            "-m pip install --quiet --disable-pip-version-check": "install",
            "-m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir": "wheel",
            f"{self.folder}/.venv/wheel/polysemy-1.whl": "WHEEL",
        }
        for long, short in plain.items():
            lines = [line.replace(long, short) for line in lines]
        return lines


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path / "clone")


def test_demo_prints_what_the_readme_shows(clone: Clone) -> None:
    done = clone.run("demo.sh")
    assert done.returncode == 0, done.stderr
    assert done.stdout == readme_commands()[0][1]
    assert clone.calls() == [BUILT, *INSTALLED]  # the model is here already, or no test would run
    assert "building polysemy" in done.stderr


def test_demo_passes_its_arguments_on(clone: Clone) -> None:
    done = clone.run("demo.sh", "--word", "light", "a light bag", "the light of the sun")
    assert same_output("A  a [light] bag\n...", done.stdout)


def test_the_second_time_nothing_is_built(clone: Clone) -> None:
    clone.run("demo.sh")
    assert clone.calls() == [BUILT, *INSTALLED]
    again = clone.run("demo.sh")
    assert clone.calls() == [] and again.stderr == ""
    source = clone.folder / "csrc" / "base" / "check.h"
    stamp = (clone.folder / ".venv" / ".polysemy-demo").stat().st_mtime
    os.utime(source, (stamp + 1, stamp + 1))
    clone.run("demo.sh")
    assert clone.calls() == [BUILT, *INSTALLED]


def test_both_commands_share_one_wheel(clone: Clone) -> None:
    clone.run("demo.sh")
    assert clone.calls() == [BUILT, *INSTALLED]
    clone.run("test.sh")
    assert clone.calls()[:2] == [INSTALLED[0], "install WHEEL[test]"]


def test_a_wheel_that_is_given_is_taken(clone: Clone) -> None:
    clone.run("demo.sh", POLYSEMY_WHEEL="given.whl", CXX="no-such-compiler")
    assert clone.calls() == [line.replace("WHEEL", "given.whl") for line in INSTALLED]


def test_tests_are_run_with_their_requirements(clone: Clone) -> None:
    done = clone.run("test.sh")
    assert done.returncode == 0, done.stderr
    assert clone.calls() == [BUILT, INSTALLED[0], "install WHEEL[test]", "-m pytest -m not slow"]
    clone.run("test.sh", "tests/ops", "-x")
    assert clone.calls() == ["-m pytest tests/ops -x"]


def test_torch_comes_first_and_by_version(clone: Clone) -> None:
    """Where torch is missing: the version with a build for CPUs, any other if that is not to be had."""
    python = clone.folder / ".venv" / "bin" / "python"
    python.write_text(python.read_text().replace('case "$*" in', 'case "$*" in\n*\'"torch"\'*) exit 1 ;;'))
    clone.run("test.sh")
    assert clone.calls()[:2] == ["install torch==2.13.0", BUILT]
    python.write_text(python.read_text().replace('case "$*" in', 'case "$*" in\n*torch==*) exit 1 ;;'))
    clone.run("test.sh")
    assert clone.calls()[0] == "install torch"


def test_no_compiler(clone: Clone) -> None:
    done = clone.run("demo.sh", CXX="no-such-compiler")
    assert done.returncode == 1 and done.stdout == ""
    assert "no C++20 compiler with OpenMP was found (tried: no-such-compiler)" in done.stderr
    assert "apt install g++" in done.stderr
    assert clone.calls() == []


def test_python_too_old(clone: Clone) -> None:
    clone.put("old/python3", 'case "$1" in --version) echo Python 3.6.15 ;; *) exit 1 ;; esac')
    path = f"{clone.folder / 'old'}{os.pathsep}{os.environ['PATH']}"
    done = clone.run("demo.sh", PATH=path, PYTHON="python3", VENV=str(clone.folder / "other"))
    assert done.returncode == 1 and done.stdout == ""
    assert "polysemy needs Python 3.10 or newer" in done.stderr and "3.6.15" in done.stderr
    assert not (clone.folder / "other").exists()


def test_no_venv_module(clone: Clone) -> None:
    clone.put("bare/python3", f'case "$*" in "-m venv"*) exit 1 ;; *) exec "{sys.executable}" "$@" ;; esac')
    done = clone.run(
        "demo.sh", PYTHON=str(clone.folder / "bare" / "python3"), VENV=str(clone.folder / "other")
    )
    assert done.returncode == 1
    assert "apt install python3-venv" in done.stderr
