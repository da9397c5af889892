"""What a stored result says about the machine: enough to judge it, nothing that names it."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata
from pathlib import Path

_LEVEL_FLAGS = (
    "sse4_2",
    "avx",
    "avx2",
    "fma",
    "f16c",
    "avx_vnni",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "amx_tile",
    "asimd",
    "sve",
)


def _proc_values(path: str, key: str) -> list[str]:
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return []
    return [
        line.split(":", 1)[1].strip()
        for line in lines
        if line.split(":", 1)[0].strip() == key and ":" in line
    ]


def _caches() -> dict[str, str]:
    found = {}
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        try:
            level, kind, size = ((index / name).read_text().strip() for name in ("level", "type", "size"))
        except OSError:
            continue
        found[f"L{level} {kind.lower()}"] = size
    return found


def physical_cpus() -> list[int]:
    """One logical CPU for each physical core that this process may use."""
    allowed, chosen, seen = sorted(os.sched_getaffinity(0)), [], set()
    for cpu in allowed:
        siblings = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        core = siblings.read_text().strip() if siblings.exists() else str(cpu)
        if core not in seen:
            seen.add(core)
            chosen.append(cpu)
    return chosen


def versions(distributions: tuple[str, ...]) -> dict[str, str | None]:
    """Installed versions by distribution name, None where it is not installed."""
    found: dict[str, str | None] = {}
    for name in distributions:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found


def describe() -> dict[str, object]:
    """CPU model, cores, caches, instruction-set flags, memory, kernel, Python."""
    flags = set(
        " ".join(
            _proc_values("/proc/cpuinfo", "flags")[:1] or _proc_values("/proc/cpuinfo", "Features")[:1]
        ).split()
    )
    memory = _proc_values("/proc/meminfo", "MemTotal")
    huge = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    return {
        "cpu": (_proc_values("/proc/cpuinfo", "model name") or [platform.machine()])[0],
        "architecture": platform.machine(),
        "cores": len(physical_cpus()),
        "logical_cpus": len(os.sched_getaffinity(0)),
        "caches": _caches(),
        "flags": [flag for flag in _LEVEL_FLAGS if flag in flags],
        "virtual_machine": "hypervisor" in flags,
        "memory_gib": round(int(memory[0].split()[0]) / 2**20, 1) if memory else None,
        "transparent_hugepage": huge.read_text().strip() if huge.exists() else None,
        "kernel": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "byte_order": sys.byteorder,
    }
