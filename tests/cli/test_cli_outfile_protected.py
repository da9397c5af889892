"""Outputs that the system really protects: found out before the work where they can't be written, else written.

Other users, mounts and attributes of files need root, which in a container needs the capabilities SYS_ADMIN and
LINUX_IMMUTABLE.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from cli_texts import TEXTS, only
from polysemy.cli.outfile import check_writable, replacing, scratch

NOBODY, OTHER = 65534, 65533

ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not ROOT, reason="needs root")


def needs(*command: str) -> pytest.MarkDecorator:
    """Without the tool, or the right to use it so, there is nothing to see; with CI=1 that is an error."""
    works = shutil.which(command[0]) is not None and (
        len(command) == 1 or subprocess.run(command, capture_output=True, check=False).returncode == 0
    )
    return pytest.mark.skipif(not works and "CI" not in os.environ, reason=f"needs {' '.join(command)}")


@pytest.fixture
def place(model: Path) -> Iterator[Path]:
    """A folder that other users may enter, unlike those of pytest: texts, a model, and a folder ``out``."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(model, folder / "model")
        (folder / "texts.txt").write_text("\n".join(TEXTS) + "\n", "utf-8")
        (folder / "out").mkdir()
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        yield folder


# The first run is of the user who may read everything: what it imports is there when the second one has no rights.
COMMAND = """
import os, sys
from polysemy import Encoder
from polysemy.cli import main
user, first, *arguments = sys.argv[1:]
if user != "same":
    assert main([*arguments[:-1], first]) == 0
    os.setgroups([])
    os.setresgid(*[int(user)] * 3)
    os.setresuid(*[int(user)] * 3)
load = Encoder.from_pretrained
def told(*arguments, **options):
    print("at work", file=sys.stderr)
    return load(*arguments, **options)
Encoder.from_pretrained = told
sys.exit(main(arguments))
"""


def encode(place: Path, *, user: int | None = None, before: str = "") -> subprocess.CompletedProcess[str]:
    """`polysemy encode` to ``out/v.npy``, as another user, or after shell commands that others don't see."""
    command = [
        sys.executable, "-c", COMMAND, "same" if user is None else str(user), str(place / "first.npy"),
        "encode", str(place / "texts.txt"), "--model", str(place / "model"), "-o", str(place / "out" / "v.npy"),
    ]  # fmt: skip
    if before:
        command = ["unshare", "--mount", "sh", "-ec", f'{before}\nexec "$@"', "sh", *command]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def refused(done: subprocess.CompletedProcess[str], place: Path, message: str, *left: str) -> None:
    """Before the work, in one line, and without a trace."""
    path = place / "out" / "v.npy"
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    assert done.stderr == f"polysemy: error: {path}: {message}\n"
    assert only(path.parent, *left)
    assert not left or path.read_text() == "old"


def written(done: subprocess.CompletedProcess[str], path: Path, *, number: int) -> None:
    """In the place of the old file's content: it is the same file."""
    assert (done.returncode, done.stderr) == (0, "at work\n")
    assert np.load(path).shape == (len(TEXTS), 24) and path.stat().st_ino == number
    assert only(path.parent, path.name)


@pytest.fixture
def old(place: Path) -> Path:
    """A file where the output is to be, of another user."""
    path = place / "out" / "v.npy"
    path.write_text("old")
    if ROOT:
        os.chown(path, OTHER, OTHER)
    return path


@needs_root
def test_a_file_of_another_user_in_a_shared_folder(place: Path, old: Path) -> None:
    """In a folder like /tmp nobody may replace it; who may write to it, does that."""
    os.chown(old.parent, OTHER, OTHER)
    old.parent.chmod(0o1777)
    old.chmod(0o644)
    refused(encode(place, user=NOBODY), place, "no permission to write there", "v.npy")
    old.chmod(0o666)
    number = old.stat().st_ino
    written(encode(place, user=NOBODY), old, number=number)
    assert (old.stat().st_uid, stat.S_IMODE(old.stat().st_mode)) == (OTHER, 0o666)


