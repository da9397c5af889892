"""The modules of a sentence-transformers folder, in order, and which way they go through a Router."""

from __future__ import annotations

import re
from pathlib import Path

from ..errors import CheckpointError, UnsupportedModelError
from ..shown import shown
from .files import is_there
from .jsonfile import read_json, read_json_object

__all__ = ["Module", "list_modules", "refuse_route", "routes_of"]

_PACKAGE = "sentence_transformers."
# Classes of other packages that compute what one of sentence_transformers computes.
_OTHERS = {"pylate.models.Dense.Dense": "Dense"}
# Real models have up to six modules.
_MOST_MODULES = 32
_FOLDER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")

Module = tuple[str, Path]
"""The kind of a module, and its folder."""


def list_modules(folder: Path, route: str | None = None) -> list[Module]:
    """The kind and the folder of every module, in order.

    A Router stands for the modules of one of its routes: of ``route``, or of the default one.
    """
    source = folder / "modules.json"
    modules: list[Module] = []
    entries = _entries(source, folder)
    if all(kind != "Router" for kind, _ in entries):
        refuse_route(folder, route)
    for kind, path in entries:
        modules += _routed(path, route) if kind == "Router" else [(kind, path)]
    if not modules:
        raise CheckpointError(f"{source}: the route has no modules")
    return modules


def refuse_route(folder: Path, route: str | None) -> None:
    """Raise ``UnsupportedModelError`` when a route is asked of a folder without a Router."""
    if route is not None:
        raise UnsupportedModelError(
            f"{folder}: route must be None for a model without a Router, got {shown(route)}"
        )


def routes_of(folder: Path) -> tuple[str, ...]:
    """The routes of a folder's Router, the default one first; none without a Router."""
    source = folder / "modules.json"
    if not is_there(source):
        return ()
    for kind, path in _entries(source, folder):
        if kind == "Router":
            first = _chosen(path, None)
            return (first, *(route for route in _structure(_router_file(path)) if route != first))
    return ()


def _entries(source: Path, folder: Path) -> list[Module]:
    entries = read_json(source)
    if not isinstance(entries, list) or not entries:
        raise CheckpointError(f"{source} must hold a non-empty list of modules")
    if len(entries) > _MOST_MODULES:
        raise CheckpointError(f"{source} must hold at most {_MOST_MODULES} modules, got {len(entries):,}")
    modules: list[Module] = []
    for entry in entries:
        match entry:
            case {"type": str(kind), "path": str(path)}:
                pass
            case _:
                raise CheckpointError(
                    f"{source}: a module must have the strings 'type' and 'path', got {shown(entry)}"
                )
        path = "" if path == "." else path
        if path and not _FOLDER.fullmatch(path):
            raise CheckpointError(f"{source}: a module's path must be a folder beside it, got {shown(path)}")
        modules.append((_kind(kind, source), folder / path))
    return modules


def _kind(name: str, source: Path) -> str:
    if name in _OTHERS:
        return _OTHERS[name]
    if not name.startswith(_PACKAGE):
        raise UnsupportedModelError(
            f"{source}: a module must be one of sentence_transformers, got {shown(name)}, which is code of "
            "another package"
        )
    return name.rpartition(".")[2]


def _router_file(folder: Path) -> Path:
    source = folder / "router_config.json"
    return source if is_there(source) else folder / "config.json"


def _structure(source: Path) -> dict[str, list[str]]:
    """Route -> its modules, by name."""
    structure = read_json_object(source).get("structure")
    if (
        not isinstance(structure, dict)
        or not structure
        or not all(isinstance(names, list) and len(names) <= _MOST_MODULES for names in structure.values())
        or len(structure) > _MOST_MODULES
    ):
        raise CheckpointError(
            f"{source}: structure must be an object of lists of at most {_MOST_MODULES} modules, got {shown(structure)}"
        )
    return structure


def _chosen(folder: Path, route: str | None) -> str:
    """The route that is asked for, or the default one."""
    source = _router_file(folder)
    structure = _structure(source)
    parameters = read_json_object(source).get("parameters") or {}
    if not isinstance(parameters, dict):
        raise CheckpointError(f"{source}: parameters must be an object, got {shown(parameters)}")
    if parameters.get("route_mappings"):
        raise UnsupportedModelError(f"{source}: route_mappings are not supported")
    chosen = parameters.get("default_route") if route is None else route
    if chosen is None and parameters.get("allow_empty_key", True):
        chosen = next(iter(structure))
    if not isinstance(chosen, str) or chosen not in structure:
        raise UnsupportedModelError(
            f"{source}: a route must be one of {sorted(structure)}, got {shown(chosen)}"
        )
    return chosen


def _routed(folder: Path, route: str | None) -> list[Module]:
    """The modules of a route."""
    source = _router_file(folder)
    types = read_json_object(source).get("types")
    if not isinstance(types, dict):
        raise CheckpointError(f"{source}: types must be an object, got {shown(types)}")
    modules: list[Module] = []
    for name in _structure(source)[_chosen(folder, route)]:
        kind = types.get(name) if isinstance(name, str) and (not name or _FOLDER.fullmatch(name)) else None
        if not isinstance(kind, str) or kind.endswith(".Router"):
            raise CheckpointError(f"{source}: types must name the class of each module, got {shown(name)}")
        modules.append((_kind(kind, source), folder / name))
    return modules
