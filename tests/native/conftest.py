"""What the tests of compiled users share: this installation's C library, and a wheel installed elsewhere."""

from __future__ import annotations

import os
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
from c_library import Library
from installed import ROOT, Installation, run


@pytest.fixture(scope="session")
def lib() -> Library:
    """The C functions, as this installation has them."""
    return Library()


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that POLYSEMY_WHEEL names, as scripts/test.sh has it; otherwise one built from these sources."""
    if given := os.environ.get("POLYSEMY_WHEEL"):
        return Path(given)
    folder = tmp_path_factory.mktemp("wheel")
    pip: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "wheel",
        "--quiet",
        "--no-deps",
    ]
    run(*pip, "--no-build-isolation", "--no-index", "--wheel-dir", folder, ROOT, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def installation(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    folder = tmp_path_factory.mktemp("installation")
    assert ROOT not in folder.parents
    venv.create(folder / "env", with_pip=False, symlinks=os.name != "nt")
    python = folder / "env" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python)]
    run(*pip, "install", "--quiet", "--no-deps", "--no-index", wheel, cwd=folder)
    # NumPy, Cython and setuptools come from the environment of the tests. A path in a .pth file is only a
    # path: an editable installation over there does not become active, and the wheel stands before it.
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(run(python, "-c", ask, cwd=folder).strip())
    (site / "tools.pth").write_text(sysconfig.get_path("purelib"))
    ask = "import polysemy.native as n; print(n.get_include(), n.get_library(), n.cmake_dir(), sep='\\n')"
    include, library, cmake = map(Path, run(python, "-c", ask, cwd=folder).splitlines())
    for path in (include, library, cmake):
        assert folder in path.parents
    return Installation(wheel, python, include, library, cmake)