def test_a_folder_that_is_read_only(place: Path, old: Path) -> None:
    """The unfinished output would have to lie there, whoever owns the file."""
    user = NOBODY if ROOT else None
    message = "no file can be put there: Permission denied"
    if ROOT:
        os.chown(old, NOBODY, NOBODY)
    old.parent.chmod(0o555)
    refused(encode(place, user=user), place, message, "v.npy")
    old.parent.chmod(0o755)
    old.unlink()
    old.parent.chmod(0o555)
    refused(encode(place, user=user), place, message)
    old.parent.chmod(0o755)


@needs_root
@needs("unshare", "--mount", "mount", "--version")
def test_a_file_that_is_mounted(place: Path, old: Path) -> None:
    source = place / "mounted"
    source.write_text("old and longer than what is to be written" * 100)
    number = source.stat().st_ino
    done = encode(place, before=f"mount --bind {source} {old}")
    assert old.read_text() == "old", "only that process saw the mount"
    old.unlink()
    source.rename(old)
    written(done, old, number=number)


@needs_root
@needs("unshare", "--mount", "mount", "--version")
def test_what_is_mounted_read_only(place: Path, old: Path) -> None:
    def mounted(path: Path) -> str:
        return f"mount --bind {path} {path}\nmount -o remount,bind,ro {path}"

    for path in (old, old.parent):
        done = encode(place, before=mounted(path))
        refused(done, place, "no permission to write there", "v.npy")
    old.unlink()
    done = encode(place, before=mounted(old.parent))
    refused(done, place, "no file can be put there: Read-only file system")


@contextlib.contextmanager
def attribute(letter: str, path: Path) -> Iterator[None]:
    """The file has an attribute of `chattr`, which binds root, too."""
    set_it = ["chattr", f"+{letter}", str(path)]
    done = subprocess.run(set_it, capture_output=True, text=True, check=False)
    if done.returncode and "CI" not in os.environ:
        pytest.skip(f"needs the right to use chattr, and a file system that has attributes: {done.stderr}")
    assert done.returncode == 0, done.stderr
    try:
        yield
    finally:
        subprocess.run(["chattr", f"-{letter}", str(path)], check=True)


@needs_root
@needs("chattr")
def test_attributes_that_protect(place: Path, old: Path) -> None:
    """An append-only file may be written to, but neither replaced nor emptied."""
    with attribute("i", old):
        refused(encode(place), place, "no permission to write there", "v.npy")
    with attribute("a", old):
        message = "it may not be overwritten: Operation not permitted"
        refused(encode(place), place, message, "v.npy")
    with attribute("i", old.parent):
        message = "no file can be put there: Operation not permitted"
        refused(encode(place), place, message, "v.npy")


def kept(error: OSError, path: Path, reason: str) -> None:
    """The new content is there, in a file that the error names, and that later runs leave alone."""
    folder = path.parent
    (found,) = folder.glob("polysemy.*.part")
    assert (error.filename, error.strerror) == (str(path), f"{reason}; the output is kept as {found}")
    assert found.read_text() == "new" and only(folder, path.name, found.name)
    os.utime(found, (1, 1))
    with scratch(folder):
        pass
    assert only(folder, path.name, found.name)


def test_what_became_a_folder_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "v.npy"
    check_writable(path)
    with contextlib.ExitStack() as work:
        work.enter_context(replacing(path)).write_text("new")
        path.mkdir()
        with pytest.raises(IsADirectoryError) as raised:
            work.close()
    kept(raised.value, path, "Is a directory")


@needs_root
@needs("chattr")
@pytest.mark.parametrize("letter", ["i", "a"])
def test_what_became_protected_meanwhile(place: Path, old: Path, letter: str) -> None:
    check_writable(old)
    with contextlib.ExitStack() as work:
        work.enter_context(replacing(old)).write_text("new")
        with attribute(letter, old), pytest.raises(PermissionError) as raised:
            work.close()
    kept(raised.value, old, "Operation not permitted")
    assert old.read_text() == "old"
