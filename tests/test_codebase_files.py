"""Files that somebody sent are read by `polysemy.io.files` alone, whose errors are documented."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import polysemy
import pytest

PACKAGE = Path(polysemy.__file__).parent

#: Calls that open or read a file.
READING = {
    "open",
    "read_text",
    "read_bytes",
    "loadtxt",
    "fromfile",
    "memmap",
    "mmap",
    "genfromtxt",
    "fdopen",
}
#: Where there are such calls, and why: nothing that a model's folder holds.
ALLOWED = {
    "io/files.py": {"os.open"},  # the one
    "io/safetensors.py": {"mmap.mmap"},  # of a descriptor of io/files.py, for those who ask for it
    "io/pieces.py": {"mmap.mmap", "table.read_text"},  # memory, and how much of it is free
    "text/calls.py": {"mmap.mmap"},  # memory
    "runtime.py": {"_MAPS.read_text"},  # of the system
    "cli/streams.py": {"os.open", "open"},  # the device that is nowhere
    "cli/lines.py": {"path.open", "self._path.open"},  # texts, by the name that the user gives
    "cli/outfile.py": {"os.open", "part.open", "open"},  # results
    "cli/encode.py": {"target.open", "part.open"},  # results
}


def calls(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            of_object = isinstance(node.func, ast.Attribute)
            last = name.rpartition(".")[2]
            # A function of such a name is the helper.
            if (last in READING and (of_object or last == "open")) or name == "np.load":
                yield name


@pytest.mark.parametrize(
    "file", sorted(PACKAGE.rglob("*.py")), ids=lambda f: f.relative_to(PACKAGE).as_posix()
)
def test_files_are_read_by_the_helpers(file: Path) -> None:
    name = file.relative_to(PACKAGE).as_posix()
    assert set(calls(ast.parse(file.read_text("utf-8")))) == ALLOWED.get(name, set())
