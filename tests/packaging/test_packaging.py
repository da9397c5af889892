"""Wheel and source distribution: what is in them, and that they work with nothing else around."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


def run(*command: str | Path, cwd: Path) -> str:
    """Output of a command that doesn't see the sources."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "POLYSEMY"))}
    done = subprocess.run(
        command, cwd=cwd, env=clean, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_wheel_is_small(wheel: Path) -> None:
    """The kernels of seven levels, in the module and once more in the C library."""
    assert wheel.stat().st_size < 3_500_000


def test_contents_of_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {"polysemy/py.typed", "polysemy/_core.pyi", "polysemy/__init__.py"} <= names
    assert {
        "polysemy/include/polysemy.h",
        "polysemy/include/polysemy_api.h",
        "polysemy/cython_ops.pxd",
    } <= names
    assert {f"polysemy/cmake/polysemyConfig{part}.cmake" for part in ("", "Version")} <= names
    assert any(n.startswith("polysemy/_core.") and n.endswith((".so", ".pyd")) for n in names)
    assert any(n.endswith("LICENSE") for n in names)
    folders = {n.split("/")[0] for n in names}
    assert len(folders) == 2, folders
    assert not [
        n
        for n in names
        if "cache" in n or n.endswith((".cpp", ".pyx", ".o", ".a", ".pyc", ".inl.h")) or "/." in n
    ]


def test_contents_of_the_sdist(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"CMakeLists.txt", "pyproject.toml", "README.md", "LICENSE", "csrc/isa.cmake"} <= names
    assert not [
        n for n in names if "cache" in n or n.endswith((".so", ".pyc")) or n.startswith(("build/", ".git/"))
    ]


def test_bill_of_materials(sbom: Path) -> None:
    """The package, what it is built with by version and hash, and what it needs; nothing of where it was written."""
    bill = json.loads(sbom.read_text("utf-8"))
    assert bill["bomFormat"] == "CycloneDX"
    root = bill["metadata"]["component"]
    version = re.search(r'^version = "(.*)"$', (TESTS.parent / "pyproject.toml").read_text("utf-8"), re.M)
    assert version and (root["name"], root["version"]) == ("polysemy", version[1])
    parts = {part["name"]: part for part in bill["components"]}
    lock = (TESTS.parent / ".ci" / "build-requirements.txt").read_text("utf-8")
    built_with = dict(re.findall(r"^([\w-]+)==(\S+)", lock, re.M))
    assert {name: part["version"] for name, part in parts.items() if "version" in part} == built_with
    for name in built_with:
        assert any(place.get("hashes") for place in parts[name]["externalReferences"]), name
    assert parts.keys() - built_with.keys() == {"numpy", "tokenizers", "tqdm"}
    assert "timestamp" not in bill["metadata"] and "serialNumber" not in bill


def test_no_heavy_dependency(python: Path, tmp_path: Path) -> None:
    listed = json.loads(run(python, "-m", "pip", "list", "--format=json", cwd=tmp_path))
    installed = {entry["name"].lower() for entry in listed}
    assert {"polysemy", "numpy", "tokenizers"} <= installed
    assert not installed & {"torch", "transformers", "tensorflow", "onnxruntime", "scipy"}
    run(python, "-m", "pip", "check", cwd=tmp_path)


@pytest.mark.parametrize("arguments", [("-m", "polysemy"), ("-m", "polysemy", "--help")])
def test_command_line(python: Path, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert "polysemy" in run(python, *arguments, cwd=tmp_path).lower()
    assert run(python.with_name("polysemy"), "--help", cwd=tmp_path)


def test_same_bits_as_here(python: Path, tmp_path: Path) -> None:
    script = str(TESTS / "every_op.py")
    assert json.loads(run(python, script, cwd=tmp_path)) == json.loads(
        run(sys.executable, script, cwd=tmp_path)
    )
