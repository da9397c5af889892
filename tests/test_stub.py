"""The stub of the compiled core says what the core says of itself."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import polysemy
import pytest
from polysemy import _core

STUB = Path(str(polysemy.__file__)).with_name("_core.pyi")

Functions = dict[str, ast.FunctionDef]


def functions_of(body: list[ast.stmt]) -> Functions:
    return {node.name: node for node in body if isinstance(node, ast.FunctionDef)}


def stub_functions() -> Functions:
    """Functions of the module, and methods as ``Class.method``, properties left out."""
    tree = ast.parse(STUB.read_text("utf-8"))
    found = functions_of(tree.body)
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            methods = functions_of(node.body)
            found |= {f"{node.name}.{name}": m for name, m in methods.items() if not m.decorator_list}
    return found


def core_functions(home: ModuleType | type = _core, prefix: str = "") -> Functions:
    """The same from the signatures that pybind11 writes on the first line of each docstring."""
    found: Functions = {}
    for name, member in vars(home).items():
        if isinstance(member, type):
            found |= core_functions(member, f"{name}.")
        elif callable(member) and (name == "__init__" or not name.startswith("_")):
            signature = (member.__doc__ or "").splitlines()[0]
            # The type of self is written with dots, which is fine for the parser.
            node = ast.parse(f"def {signature}: ...").body[0]
            assert isinstance(node, ast.FunctionDef)
            found[f"{prefix}{name}"] = node
    return found


def parameters(function: ast.FunctionDef) -> list[tuple[str, str, Any]]:
    """Name, kind and default of every parameter. A list and a tuple of the same values are the same default."""

    def value(node: ast.expr | None) -> Any:
        if node is None:
            return "required"
        literal = ast.literal_eval(node)
        return tuple(literal) if isinstance(literal, list) else literal

    a = function.args
    positional = [*a.posonlyargs, *a.args]
    defaults: list[ast.expr | None] = [*[None] * (len(positional) - len(a.defaults)), *a.defaults]
    found = [(p.arg, "positional", value(d)) for p, d in zip(positional, defaults, strict=True)]
    return found + [(p.arg, "keyword", value(d)) for p, d in zip(a.kwonlyargs, a.kw_defaults, strict=True)]


def kind_of(annotation: ast.expr | None) -> str:
    """What pybind11 can know of a type: an array is any object to it, a typed dict is a dict."""
    text = "" if annotation is None else ast.unparse(annotation)
    text = re.sub(r"(typing|collections\.abc)\.", "", text)
    text = re.sub(r"Annotated\[(.*), 'FixedSize\(\d\)'\]", r"\1", text)
    text = text.replace("SupportsInt | SupportsIndex", "int").replace(
        "SupportsFloat | SupportsIndex", "float"
    )
    text = text.replace("polysemy._core.", "")
    text = re.sub(r"\bdict\[.*\]|_\w+Info|_ForwardResult", "dict", text)
    return "object" if "NDArray" in text else text


def test_same_functions() -> None:
    assert stub_functions().keys() == core_functions().keys()


@pytest.mark.parametrize("name", stub_functions())
def test_same_parameters(name: str) -> None:
    stub, core = stub_functions()[name], core_functions()[name]
    assert parameters(stub) == parameters(core)


@pytest.mark.parametrize("name", stub_functions())
def test_same_types(name: str) -> None:
    stub, core = stub_functions()[name], core_functions()[name]
    assert kind_of(stub.returns) == kind_of(core.returns)
    for ours, theirs in zip(
        [*stub.args.args, *stub.args.kwonlyargs], [*core.args.args, *core.args.kwonlyargs], strict=True
    ):
        if ours.arg != "self":
            assert kind_of(ours.annotation) == kind_of(theirs.annotation), ours.arg


def test_every_function_is_described() -> None:
    undescribed = {name for name, node in stub_functions().items() if ast.get_docstring(node) is None}
    records = {f"{name}.__init__" for name in vars(_core) if name.endswith("Spec")}
    assert undescribed == {"PackedWeight.__init__", "Packing.__init__", *records}  # their classes say it


def test_stubtest(tmp_path: Path) -> None:
    """mypy's own comparison; only the metaclass of pybind11's types is not in the stub."""
    (tmp_path / "mypy.ini").write_text("[mypy]\n")
    (tmp_path / "allowed").write_text("polysemy._core.(Encoder|PackedWeight|Packing|[A-Za-z]*Spec)\n")
    command = [sys.executable, "-m", "mypy.stubtest", "polysemy._core"]
    done = subprocess.run(
        [*command, "--allowlist", "allowed", "--mypy-config-file", "mypy.ini"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
