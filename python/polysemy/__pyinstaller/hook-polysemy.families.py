"""The families are imported by names that no source has."""

from __future__ import annotations

from pkgutil import iter_modules

from polysemy import families

hiddenimports = [f"{families.__name__}.{module.name}" for module in iter_modules(families.__path__)]
