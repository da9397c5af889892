"""A family is one file: found where it lies, in a folder, in a zip file, and by PyInstaller."""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from pkgutil import iter_modules

import numpy as np
import polysemy
import pytest
from family_case import found
from polysemy import Encoder, _core, families
from polysemy.__pyinstaller import get_hook_dirs
from polysemy.families import all_families, find_family
from polysemy.families.config import Config
from tiny_models import bert_config, stored, write_transformer

PACKAGE = Path(polysemy.__file__).parent
MADE_UP = """
from .bert import bert_names, bert_spec
from .family import Family

FAMILY = Family(
    model_types=("{model_type}",),
    spec=bert_spec,
    names=lambda spec: {{key: f"mine.{{name}}" for key, name in bert_names(spec).items()}},
)
"""


def run(path: Path, code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def copied(path: Path) -> Path:
    """The package in another folder."""
    copy = path / "polysemy"
    shutil.copytree(PACKAGE, copy, copy_function=os.symlink, ignore=shutil.ignore_patterns("__pycache__"))
    core = Path(_core.__file__)
    if not (copy / core.name).exists():  # installed for use from the sources
        (copy / core.name).symlink_to(core)
    return copy


@pytest.mark.parametrize("model_type", ["made-up", "another-name"])
def test_a_new_file_is_a_family(tmp_path: Path, model_type: str) -> None:
    """Also where its module is called otherwise than its model_type."""
    made_up = copied(tmp_path) / "families" / "made_up.py"
    made_up.write_text(MADE_UP.format(model_type=model_type))
    tensors = {f"mine.{name}": array for name, array in stored().items()}
    folder = write_transformer(
        tmp_path / "m", config=bert_config() | {"model_type": model_type}, tensors=tensors
    )
    code = (
        "import polysemy, numpy\n"
        f"encoder = polysemy.Encoder.from_pretrained({str(folder)!r})\n"
        f"numpy.save({str(tmp_path / 'got.npy')!r}, encoder.forward('the bank').hidden_state(0))\n"
        "print(polysemy.__file__, encoder.card.model_type)"
    )
    done = run(tmp_path, code)
    assert done.stdout.split() == [str(tmp_path / "polysemy" / "__init__.py"), model_type], done.stderr
    same = Encoder.from_pretrained(write_transformer(tmp_path / "bert"))
    np.testing.assert_array_equal(np.load(tmp_path / "got.npy"), same.forward("the bank").hidden_state(0))
    made_up.unlink()
    done = run(tmp_path, code)
    found = done.stderr.splitlines()[-1].partition(
        f"model_type='{model_type}' is not supported; supported: "
    )[2]
    known = {name for family in all_families() for name in family.model_types}
    assert found.split(", ") == sorted(known), done.stderr


def test_only_the_family_that_is_asked_for_is_imported(tmp_path: Path) -> None:
    code = (
        "import sys; from polysemy.families import find_family; from polysemy.families.config import Config; "
        "find_family(Config({'model_type': 'bert'})); "
        "print(*sorted(name.rpartition('.')[2] for name in sys.modules if 'polysemy.families.' in name))"
    )
    done = run(PACKAGE.parent, code)
    assert done.stdout.split() == ["bert", "config", "family"], done.stderr


def test_in_a_zip_file(tmp_path: Path) -> None:
    """All but the compiled core, which no zip file can hold."""
    ignored = shutil.ignore_patterns("__pycache__", "*.so")
    shutil.copytree(PACKAGE, tmp_path / "root" / "polysemy", ignore=ignored)
    archive = shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path / "root")
    code = (
        "import sys, polysemy; from importlib import util\n"
        f"spec = util.spec_from_file_location('polysemy._core', {_core.__file__!r})\n"
        "polysemy._core = sys.modules['polysemy._core'] = util.module_from_spec(spec)\n"
        "spec.loader.exec_module(polysemy._core)\n"
        "from polysemy import families\n"
        "print(families.__file__, *(name for family in families.all_families() for name in family.model_types))"
    )
    file, *names = run(Path(archive), code).stdout.split()
    assert file == f"{archive}/polysemy/families/__init__.py"
    assert names == [name for family in all_families() for name in family.model_types]


def test_pyinstaller_is_told() -> None:
    (folder,) = get_hook_dirs()
    hook = runpy.run_path(f"{folder}/hook-polysemy.families.py")
    all_families()
    prefix = f"{families.__name__}."
    assert set(hook["hiddenimports"]) == {name for name in sys.modules if name.startswith(prefix)}
    project = (Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8")
    assert f'hook-dirs = "{get_hook_dirs.__module__}:{get_hook_dirs.__name__}"' in project


def test_a_model_type_means_one_family() -> None:
    """Whatever the order of the files; further families need to be named by their code."""
    names = [name for family in all_families() if not family.remote_only for name in family.model_types]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", ["family", "config", "__init__", "..errors", "os", "bert.FAMILY", "a" * 999])
def test_a_model_type_is_never_a_module_to_import(name: str) -> None:
    before = set(sys.modules)
    with pytest.raises(polysemy.UnsupportedModelError, match="supported: albert, bert"):
        find_family(Config({"model_type": name}))
    assert set(sys.modules) - before <= {
        f"polysemy.families.{module.name}" for module in iter_modules(families.__path__)
    }


def test_files_of_cases_are_called_like_families() -> None:
    known = {module.name for module in iter_modules(families.__path__)}
    assert {module.__name__.rpartition(".")[2] for module in found()} <= known
