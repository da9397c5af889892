"""Rules of the code that no tool checks: who may include whom, what a target may hold, what a file looks like.

Imports of Python modules: import-linter; docstrings, prints and future imports: ruff. Both read pyproject.toml.
"""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CSRC = ROOT / "csrc"
CPP = sorted([*CSRC.rglob("*.h"), *CSRC.rglob("*.cpp")])
TEXT_SUFFIXES = {
    "",
    ".h",
    ".c",
    ".cpp",
    ".cmake",
    ".in",
    ".map",
    ".py",
    ".pyi",
    ".pyx",
    ".pxd",
    ".md",
    ".txt",
    ".toml",
}
TEXT_SUFFIXES |= {".json", ".yml", ".yaml", ".cff", ".sh"}

#: Folder of csrc -> folders that it may include, besides itself.
MAY_INCLUDE = {
    "base": set[str](),
    "isa": set[str](),
    "kernels": {"isa"},
    "targets": {"isa", "kernels"},
    "dispatch": {"base", "kernels"},
    "ops": {"base", "kernels"},
    "encoder": {"base", "kernels", "ops"},
    "capi": {"base", "kernels", "dispatch", "ops", "encoder"},
    "bind": {"base", "kernels", "dispatch", "ops", "encoder", "capi"},
}

#: A list of names that even code for one instruction set may know.
EVERYBODY_INCLUDES = {"base/dtype.h", "base/dtypes.inc", "base/precision.h", "base/precisions.inc"}


def includes(file: Path) -> list[str]:
    return re.findall(r'^\s*#\s*include\s+["<]([^">]+)[">]', file.read_text("utf-8"), re.MULTILINE)


