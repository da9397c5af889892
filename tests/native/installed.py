"""An installed wheel, and the commands that build programs against it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Installation:
    """A wheel in a virtual environment that knows nothing of the source tree."""

    wheel: Path
    python: Path
    include: Path
    library: Path
    cmake: Path


def run(*command: str | Path, cwd: Path) -> str:
    """The output of a command that must succeed and must not write warnings."""
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=_environment(), check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def program(name: str) -> str:
    """A build tool: beside this Python, or in PATH."""
    found = shutil.which(name, path=os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]]))
    assert found, f"{name} is needed to build a program against the library"
    return found


def _environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV", "polysemy_DIR")}
