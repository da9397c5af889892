"""A row of the catalogue, and the classes of precisions within which engines are compared."""

from __future__ import annotations

from dataclasses import dataclass

from bench.machine import versions

FLOAT32 = "float32"
CLASSES = {FLOAT32: ("float32",), "16-bit": ("bfloat16", "float16", "int16"), "8-bit": ("int8",)}
"""The precisions of each class: an engine has rivals in its own class alone."""

LEAST_COSINE = {"16-bit": 0.999, "8-bit": 0.5}
"""A sentence vector that is farther from our float32 one comes from a broken conversion, not from rounding."""


@dataclass(frozen=True, slots=True)
class Engine:
    name: str  # of a reduced one with its precision
    module: str  # below bench.engines.backends
    form: str  # which form of the engine its Backend is asked for
    needs: tuple[str, ...]  # distributions at run time; the first one's version is the engine's
    install: tuple[str, ...]  # for pip
    imports: tuple[str, ...]  # what a program using it imports, for the cold-start measurement
    options: str  # what was done to make it fast
    approximate: str = ""  # why its float32 output is further from ours than rounding explains
    precision: str = FLOAT32  # of the matrix products

    @property
    def kind(self) -> str:
        """The class of its precision, of `CLASSES`."""
        return next(kind for kind, precisions in CLASSES.items() if self.precision in precisions)

    def missing(self) -> list[str]:
        return [name for name, version in versions(self.needs).items() if version is None]

    def version(self) -> str:
        return "not installed" if self.missing() else str(versions(self.needs[:1])[self.needs[0]])
