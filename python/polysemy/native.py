"""Where C, C++ and Cython programs find this installation's header, library and CMake package."""

from __future__ import annotations

import sys
from pathlib import Path

__all__ = ["cmake_dir", "get_include", "get_library"]

_LIBRARY = {"win32": "polysemy.dll", "darwin": "libpolysemy.dylib"}.get(sys.platform, "libpolysemy.so")


def get_include() -> str:
    """The folder of ``polysemy.h``, for the compiler's ``-I``; Cython code that cimports polysemy needs it, too.

    Raises ``FileNotFoundError`` if this installation lacks it.
    """
    return str(_installed("include/polysemy.h").parent)


def get_library() -> str:
    """The file of the shared library that C and C++ programs link; it needs neither Python nor NumPy.

    Raises ``FileNotFoundError`` if this installation lacks it.
    """
    return str(_installed(f"lib/{_LIBRARY}"))


def cmake_dir() -> str:
    """What to set ``polysemy_DIR`` to, so that CMake's ``find_package(polysemy)`` finds this installation.

    Raises ``FileNotFoundError`` if this installation lacks it.
    """
    return str(_installed("cmake/polysemyConfig.cmake").parent)


def _installed(name: str) -> Path:
    # An editable installation has several folders: the sources, and what was built from them.
    folders = [Path(folder) for folder in sys.modules[__package__].__path__]
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"polysemy: {name} is not installed in {' or '.join(map(str, folders))}")
