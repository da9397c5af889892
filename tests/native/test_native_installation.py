"""C, CMake and Cython users build against an installed wheel, outside of the source tree."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from installed import ROOT, Installation, program, run
from polysemy import _core, reference
from polysemy.families.bert import post_norm_layer
from polysemy.model.params import expected_shapes
from polysemy.model.spec import Activation, EmbeddingSpec, EncoderSpec, Norm, NormSpec, native

EXAMPLES = ROOT / "examples"
STRICT = ["-Wall", "-Wextra", "-Werror", "-pedantic"]


def worked_example() -> str:
    """What examples/c/attention.c must print: the two mixtures, computed here by NumPy."""
    lines = []
    for others, weights, values in [
        (("money", "loan"), [0.51, 0.19, 0.30], [[1.0, 0.0], [0.5, 0.5], [0.8, 0.2]]),
        (("river", "water"), [0.35, 0.15, 0.50], [[0.0, 1.0], [0.5, 0.5], [0.1, 0.9]]),
    ]:
        first, last = others
        finance, riverside = np.array(weights) @ np.array(values)
        lines.append(f"bank beside {first} and {last}")
        for word, weight in zip([first, "bank", last], weights, strict=True):
            lines.append(f"  attends to {word:5} {weight:.6f}")
        lines.append(f"  finance {finance:.6f}, riverside {riverside:.6f}")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(("compiler", "language"), [("cc", "c"), ("c++", "c++")], ids=["c99", "c++11"])
def test_header_alone(installation: Installation, tmp_path: Path, compiler: str, language: str) -> None:
    standard = {"c": "-std=c99", "c++": "-std=c++11"}[language]
    source = tmp_path / "header.txt"
    source.write_text(
        "#include <polysemy.h>\n#include <polysemy.h>\nint main(void) { return POLYSEMY_OK; }\n"
    )
    command = [program(compiler), "-x", language, standard, *STRICT, "-fsyntax-only"]
    run(*command, "-I", installation.include, source, cwd=tmp_path)


def encoder_example(printed: str) -> None:
    """Check what examples/c/encoder.c printed against the same encoder made here."""
    norm = NormSpec(Norm.LAYER, 1e-12, bias=True)
    layer = post_norm_layer(heads=4, head_dim=8, ffn=128, activation=Activation.GELU_ERF, norm=norm)
    spec = EncoderSpec(32, 16, EmbeddingSpec(8, 32, positions=True, norm=norm), layer.times(2))
    state, weights = 1, {}
    for name, shape in expected_shapes(spec).items():
        values = []
        for _ in range(int(np.prod(shape))):
            state = (state * 1664525 + 1013904223) % 2**32
            values.append((state >> 8) / 2**25 - 0.25 + (len(shape) == 1 and name.endswith(".weight")))
        weights[name] = np.array(values, dtype=np.float32).reshape(shape)
    ids = np.array([0, 2, 3, 4, 1, 0, 2, 5, 1, 7, 6], dtype=np.int32)
    encoder = _core.Encoder(native(spec), weights)
    result = encoder.forward(ids, np.array([0, 5, 9, 11]), layers=[0, 1, 2], pooling="mean", normalize=True)
    lines = printed.splitlines()
    for i, hidden in result["hidden"].items():
        first, second = hidden[[1, 6]].astype(np.float64)
        cosine = first @ second / np.sqrt((first @ first) * (second @ second))
        assert lines[i] == f"layer {i}: cosine of bank and bank {cosine:.6f}"
        assert (cosine > 0.999999) == (i == 0)
    assert result["pooled"] is not None and len(lines) == 6
    for line, vector in zip(
        lines[3:], result["pooled"], strict=True
    ):  # to the last bit: nine digits are enough
        assert line.split("-> ")[1] == " ".join([f"{float(x):.9g}" for x in vector[:4]]) + " ..."
    assert lines[4].startswith("[CLS] bank river [SEP] -> ")


@pytest.mark.parametrize("example", ["attention", "encoder"])
def test_c_program(installation: Installation, tmp_path: Path, example: str) -> None:
    rpath = f"-Wl,-rpath,{installation.library.parent}"
    source = shutil.copy(EXAMPLES / "c" / f"{example}.c", tmp_path)
    command: list[str | Path] = [program("cc"), "-std=c99", *STRICT, "-I", installation.include]
    run(*command, source, installation.library, rpath, "-lm", "-o", example, cwd=tmp_path)
    check_example(example, run(tmp_path / example, cwd=tmp_path))


def check_example(example: str, printed: str) -> None:
    if example == "attention":
        assert printed == worked_example()
    else:
        encoder_example(printed)


def build_with_cmake(package: Path, folder: Path) -> str:
    """Build examples/c against a CMake package. The programs are in folder/build; gives the commands."""
    shutil.copytree(EXAMPLES / "c", folder / "source")
    cmake = program("cmake")
    tools = ["-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={program('ninja')}"]
    run(cmake, "-S", "source", "-B", "build", *tools, f"-Dpolysemy_DIR={package}", cwd=folder)
    return run(cmake, "--build", "build", "--verbose", cwd=folder)


def test_cmake_consumer(installation: Installation, tmp_path: Path) -> None:
    build_with_cmake(installation.cmake, tmp_path)
    for example in ("attention", "encoder"):
        check_example(example, run(tmp_path / "build" / example, cwd=tmp_path))


def test_cmake_package_moves_with_its_folder(installation: Installation, tmp_path: Path) -> None:
    """Nothing in it names the place where it was built or installed."""
    elsewhere = tmp_path / "elsewhere" / "polysemy"
    shutil.copytree(installation.cmake.parent, elsewhere, ignore=shutil.ignore_patterns("*.py"))
    for file in (elsewhere / "cmake").iterdir():
        text = file.read_text()
        assert str(installation.cmake.parents[1]) not in text
        assert str(ROOT) not in text
    assert str(elsewhere / "lib") in build_with_cmake(elsewhere / "cmake", tmp_path)
    assert run(tmp_path / "build" / "attention", cwd=tmp_path) == worked_example()


CALL = """
import sys, numpy as np
arrays = np.load(sys.argv[1])
from attention_layer import attention_layer
import polysemy.ops
np.save(sys.argv[2], attention_layer(arrays["x"], 4, *(arrays[n] for n in ("qkv", "out", "gamma", "beta"))))
polysemy.set_num_threads(2)
again = attention_layer(arrays["x"], 4, *(arrays[n] for n in ("qkv", "out", "gamma", "beta")))
assert np.array_equal(again, np.load(sys.argv[2]))
try:
    attention_layer(arrays["x"], 5, *(arrays[n] for n in ("qkv", "out", "gamma", "beta")))
