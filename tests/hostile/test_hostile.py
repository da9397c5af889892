"""Folders that somebody could send: each loads or is refused with one documented exception, and nothing else happens.

The short form of the campaign: every case and a few hundred mutations, in one process. Time is not asserted here.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import traced  # noqa: E402

MUTATIONS = 300


@pytest.fixture(scope="module")
def results() -> list[dict[str, Any]]:
    command = [sys.executable, "-W", "ignore", str(HERE / "campaign.py"), "--json", "--fuzz", str(MUTATIONS)]
    run = subprocess.run(command, check=False, capture_output=True, text=True, timeout=600)
    assert run.returncode in (0, 1), run.stderr[-2000:]  # 1: a case was slow, or fails below
    return [json.loads(line) for line in run.stdout.splitlines()]


def test_every_case_ran(results: list[dict[str, Any]]) -> None:
    assert len(results) >= 600 + MUTATIONS
    assert len({result["case"] for result in results}) == len(results)
    loaded = sum(result["outcome"] == "loaded" for result in results)
    assert 20 < loaded < len(results) / 2  # neither refuses everything nor looks at nothing


def test_outcomes_are_documented(results: list[dict[str, Any]]) -> None:
    documented = {"CheckpointError", "TokenizerError", "UnsupportedModelError", "ModelNotFoundError"}
    wrong = [r for r in results if not r["outcome"].startswith("loaded") and r["outcome"] not in documented]
    assert not wrong


def test_memory(results: list[dict[str, Any]]) -> None:
    assert not [result for result in results if result["bytes"] >= 100 << 20]


def test_nothing_happens_outside(results: list[dict[str, Any]]) -> None:
    assert not [result for result in results if result["outside"]]


@pytest.mark.parametrize("attack", ["open('/etc/hostname')", "open(folder / 'x', 'w')", "os.system('true')"])
def test_the_watch_sees(attack: str) -> None:
    """An audit hook stays for ever, so each attack has a process of its own."""
    code = (
        f"import os, sys; from pathlib import Path; sys.path.insert(0, {str(HERE)!r}); from campaign import Watch; "
        "import tempfile; folder = Path(tempfile.mkdtemp()); watch = Watch(); watch.folder = str(folder); "
        f"{attack}; watch.folder = ''; print(len(watch.found)); import shutil; shutil.rmtree(folder)"
    )
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert int(run.stdout) >= 1


needs_strace = pytest.mark.skipif(
    shutil.which("strace") is None and "CI" not in os.environ, reason="needs strace"
)


def trace(*command: str) -> list[str]:
    """Lines of strace about a command."""
    with tempfile.TemporaryDirectory() as place:
        log = Path(place) / "log"
        run = subprocess.run(traced.command(log, *command), check=False, capture_output=True, timeout=600)
        assert run.returncode in (0, 1), run.stderr[-2000:]
        return log.read_text(errors="replace").splitlines()


@needs_strace
def test_the_kernel_is_asked_for_nothing_outside() -> None:
    """A look at some of the cases; `traced.py` alone looks at all."""
    campaign = (sys.executable, "-W", "ignore", str(HERE / "campaign.py"), "--json", "--every", "40")
    loads, found = traced.outside(trace(*campaign))
    assert loads >= 15
    assert not found


@needs_strace
@pytest.mark.parametrize(
    ("act", "seen"),
    [
        ("pass", False),
        ("os.listdir(folder); (folder / 'config.json').read_bytes()", False),
        ("threading.Thread(target=int).start()", False),
        ("open('/etc/hostname')", True),
        ("(folder / 'x').write_text('')", True),
        ("os.mkdir(folder / 'x')", True),
        ("ctypes.CDLL(None).system(b'true')", True),
        ("socket.create_connection(('127.0.0.1', 9), 1)", True),
    ],
)
def test_the_trace_sees(act: str, seen: bool) -> None:
    code = (
        f"import ctypes, os, socket, sys, threading; sys.path.insert(0, {str(HERE)!r}); "
        "from contextlib import suppress; from pathlib import Path; from campaign import Watch, sound_folder\n"
        f"import tempfile; place = tempfile.mkdtemp(); folder = sound_folder(Path(place) / 'model'); watch = Watch()\n"
        f"watch.begin(folder)\nwith suppress(OSError):\n    {act}\nwatch.end()\nimport shutil; shutil.rmtree(place)"
    )
    loads, found = traced.outside(trace(sys.executable, "-c", code))
    assert loads == 1
    assert bool(found) is seen
