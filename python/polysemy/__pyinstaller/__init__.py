"""For PyInstaller, which finds this by an entry point of the package: what it can't see in the sources."""

from __future__ import annotations

__all__ = ["get_hook_dirs"]


def get_hook_dirs() -> list[str]:
    """The folders of hooks."""
    return list(__path__)
