"""What happens before the first result: import, choice of the level, old CPUs, forks."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from every_op import hashes, inputs, results
from polysemy import _core

HERE = Path(__file__).parent
QEMU = shutil.which("qemu-x86_64")
#: Models that qemu emulates -> the levels that they have. docs/platforms.md lists them.
OLDER_CPUS = {
    "Nehalem": ["baseline"],  # 2008, the oldest with x86-64-v2
    "Westmere": ["baseline"],
    "SandyBridge": ["baseline"],  # AVX, but no FMA
    "Opteron_G5": ["baseline"],  # FMA and F16C, but no AVX2
    "Haswell": ["baseline", "avx2"],
    "EPYC": ["baseline", "avx2"],
}


def python(
    *arguments: str, before: tuple[str, ...] = (), **environment: str
) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name != "POLYSEMY_ISA"}
    return subprocess.run(
        [*before, sys.executable, *arguments],
        env=clean | environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize(
    "module", ["functions", "late_interaction", "quantization", "retrieval", "similarity"]
)
def test_a_module_of_util_is_found_by_its_name(module: str) -> None:
    """Each in a process of its own: importing one imports others."""
    done = python("-c", f"import polysemy.util; print(polysemy.util.{module}.__name__)")
    assert done.stdout == f"polysemy.util.{module}\n", done.stderr


@pytest.mark.parametrize("package", ["polysemy", "polysemy.util"])
def test_a_name_that_is_not_there_is_refused(package: str) -> None:
    done = python(
        "-c", f"import {package}\ntry: {package}.nothing\nexcept AttributeError as error: print(error)"
    )
    assert done.stdout == f"module {package!r} has no attribute 'nothing'\n", done.stderr


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import polysemy", {"numpy", "polysemy._core"}),
        ("import polysemy; polysemy.Encoder", set[str]()),
        (
            "import polysemy; polysemy.ops; polysemy.reference; polysemy.isas",
            {"polysemy.encoding", "polysemy.io"},
        ),
    ],
)
def test_import_is_light(statement: str, absent: set[str]) -> None:
    done = python("-c", f"{statement}; import sys; print('\\n'.join(sys.modules))")
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert "polysemy" in loaded
    assert not loaded & {"torch", "tokenizers", "safetensors", "transformers", "tqdm", "huggingface_hub"}
    assert not loaded & absent


def test_what_reads_long_texts_is_imported_with_the_first_one() -> None:
    """It takes milliseconds, which a first embedding of a sentence need not wait for."""
    code = (
        "import sys, polysemy\n"
        "names = {f'polysemy.text.{name}' for name in ('head', 'runs', 'spelling', 'repetitions', 'words')}\n"
        "encoder = polysemy.Encoder.from_pretrained()\n"
        "encoder.encode('the bank')\n"
        "print(names & {*sys.modules})\n"
        "encoder.encode('the bank ' * 20_000)\n"
        "print('polysemy.text.head' in sys.modules)\n"
    )
    done = python("-W", "ignore", "-c", code)
    assert done.stdout.split() == ["set()", "True"], done.stderr


def test_every_public_name_can_be_imported() -> None:
    done = python("-W", "error", "-c", "from polysemy import *; import polysemy; print(*(polysemy.__all__))")
    assert done.returncode == 0, done.stderr
    assert {"Encoder", "ops", "reference", "__version__"} <= set(done.stdout.split())


@pytest.mark.parametrize("value", ["avx1024", "AVX2", "baseline,avx2", " "])
def test_impossible_level(value: str) -> None:
    done = python("-c", "from polysemy import _core; _core.default_isa()", POLYSEMY_ISA=value)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ValueError: environment variable POLYSEMY_ISA: ")
    assert repr(value) in last
    assert last.endswith(f"possible here: {', '.join(_core.isas())}")


@pytest.mark.skipif(platform.machine() != "x86_64", reason="these are x86 CPUs")
@pytest.mark.skipif(QEMU is None and "CI" not in os.environ, reason="needs qemu-user")
@pytest.mark.parametrize(("cpu", "levels"), OLDER_CPUS.items())
def test_older_cpus(cpu: str, levels: list[str]) -> None:
    """No instruction that the CPU lacks, the best level that it has, and the bits of this CPU on that level.

    tests/test_every_op.py compares those with the reference.
    """
    assert QEMU
    done = python(str(HERE / "every_op.py"), before=(QEMU, "-cpu", cpu))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found.pop("isas") == levels
    assert found.pop("isa") == levels[-1]
    assert found == hashes(results(inputs(), levels[-1]))


@pytest.mark.skipif(platform.machine() != "x86_64", reason="these are x86 CPUs")
@pytest.mark.skipif(QEMU is None and "CI" not in os.environ, reason="needs qemu-user")
def test_level_beyond_the_cpu() -> None:
    assert QEMU
    code = "from polysemy import _core; _core.default_isa()"
    done = python("-c", code, before=(QEMU, "-cpu", "Nehalem"), POLYSEMY_ISA="avx2")
    assert done.returncode == 1
    assert (
        "isa 'avx2' needs CPU features that this machine lacks (avx2, fma, f16c); possible here: baseline"
        in done.stderr
    )


def test_the_document_lists_the_older_cpus() -> None:
    page = (HERE.parent / "docs" / "platforms.md").read_text("utf-8")
    listed: dict[str, list[str]] = {}
    for names, levels in re.findall(r"^\| ([\w, ]+?)(?::.*?)? \| ([a-z0-9, ]+) \|$", page, re.M):
        listed |= dict.fromkeys(names.split(", "), levels.split(", "))
    assert {name: levels for name, levels in listed.items() if name in OLDER_CPUS} == OLDER_CPUS


FORK = """
import os, sys
sys.path.insert(0, sys.argv[1])
from every_op import hashes, inputs, results
given = inputs()
before = hashes(results(given, num_threads=3))
for generation in range(2):
    child = os.fork()
    if child == 0:
        same = hashes(results(given, num_threads=3)) == before
        grandchild = os.fork()
        if grandchild == 0:
            os._exit(0 if hashes(results(given, num_threads=2)) == before else 1)
        os._exit(0 if same and os.waitpid(grandchild, 0)[1] == 0 else 1)
    assert hashes(results(given, num_threads=3)) == before
    assert os.waitpid(child, 0)[1] == 0
print("done")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_fork_after_use() -> None:
    """Parent, child and grandchild all go on in parallel, on several threads."""
    done = python("-c", FORK, str(HERE))
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
