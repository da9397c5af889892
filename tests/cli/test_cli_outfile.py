"""Output files: complete or not there, for nobody else's eyes until then, and nothing left behind."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from cli_texts import COMMAND, Run, only
from polysemy.cli.outfile import check_writable, replacing, scratch


@pytest.mark.parametrize("length", [1, 245, 250, 255])
def test_a_name_of_any_length(tmp_path: Path, length: int) -> None:
    path = tmp_path / ("\u00e9" * (length // 2) + "x" * (length % 2))
    check_writable(path)
    for content in ("new", "newer"):
        with replacing(path) as part:
            part.write_text(content)
        assert path.read_text() == content and only(tmp_path, path.name)


def refused(path: Path, message: str) -> None:
    before = {entry.name for entry in path.parent.iterdir()} if path.parent.is_dir() else set()
    with pytest.raises(OSError, match=message):
        check_writable(path)
    assert not path.parent.is_dir() or only(path.parent, *before)


def test_what_cannot_be_written_is_found_out_before_the_work(tmp_path: Path) -> None:
    refused(tmp_path / ("x" * 256), "File name too long")
    refused(tmp_path / "no" / "v.npy", "the output's folder does not exist")
    (tmp_path / "file").write_text("")
    refused(tmp_path / "file" / "v.npy", "the output's folder does not exist|Not a directory")
    refused(Path("/proc/v.npy"), "no file can be put there|Permission")


def test_a_file_that_is_protected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not only one of a folder that is: by its own permissions, or because its folder is on a read-only disk."""
    path = tmp_path / "v.npy"
    path.write_text("old")
    monkeypatch.setattr(os, "access", lambda place, mode: Path(place) != path)  # root may write everywhere
    refused(path, "no permission to write there")
    assert path.read_text() == "old"


def test_a_file_that_can_be_written_but_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as a file that is mounted into a container."""
    path = tmp_path / "v.npy"
    path.write_text("old and longer")

    def busy(self: Path, target: Path) -> None:
        raise OSError(16, "Device or resource busy")

    monkeypatch.setattr(Path, "replace", busy)
    with replacing(path) as part:
        part.write_text("new")
    assert path.read_text() == "new" and only(tmp_path, "v.npy")


def test_a_new_file_has_the_permissions_of_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with replacing(tmp_path / "new") as part:
            part.write_text("x")
    finally:
        os.umask(before)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o640


def test_the_bytes_are_on_the_disk_before_the_name_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a crash of the machine could leave the name with nothing, or half of it."""
    path = tmp_path / "v.npy"
    path.write_text("old")
    done: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def synced(number: int) -> None:
        assert os.fstat(number).st_size == 3 and path.read_text() == "old"
        done.append("sync")
        fsync(number)

    def replaced(self: Path, target: Path) -> Path:
        done.append("name")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", replaced)
    with replacing(path) as part:
        part.write_text("new")
    assert done == ["sync", "name"] and path.read_text() == "new"


