"""Python on Windows lacks these names; the command has to do without them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from campaigns.common import python
from cli_texts import only

# What others need of these is imported first, and the package once they are gone.
CODE = """
import asyncio, multiprocessing, numpy, os, signal, ssl, subprocess, sys, tempfile, tokenizers
for module, names in (
    (os, "O_CLOEXEC O_NOCTTY O_NONBLOCK fork geteuid getuid mkfifo pread preadv register_at_fork sched_getaffinity"),
    (signal, "SIGHUP SIGPIPE SIGALRM pthread_sigmask setitimer"),
):
    for name in names.split():
        delattr(module, name)
for name in ("fcntl", "grp", "pwd", "resource", "termios"):
    sys.modules[name] = None
from polysemy.cli import main
folder, model = sys.argv[1:]
assert main(["info"]) == main(["info", model]) == 0
for _ in range(2):
    assert main(["encode", f"{folder}/t.txt", "--model", model, "-o", f"{folder}/v.npy"]) == 0
"""


def test_without_names_that_windows_lacks(model: Path, tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("the bank\nof the river\n")
    left = tmp_path / f".polysemy.4194304.{'0' * 16}.part"
    left.write_text("of a process whose end can't be seen there")
    done = python(CODE, str(tmp_path), str(model))
    assert done.returncode == 0, done.stderr
    assert "ISA in use" in done.stdout and np.load(tmp_path / "v.npy").shape == (2, 24)
    assert only(tmp_path, "t.txt", "v.npy", left.name)