def relative(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def own_files() -> list[Path]:
    """Text files that belong to the project: what git tracks or would track; without git, all of the tree."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        found = [ROOT / name for name in done.stdout.split("\0") if name]
    else:
        found = [
            file
            for folder in ("csrc", "python", "tests", "bench", "docs")
            for file in (ROOT / folder).rglob("*")
        ]
    return sorted(f for f in found if f.is_file() and f.suffix in TEXT_SUFFIXES)


#: What a kernel is told, how weights lie, and where kernels stand: all that other code sees of them.
SHARED = ("kernels/layout.h", "kernels/table.h", "kernels/tasks.h")


@pytest.mark.parametrize("file", CPP, ids=relative)
def test_includes_go_downwards(file: Path) -> None:
    layer = file.relative_to(CSRC).parts[0]
    for included in includes(file):
        folder = included.split("/")[0]
        if folder in MAY_INCLUDE:
            allowed = folder == layer or folder in MAY_INCLUDE[layer]
            assert allowed or included in EVERYBODY_INCLUDES, included
            assert (CSRC / included).is_file(), included
        if folder == "kernels" and layer not in ("kernels", "targets"):
            assert included in SHARED, "outside of the targets only the table"
        if included.startswith("pybind11") or included == "Python.h":
            assert layer == "bind", "csrc/bind is the only place that knows Python"
        if included == "omp.h":
            assert relative(file) == "csrc/base/parallel.cpp"


def test_openmp_is_in_one_file() -> None:
    assert [relative(f) for f in CPP if re.search(r"\bomp_\w+\(|#pragma omp", f.read_text("utf-8"))] == [
        "csrc/base/parallel.cpp"
    ]


TARGET_SOURCES = [f for f in CPP if f.relative_to(CSRC).parts[0] in ("isa", "kernels", "targets")]


@pytest.mark.parametrize("file", TARGET_SOURCES, ids=relative)
def test_target_code_uses_no_library(file: Path) -> None:
    """An inline function of the standard library would be one symbol, compiled for one of several CPUs."""
    standard = [name for name in includes(file) if name.split("/")[0] not in MAY_INCLUDE]
    assert set(standard) <= {"cstddef", "cstdint", "utility", "type_traits", "immintrin.h", "arm_neon.h"}
    if {"utility", "type_traits"} & set(standard):
        used = set(re.findall(r"std::(\w+)", file.read_text("utf-8")))
        sequences = {"integral_constant", "integer_sequence", "make_integer_sequence"}
        assert used <= {"byte", "conditional_t", "is_void_v", *sequences}, "types only"


def unnamed(source: str) -> Iterator[tuple[str, bool]]:
    """Every top-level declaration of a source and whether it stands in an unnamed namespace."""
    source = re.sub(r"//[^\n]*|/\*.*?\*/", "", source, flags=re.DOTALL)
    source = re.sub(r"^\s*#(?:[^\n]*\\\n)*[^\n]*", "", source, flags=re.MULTILINE)
    namespaces: list[str] = []
    while source.strip():
        opened = re.match(r"\s*namespace\s*([\w:]*)\s*\{", source)
        if opened:
            namespaces.append(opened[1])
            source = source[opened.end() :]
            continue
        if source.lstrip()[0] == "}":
            namespaces.pop()
            source = source.lstrip()[1:]
            continue
        depth, end = 0, 0
        for end, letter in enumerate(source):
            depth += (letter == "{") - (letter == "}")
            closed = letter == "}" and depth == 0 and not source[end + 1 :].lstrip().startswith(";")
            if depth == 0 and (letter == ";" or closed):
                break
        yield source[: end + 1].strip(), "" in namespaces
        source = source[end + 1 :]


#: Files without code of one CPU.
PLAIN = ("layout.h", "table.h", "tasks.h", "extension.cpp", "target.cpp")
KERNEL_SOURCES = [f for f in TARGET_SOURCES if f.name not in PLAIN]


@pytest.mark.parametrize("file", KERNEL_SOURCES, ids=relative)
def test_target_code_is_in_unnamed_namespaces(file: Path) -> None:
    outside = [declaration[:80] for declaration, inside in unnamed(file.read_text("utf-8")) if not inside]
    assert not outside


def test_the_reader_of_namespaces() -> None:
    source = "namespace a { struct S { int x; }; namespace { void f() { g(); } } constexpr int n = 3; }"
    assert [inside for _, inside in unnamed(source)] == [False, True, False]


@pytest.mark.parametrize("file", [f for f in CPP if f.suffix == ".h"], ids=relative)
def test_headers_are_guarded(file: Path) -> None:
    text = file.read_text("utf-8")
    assert "#pragma once" in text or re.search(r"#ifndef (\w+)\n#define \1\n", text)


@pytest.mark.parametrize(
    "file", [f for f in own_files() if f.suffix in (".h", ".cpp", ".c", ".py", ".pyx")], ids=relative
)
def test_files_are_short(file: Path) -> None:
    assert len(file.read_text("utf-8").splitlines()) <= 400


@pytest.mark.parametrize("file", CPP, ids=relative)
def test_the_core_never_prints_or_aborts(file: Path) -> None:
    assert not re.search(
        r"\b(printf|fprintf|puts|abort|exit|std::c(out|err)|_exit)\b", file.read_text("utf-8")
    )


#: Flags that change what arithmetic means (some of them for the whole process), or tie a build to one CPU.
BANNED_FLAGS = (
    "-ffast-math",
    "-Ofast",
    "-funsafe-math-optimizations",
    "-march=native",
    "-mtune=native",
    "-flto",
)


def test_no_banned_flags() -> None:
    builds = [
        f
        for f in own_files()
        if f.name == "CMakeLists.txt" or f.suffix in (".cmake", ".toml", ".json", ".yml")
    ]
    assert ROOT / "CMakeLists.txt" in builds
    for file in builds:
        code = "\n".join(line.split("#")[0] for line in file.read_text("utf-8").splitlines())
        assert not [flag for flag in BANNED_FLAGS if flag in code], relative(file)


def test_nothing_points_to_one_machine() -> None:
    """No absolute path of somebody's home or working folder, no leftover of a merge, no invisible letters."""
    pattern = re.compile(
        r"(?<![\w.])/(home|root|Users|work|mnt)/\w|^(<<<<<<<|>>>>>>>) |[\u200b\u202a-\u202e\ufeff]", re.M
    )
    for file in own_files():
        if file.relative_to(ROOT).as_posix() in ("tests/test_codebase.py", "tests/data/texts.txt"):
            continue
        found = pattern.search(file.read_text("utf-8", errors="replace"))
        assert not found, f"{relative(file)}: {found[0] if found else ''}"


def test_sources_end_with_one_newline() -> None:
    for file in own_files():
        text = file.read_text("utf-8", errors="replace")
        assert not text or (text.endswith("\n") and not text.endswith("\n\n")), relative(file)
        assert "\t" not in text or file.suffix in (".txt", ""), relative(file)
        assert not re.search(r"[ \t]+$", text, re.M) or file.suffix in (".txt", ".md"), relative(file)


def test_nothing_runs_when_an_object_goes() -> None:
    """A signal that arrives in a ``__del__`` or a callback of a weak reference raises there, and is lost."""
    for file in (ROOT / "python").rglob("*.py"):
        assert not re.search(r"\b__del__\b(?!``)|weakref\.finalize|\bfinalize\(", file.read_text("utf-8")), (
            file
        )


@pytest.mark.parametrize("file", sorted((ROOT / "python/polysemy/ops").glob("*.py")), ids=lambda f: f.name)
def test_operations_call_the_core_by_position(file: Path) -> None:
    """A call with keywords makes a string of the name of every argument, which small operations would feel."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[0] in ("_core", "core"):
            assert not node.keywords, ast.unparse(node)
