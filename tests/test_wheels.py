"""For which systems and Pythons wheels are made: what cibuildwheel reads from pyproject.toml."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PYTHONS = ("cp310", "cp311", "cp312", "cp313", "cp314", "cp314t")


def identifiers(platform: str, architecture: str) -> set[str]:
    """What cibuildwheel would build there."""
    command = [sys.executable, "-m", "cibuildwheel", "--print-build-identifiers"]
    done = subprocess.run(
        [*command, "--platform", platform, "--archs", architecture, str(ROOT)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.skipif(sys.version_info < (3, 11), reason="cibuildwheel itself needs Python 3.11")
@pytest.mark.parametrize(
    ("platform", "architecture", "systems"),
    [
        ("linux", "x86_64", ["manylinux_x86_64", "musllinux_x86_64"]),
        ("linux", "aarch64", ["manylinux_aarch64", "musllinux_aarch64"]),
        ("macos", "arm64", ["macosx_arm64"]),
        ("windows", "AMD64", ["win_amd64"]),
    ],
)
def test_wheels_for(platform: str, architecture: str, systems: list[str]) -> None:
    assert identifiers(platform, architecture) == {
        f"{python}-{system}" for python in PYTHONS for system in systems
    }


def test_every_job_of_the_workflow_has_wheels_to_build() -> None:
    """The runners of the workflow are those systems, each once."""
    workflow = (ROOT / ".github" / "workflows" / "wheels.yml").read_text("utf-8")
    runners = re.search(r"os: \[(.*)\]", workflow)
    assert runners
    systems = [re.sub(r"[\d.]+", "", name.strip()) for name in runners[1].split(",")]
    assert sorted(systems) == ["macos-", "ubuntu-", "ubuntu--arm", "windows-"]


def test_build_requirements_are_locked_by_hash() -> None:
    """Everything that [build-system] asks for, and each of it with hashes."""
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    table = re.search(r"^\[build-system\]\nrequires = \[(.*?)\]$", project, re.M)
    assert table
    wanted = dict(re.findall(r'"([\w-]+)>=([\d.]+)"', table[1]))
    text = (ROOT / ".ci" / "build-requirements.txt").read_text("utf-8").replace("\\\n", "")
    locked = dict(re.findall(r"^([\w-]+)==([\d.]+) +--hash=sha256:[0-9a-f]{64}", text, re.M))
    assert len(wanted) >= 3 and wanted.keys() <= locked.keys()
    assert len(locked) == len([line for line in text.splitlines() if not line.startswith("#")])
    for name, least in wanted.items():
        assert [int(n) for n in locked[name].split(".")] >= [int(n) for n in least.split(".")], name
