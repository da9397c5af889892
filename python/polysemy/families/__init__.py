"""Encoder families: each is one file that turns a ``config.json`` into a spec and names the tensors.

To add one, write its file: a module here that has a ``FAMILY`` is a family. Called like its ``model_type``, it is found
without a look at the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from itertools import chain
from pkgutil import iter_modules

from ..errors import UnsupportedModelError
from .config import Config
from .family import Family

__all__ = ["all_families", "find_family"]


def find_family(config: Config) -> Family:
    """The family that a configuration belongs to.

    Raises ``UnsupportedModelError`` for an unknown one, for code beside the checkpoint that means none of them, and
    for quantized weights.
    """
    model_type = config.text("model_type", "")
    families = (family for family in _families(model_type) if model_type in family.model_types)
    first = next(families, None)
    if first is None:
        got = f"model_type={model_type!r} is not supported" if model_type else "model_type is missing"
        known = sorted({name for family in all_families() for name in family.model_types})
        raise UnsupportedModelError(f"{config.source}: {got}; supported: {', '.join(known)}")
    config.require("quantization_config")
    codes = config.section("auto_map")
    code = codes.text("AutoModel", "") if codes else None
    for family in chain([first], families):
        if family.means(code):
            return family
    raise UnsupportedModelError(
        f"{config.source}: auto_map names {code!r}, code that replaces the model and is not run"
    )


def all_families() -> tuple[Family, ...]:
    """Every family, by the names of their modules."""
    return tuple(_families())


def _families(model_type: str = "") -> Iterator[Family]:
    """The families, imported one by one; first that whose module is called like the ``model_type``."""
    namesake = model_type.replace("-", "_")
    for name in sorted(_modules(), key=lambda name: (name != namesake, name)):
        family: Family | None = getattr(import_module(f"{__name__}.{name}"), "FAMILY", None)
        if family is not None:
            yield family


@cache
def _modules() -> tuple[str, ...]:
    """The names of the modules here, in a folder, a zip file or a frozen program."""
    return tuple(module.name for module in iter_modules(__path__))
