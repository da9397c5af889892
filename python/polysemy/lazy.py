"""Modules whose names are imported when they are asked for: most programs need few of them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module

__all__ = ["attributes"]


def attributes(module: str, homes: Mapping[str, str]) -> Callable[[str], object]:
    """The ``__getattr__`` of a module: name -> the module below it that has this name, or is it."""

    def get(name: str) -> object:
        home = homes.get(name)
        if home is None:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        found = import_module(f"{module}.{home}")
        value: object = found if home == name else getattr(found, name)
        setattr(sys.modules[module], name, value)  # the next access finds it without coming here
        return value

    return get
