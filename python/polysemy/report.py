"""What `polysemy info` and `python -m polysemy` tell about the build, this machine and this process."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict

import numpy as np

from . import _core
from .model.precision import PRECISIONS, choose
from .record import record
from .runtime import openmp_conflict, openmp_runtimes

__all__ = ["RuntimeReport", "runtime_report"]


@record
class RuntimeReport:
    """Facts about the installed build and this process. Sizes are in bytes, 0 where unknown."""

    version: str
    compiler: str
    build_type: str
    python: str
    numpy: str
    cpu: str
    cpu_features: list[str]
    l1d: int
    l2: int
    l3: int
    isas_built: list[str]
    isas: list[str]
    isa: str
    isa_reason: str
    products: dict[str, str]
    """By precision, the instruction that multiplies."""
    precision_auto: str
    precision_reason: str
    threads: int
    threads_reason: str
    openmp_built_with: str
    openmp_runtimes: list[str] | None
    openmp_conflict: str | None

    def plain(self) -> dict[str, object]:
        """As values that JSON knows."""
        return asdict(self)

    def rows(self) -> list[tuple[str, str]]:
        """Label and value of each line to print."""
        missing = [name for name in self.isas_built if name not in self.isas]
        levels = ", ".join(self.isas) + (f" (this CPU lacks {', '.join(missing)})" if missing else "")
        rows = [
            ("polysemy", f"{self.version}, {self.build_type} build by {self.compiler}"),
            ("Python", f"{self.python}, NumPy {self.numpy}"),
            ("CPU", self.cpu),
            ("caches", f"L1d {_bytes(self.l1d)}, L2 {_bytes(self.l2)}, L3 {_bytes(self.l3)}"),
            ("ISA levels", levels),
            ("ISA in use", f"{self.isa} ({self.isa_reason})"),
            ("products", ", ".join(f"{name} by {how}" for name, how in self.products.items())),
            ("precision 'auto'", f"{self.precision_auto} ({self.precision_reason})"),
            ("threads", f"{self.threads} ({self.threads_reason})"),
        ]
        if self.openmp_runtimes is None:
            rows.append(("OpenMP", f"{self.openmp_built_with} (loaded files can't be listed on this system)"))
        else:
            rows.extend(("OpenMP", file) for file in self.openmp_runtimes)
            rows.append(("conflicts", self.openmp_conflict or "none among the OpenMP runtimes loaded here"))
        return rows


def runtime_report() -> RuntimeReport:
    """Ask the compiled core and the system. Raises ``ValueError`` when ``POLYSEMY_ISA`` is impossible."""
    build, cpu = _core.build_info(), _core.cpu_info()
    products, auto = _core.products(), choose()
    loaded = openmp_runtimes()
    return RuntimeReport(
        version=_core.__version__,
        compiler=build["compiler"],
        build_type=build["build_type"],
        python=f"{platform.python_version()} ({platform.python_implementation()})",
        numpy=np.__version__,
        cpu=str(cpu["model"]),
        cpu_features=_strings(cpu["features"]),
        l1d=_size(cpu["l1d"]),
        l2=_size(cpu["l2"]),
        l3=_size(cpu["l3"]),
        isas_built=_core.built_isas(),
        isas=_core.isas(),
        isa=_core.default_isa(),
        isa_reason="POLYSEMY_ISA" if os.environ.get("POLYSEMY_ISA") else "the best for this CPU",
        products={name: products[name][0] for name in PRECISIONS},
        precision_auto=auto.precision,
        precision_reason=auto.reason,
        threads=_core.get_num_threads(),
        threads_reason=_core.num_threads_reason(),
        openmp_built_with=build["openmp"],
        openmp_runtimes=loaded,
        openmp_conflict=openmp_conflict(loaded or []),
    )


def _strings(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []


def _size(value: object) -> int:
    return value if isinstance(value, int) else 0


def _bytes(count: int) -> str:
    if count <= 0:
        return "unknown"
    for unit, size in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= size:
            return f"{count / size:g} {unit}"
    return f"{count} B"