def test_what_a_killed_run_left_is_removed(tmp_path: Path) -> None:
    """That of a process which is gone, and nothing else."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    left, alive, fresh, other = (
        tmp_path / name
        for name in (
            f".polysemy.{gone.pid}.{'0' * 16}.part", f".polysemy.{os.getpid()}.{'1' * 16}.part",
            f".polysemy.{gone.pid}.{'2' * 16}.part", f".polysemy.{gone.pid}.part",
        )
    )  # fmt: skip
    for path in (left, alive, fresh, other):
        path.write_text("x")
        if path != fresh:
            os.utime(path, (1, 1))
    with replacing(tmp_path / "out") as part:
        assert part.stat().st_mode & 0o077 == 0, "others must not read what is not finished"
    assert sorted(tmp_path.iterdir()) == sorted([alive, fresh, other, tmp_path / "out"])


def parts_in(folder: Path) -> list[Path]:
    return sorted(folder.glob(".polysemy.*.part"))


@pytest.mark.parametrize("output", ["file", "pipe", "standard output"])
def test_a_killed_run(run: Run, model: Path, tmp_path: Path, output: str) -> None:
    """By SIGKILL, which nothing can catch: one file that others can't read, which the next such run removes."""
    work, temporary = tmp_path / "work", tmp_path / "temporary"
    work.mkdir()
    temporary.mkdir()
    source, out = tmp_path / "many.txt", work / "v"
    source.write_text("we sat on the bank of the river\n" * 3_000_000)
    if output == "pipe":
        os.mkfifo(out)
    command = [*COMMAND, "encode", str(source), "--model", str(model), "--format", "npy"]
    command += [] if output == "standard output" else ["-o", str(out)]
    place = work if output == "file" else temporary
    with subprocess.Popen(
        command, env=os.environ | {"TMPDIR": str(temporary)}, stdout=subprocess.DEVNULL
    ) as process:
        deadline = time.monotonic() + 60
        while not (parts := parts_in(place)) or not parts[0].stat().st_size:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    (left,) = parts_in(place)
    assert left.stat().st_mode & 0o777 == 0o600
    assert only(tmp_path, "work", "temporary", "many.txt") and not (work / "v").is_file()
    os.utime(left, (1, 1))  # it has rested for a while
    with scratch(place) as part:
        assert parts_in(place) == [part]
    assert only(place)


def test_scratch_files_are_those_of_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    parts = []
    for error in (None, KeyError, KeyboardInterrupt):
        with contextlib.suppress(KeyError, KeyboardInterrupt), scratch() as part:
            parts.append(part)
            assert part.parent == tmp_path and part.stat().st_mode & 0o777 == 0o600
            if error:
                raise error
        assert only(tmp_path)
    assert len({*parts}) == 3


def write(path: Path) -> None:
    """A whole output file."""
    with replacing(path) as part:
        part.write_text("new")


def interrupted_at(step: int, work: Callable[[], None]) -> bool:
    """Do the work and raise KeyboardInterrupt before this step of the interpreter; whether there were so many."""
    left = step

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal left
        frame.f_trace_opcodes = True
        if event == "opcode":
            left -= 1
            if left == 0:
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(before)
    return left <= 0


# What was opened and not yet bound to a name is closed by the interpreter, which warns of it.
@pytest.mark.filterwarnings("ignore:unclosed :ResourceWarning")
@pytest.mark.parametrize("work", [check_writable, write])
def test_an_interrupt_between_any_two_steps_leaves_nothing(
    tmp_path: Path, work: Callable[[Path], None]
) -> None:
    path = tmp_path / "v.npy"
    step = 1
    while interrupted_at(step, lambda: work(path)):
        gc.collect(0)
        left = {entry.name for entry in tmp_path.iterdir()}
        assert left <= {path.name}, f"step {step} left {left}"
        path.unlink(missing_ok=True)
        step += 1
    assert step > 100, "an interrupt at none of the steps was tried"
    assert only(tmp_path, *([path.name] if work is write else []))


ENDED = """
import os, signal, sys
from polysemy.cli import main

opened = os.open

def open_and_end(path, *arguments, **keywords):
    file = opened(path, *arguments, **keywords)
    if str(path).endswith(".part"):
        os.kill(os.getpid(), int(sys.argv[1]))
    return file

os.open = open_and_end
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize(
    "command",
    [["encode", "-", "-o", "v.npy"], ["compare", "a bank", "the bank", "--word", "bank", "--plot", "p.png"]],
)
def test_a_signal_while_it_is_tried_whether_a_file_can_be_put_there(
    tmp_path: Path, command: list[str], number: signal.Signals
) -> None:
    """That is before anything is loaded."""
    code = [sys.executable, "-c", ENDED, str(int(number)), *command]
    done = subprocess.run(
        code, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 128 + number, done.stderr
    assert not list(tmp_path.iterdir())