except ValueError as error:
    print(error)
"""


def test_cython_extension(installation: Installation, tmp_path: Path) -> None:
    folder = shutil.copytree(EXAMPLES / "cython", tmp_path / "cython")
    run(installation.python, "setup.py", "--quiet", "build_ext", "--inplace", cwd=folder)
    random = np.random.default_rng(0)
    tokens, hidden, heads = 50, 64, 4
    shapes = {"x": (tokens, hidden), "qkv": (3 * hidden, hidden), "out": (hidden, hidden)}
    arrays = {name: random.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    arrays |= {name: random.standard_normal(hidden).astype(np.float32) for name in ("gamma", "beta")}
    arrays["qkv"] *= hidden**-0.5
    arrays["out"] *= hidden**-0.5
    np.savez(folder / "arrays.npz", **arrays)  # type: ignore[arg-type]
    said = run(installation.python, "-c", CALL, "arrays.npz", "result.npy", cwd=folder)
    assert said == "attention_layer: shapes and heads do not fit each other\n"

    wide = {name: array.astype(np.float64) for name, array in arrays.items()}
    parts = (wide["x"] @ wide["qkv"].T).reshape(tokens, 3, heads, hidden // heads).transpose(1, 2, 0, 3)
    mixed = reference.scaled_dot_product_attention(*parts).transpose(1, 0, 2).reshape(tokens, hidden)
    summed = wide["x"] + mixed @ wide["out"].T
    expected = reference.layer_norm(summed, hidden, wide["gamma"], wide["beta"], eps=1e-12)
    # Each of four steps errs by at most 8u of the magnitudes that it adds up, 64 terms of about 1; the norm
    # divides by a deviation of about 1 and scales by gamma.
    bound = 4 * 8 * 2.0**-24 * hidden * np.abs(wide["gamma"]).max()
    result = np.load(folder / "result.npy")
    assert result.dtype == np.float32
    assert np.abs(result - expected).max() <= bound
    assert np.abs(expected).mean() > 0.5


def test_cython_uses_the_core_of_python(installation: Installation, tmp_path: Path) -> None:
    """No second core, no second thread setting, nothing to link."""
    source = tmp_path / "probe.pyx"
    source.write_text(
        "# cython: language_level=3\n"
        "from libc.stdint cimport int64_t\n"
        "from polysemy.cython_ops cimport POLYSEMY_OK, core, encoder_spec, parameter\n"
        "def threads(): return core.get_num_threads()\n"
        "def isa(): return core.isa().decode()\n"
        "def choose(int n): return core.set_num_threads(n)\n"
        "def fail():\n"
        "    status = core.layer_norm_f32(-1, 6, NULL, 6, NULL, 0, NULL, NULL, 1e-5, NULL, 6, 1)\n"
        "    return status, core.last_error().decode()\n"
        "def parameters():\n"
        "    cdef encoder_spec spec\n"
        "    cdef parameter first\n"
        "    cdef int64_t count\n"
        "    core.encoder_spec_init(&spec, sizeof(spec))\n"
        "    spec.hidden, spec.max_positions, spec.embedding.vocab = 5, 1, 7\n"
        "    assert core.encoder_parameters(&spec, &first, 1, &count) == POLYSEMY_OK\n"
        "    return count, first.name.decode(), first.rows, first.columns\n"
    )
    setup = (EXAMPLES / "cython" / "setup.py").read_text().replace("attention_layer", "probe")
    (tmp_path / "setup.py").write_text(setup)
    run(installation.python, "setup.py", "--quiet", "build_ext", "--inplace", cwd=tmp_path)
    code = (
        "import polysemy, probe\n"
        "polysemy.set_num_threads(3); assert probe.threads() == 3\n"
        "assert probe.choose(2) == 0 and polysemy.get_num_threads() == 2\n"
        "assert probe.isa() == polysemy.runtime.default_isa()\n"
        "assert probe.parameters() == (1, 'embeddings.token', 7, 5)\n"
        "print(*probe.fail())\n"
    )
    said = run(installation.python, "-c", code, cwd=tmp_path)
    assert said == "1 layer_norm_f32: rows must be 0 or more, got -1\n"


def test_the_table_has_every_function(installation: Installation) -> None:
    """What the header declares, but for the older name, is in the table and declared to Cython; no limit differs."""
    header = (installation.include / "polysemy.h").read_text()
    declared = re.findall(r"POLYSEMY_API [^;]*?\bpolysemy_(\w+)\(", header)
    declared.remove("gemm_f32")
    table = re.findall(r"ENTRY\((\w+)\)", (installation.include / "polysemy_api.h").read_text())
    assert sorted(table) == sorted(declared)  # which has new functions at its end
    slots = (installation.include.parent / "cython_ops.pxd").read_text()
    assert re.findall(r"^ +[\w *]+\(\*(\w+)\)\(", slots, re.MULTILINE) == declared
    assert f"1 to {_core.MOST_THREADS}; 0 goes back" in header


def test_exported_symbols(installation: Installation, tmp_path: Path) -> None:
    """The library exports what the header declares, a module its start function, and nothing else."""

    def exported(file: Path) -> set[str]:
        lines = run(program("nm"), "-D", "--defined-only", file, cwd=tmp_path).splitlines()
        return {line.split()[2].split("@")[0] for line in lines if line.split()[1] != "A"}

    header = (installation.include / "polysemy.h").read_text()
    declared = set(re.findall(r"POLYSEMY_API [^;]*?\b(polysemy_\w+)\(", header))
    assert len(declared) >= 20
    assert exported(installation.library) == declared
    folder = installation.library.parents[1]
    for name in ("_core", "cython_ops"):
        (module,) = folder.glob(f"{name}.*.so")
        assert exported(module) == {f"PyInit_{name}"}


def test_library_needs_no_python(installation: Installation, tmp_path: Path) -> None:
    needed = run(program("readelf"), "-d", installation.library, cwd=tmp_path)
    libraries = re.findall(r"NEEDED.*\[(.*)\]", needed)
    assert any(name.startswith(("libgomp", "libomp")) for name in libraries)
    assert not any("python" in name for name in libraries)
