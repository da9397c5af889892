"""What the compiler made of the core: no instruction for another CPU, no register tile that spills."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest
from polysemy import _core

ROOT = Path(__file__).parents[1]
#: A folder in which this very core was built for a release, by ninja; without one, it is built here.
BUILT = os.environ.get("POLYSEMY_OBJECTS")
BUILD = Path(BUILT) if BUILT else ROOT / "build" / "objects"
#: Registers that a level may use; all other code uses only xmm.
WIDEST = {
    "baseline": "xmm",
    "avx2": "ymm",
    "avx2_vnni": "ymm",
    "avx512": "zmm",
    "avx512_vnni": "zmm",
    "avx512_bf16": "zmm",
    "amx": "zmm",
}
#: Levels that have only products of some precisions, which are those with a tile of one of these instructions.
EXTENSIONS = {
    "avx2_vnni": ("vpdpbusd", "vpdpwssd"),
    "avx512_vnni": ("vpdpbusd", "vpdpwssd"),
    "avx512_bf16": ("vdpbf16ps",),
    "amx": (),
}
#: A loop with so many multiply-adds that add to their register is a tile.
TILE = 8


def output_of(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@cache
def objects() -> dict[str, Path]:
    """Object files of the core, compiled as for a release: ``target_avx2``, ``ops/linear.cpp`` ... -> file."""
    if not BUILT:
        build()
    found = {}
    for entry in compile_commands():
        target = re.search(r"polysemy_(target_\w+)\.dir", entry["output"])
        name = Path(entry["file"]).as_posix().rpartition("/csrc/")[2]
        found[target[1] if target else name] = BUILD / entry["output"]
    return found


def build() -> None:
    from fcntl import LOCK_EX, flock

    folder = Path(sys.executable).parent  # cmake and ninja may be those of the test environment
    tools = {tool: shutil.which(tool, path=str(folder)) or shutil.which(tool) for tool in ("cmake", "ninja")}
    assert all(tools.values()), tools
    cmake = str(tools["cmake"])
    options = ["-DCMAKE_BUILD_TYPE=Release", "-DPOLYSEMY_BUILD_PYTHON=OFF", "-DPOLYSEMY_WERROR=ON"]
    options += [f"-DCMAKE_MAKE_PROGRAM={tools['ninja']}"]
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / "lock").open("w") as lock:
        flock(lock, LOCK_EX)  # another run of the tests may do the same
        output_of(cmake, "-S", ROOT, "-B", BUILD, "-G", "Ninja", *options)
        output_of(cmake, "--build", BUILD, "--parallel", "2", "--target", "polysemy_core")


def compile_commands() -> list[dict[str, str]]:
    """How the files of `objects` are compiled."""
    commands: list[dict[str, str]] = json.loads((BUILD / "compile_commands.json").read_text())
    return [c for c in commands if re.search(r"polysemy_(core|target_\w+)\.dir", c["output"])]


class Instruction(NamedTuple):
    address: int
    text: str


@cache
def functions(file: Path) -> dict[str, list[Instruction]]:
    """Disassembled code by function."""
    found: dict[str, list[Instruction]] = {}
    code: list[Instruction] = []
    for line in output_of("objdump", "-d", "-C", "--no-show-raw-insn", "-M", "suffix", file).splitlines():
        if title := re.match(r"[0-9a-f]+ <(.*)>:$", line):
            code = found.setdefault(title[1], [])
        elif instruction := re.match(r"\s*([0-9a-f]+):\s+(\S.*)$", line):
            code.append(Instruction(int(instruction[1], 16), instruction[2]))
    return found


def innermost_loops(code: list[Instruction]) -> list[list[Instruction]]:
    """Bodies between a backward jump and where it goes, without those that contain another."""
    spans = []
    for at, text in code:
        jump = re.match(r"j\w+\s+([0-9a-f]+)", text)
        if jump and code[0].address <= int(jump[1], 16) < at:
            spans.append((int(jump[1], 16), at))
    inner = [(a, b) for a, b in spans if not any((c, d) != (a, b) and a <= c and d <= b for c, d in spans)]
    return [[i for i in code if a <= i.address <= b] for a, b in sorted(set(inner))]


def stack_operands(code: list[Instruction], loop: list[Instruction]) -> list[str]:
    """Instructions of a loop that move vectors to or from the stack.

    %rbp is the frame only in a function that sets it.
    """
    framed = any(re.search(r"mov\w*\s+%rsp,%rbp", i.text) for i in code)
    pattern = r"\(%r[sb]p[,)]" if framed else r"\(%rsp[,)]"
    return [i.text for i in loop if re.search(pattern, i.text) and re.search("%[xyz]mm", i.text)]


LEVELS = _core.built_isas()


@pytest.mark.parametrize("level", LEVELS)
def test_a_target_has_one_symbol(level: str) -> None:
    file = objects()[f"target_{level}"]
    defined = output_of("nm", "--extern-only", "--defined-only", "--format=posix", file).split("\n")[:-1]
    assert [line.split()[1] for line in defined] == ["D"], defined
    assert level in defined[0]
    needed = {line.split()[0] for line in output_of("nm", "-u", "--format=posix", file).splitlines()}
    assert needed <= {"memcpy", "memset", "memmove", "_GLOBAL_OFFSET_TABLE_"}, (
        "C functions of the system only"
    )


@pytest.mark.parametrize("level", LEVELS)
def test_a_target_starts_nothing(level: str) -> None:
    sections = output_of("objdump", "-h", objects()[f"target_{level}"])
    assert ".text" in sections
    assert not re.search(r"\.(init_array|ctors|init|tbss|tdata)\b", sections)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="these registers are those of x86")
def test_registers_of_each_file() -> None:
    order = list(dict.fromkeys(WIDEST.values()))
    for name, file in objects().items():
        used = {m for m in order for i in all_code(file) if f"%{m}" in i.text}
        level = name.removeprefix("target_")
        widest = WIDEST.get(level, "xmm")
        assert all(order.index(m) <= order.index(widest) for m in used), f"{name} uses {used}"
        if level in WIDEST:
            assert widest in used, f"{name} does not use {widest}"


def all_code(file: Path) -> list[Instruction]:
    return [i for code in functions(file).values() for i in code]


def tiles(level: str, kernel: str, instruction: str, size: int = TILE) -> int:
    """The number of innermost loops with a tile of that instruction, none of which touches the stack."""
    checked, spilling = 0, []
    for name, code in functions(objects()[f"target_{level}"]).items():
        if not re.search(rf"::{kernel}[(<]", name):
            continue
        for loop in innermost_loops(code):
            if sum(instruction in i.text for i in loop) >= size:
                checked += 1
                spilling += [f"{name}: {operand}" for operand in stack_operands(code, loop)]
    assert spilling == []
    return checked


@pytest.mark.skipif(platform.machine() != "x86_64", reason="this reads x86 instructions")
@pytest.mark.parametrize("level", [n for n in LEVELS if n in _core.fused_isas() and n not in EXTENSIONS])
@pytest.mark.parametrize(
    ("kernel", "instruction", "fewest"),
    [
        (r"gemm_\w+", "vfmadd231ps", 10),
        (r"gemm_\w+<.*::Int8Panels", "vpmaddwd", 10),
        (r"gemm_\w+<.*::Int16Panels", "vpmaddwd", 10),
        ("attention<.*::FloatScores, .*::FloatValues>", "vfmadd231ps", 2),
        ("attention<.*::IntegerScores<.*, .*::IntegerValues", "vpmaddwd", 2),
        ("block_scores<.*::FloatScores>", "vfmadd231ps", 2),
        ("block_scores<.*::IntegerScores", "vpmaddwd", 2),
    ],
)
def test_tiles_stay_in_registers(level: str, kernel: str, instruction: str, fewest: int) -> None:
    assert tiles(level, kernel, instruction) >= fewest


@pytest.mark.skipif(platform.machine() != "x86_64", reason="this reads x86 instructions")
@pytest.mark.parametrize(
    ("level", "instruction"), [(n, i) for n in LEVELS if n in EXTENSIONS for i in EXTENSIONS[n]]
)
def test_tiles_of_extensions_stay_in_registers(level: str, instruction: str) -> None:
    assert tiles(level, r"gemm_\w+", instruction) >= 10
    if instruction == "vpdpwssd":
        assert tiles(level, "attention<.*", instruction) >= 2
        assert tiles(level, "block_scores<.*::IntegerScores", instruction) >= 2


@pytest.mark.skipif(platform.machine() != "x86_64", reason="this reads x86 instructions")
@pytest.mark.parametrize("instruction", ["tdpbusd", "tdpbf16ps"])
def test_tiles_of_amx(instruction: str) -> None:
    """With gates and without: four products to a step, whose weights and inputs are read once."""
    assert tiles("amx", "gemm_tiles", instruction, size=4) >= 2


def test_no_file_is_contracted() -> None:
    """A compiler that fuses on its own would give other bits than one that doesn't."""
    files, commands = objects(), compile_commands()
    assert len(commands) >= len(files)
    for command in commands:
        flags = command["command"].split()
        assert "-ffp-contract=off" in flags
        assert not {"-ffast-math", "-Ofast", "-march=native", "-flto"} & set(flags)


