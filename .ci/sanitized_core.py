"""pytest plugin: `polysemy._core` is the extension module that the environment variable SANITIZED_CORE names, and
the C library is that of SANITIZED_LIBRARY."""

from __future__ import annotations

import importlib.util
import os
import sys

import polysemy
import polysemy.native

if "polysemy._core" in sys.modules:
    raise ImportError("polysemy._core was imported before it could be replaced")
spec = importlib.util.spec_from_file_location("polysemy._core", os.environ["SANITIZED_CORE"])
if spec is None or spec.loader is None:
    raise ImportError(f"no extension module: {os.environ['SANITIZED_CORE']}")
core = importlib.util.module_from_spec(spec)
sys.modules["polysemy._core"] = core
spec.loader.exec_module(core)
polysemy._core = core
polysemy.native.get_library = lambda: os.environ["SANITIZED_LIBRARY"]


def pytest_report_header() -> str:
    """So that the log shows what was tested."""
    return f"polysemy._core: {core.__file__}, C library: {polysemy.native.get_library()}"