@pytest.mark.parametrize("module", ["_core", "cython_ops"])
def test_modules_export_only_their_entry(module: str) -> None:
    found = importlib.util.find_spec(f"polysemy.{module}")
    assert found
    file = Path(str(found.origin))
    exported = [
        line.split()[0]
        for line in output_of("nm", "-D", "--defined-only", "--format=posix", file).splitlines()
    ]
    assert exported == [f"PyInit_{module}"]


@pytest.mark.skipif(sys.platform != "linux", reason="flags of ELF")
@pytest.mark.parametrize("module", ["_core", "cython_ops"])
def test_modules_are_hardened(module: str) -> None:
    """The loader's tables are read-only, no stack runs, nothing is searched for beside the library."""
    found = importlib.util.find_spec(f"polysemy.{module}")
    assert found
    headers = output_of("objdump", "-p", Path(str(found.origin)))
    assert re.search(r"^ *RELRO ", headers, re.MULTILINE) and re.search(r"FLAGS +0x0*8\b", headers)
    assert re.search(r"STACK off.*\n.* flags rw-$", headers, re.MULTILINE)
    assert "RPATH" not in headers and "TEXTREL" not in headers


def test_the_reader_of_loops() -> None:
    """Two loops, one in the other: only the inner one counts, and its access to the stack is seen."""
    texts = ["push %rax", "add %rax,%rbx", "vmovups 0x8(%rsp),%ymm0", "jne 2", "jne 1", "ret"]
    code = [Instruction(i, text) for i, text in enumerate(texts)]
    assert [[i.address for i in loop] for loop in innermost_loops(code)] == [[2, 3]]
    assert stack_operands(code, code[2:4]) == ["vmovups 0x8(%rsp),%ymm0"]
    assert all(a.address < b.address for a, b in pairwise(code))
