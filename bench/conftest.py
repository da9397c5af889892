"""Thread count of the benchmarks, and one table per operation after the run."""

from __future__ import annotations

from typing import Any

import pytest

from bench.kernels.case import limit_threads


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--bench-threads", type=int, default=1, help="threads of every library in bench/ (default: 1)"
    )


@pytest.fixture(scope="session")
def threads(request: pytest.FixtureRequest) -> int:
    count = int(request.config.getoption("--bench-threads"))
    limit_threads(count)
    return count


def only_checking(config: pytest.Config) -> bool:
    """Whether every case runs once without a clock: big sizes are left out then."""
    return bool(config.getoption("benchmark_disable"))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    session = getattr(config, "_benchmarksession", None)
    groups: dict[str, list[Any]] = {}
    for bench in getattr(session, "benchmarks", None) or []:
        if not bench.has_error:
            groups.setdefault(str(bench.extra_info.get("op", "other")), []).append(bench)
    for op, benches in groups.items():
        terminalreporter.section(f"{op}: rates at the median")
        terminalreporter.line(f"{'size':<34}{'library':<18}{'median us':>12}{'rate':>18}{'of the limit':>14}")
        for bench in benches:
            info = bench.extra_info
            rate = f"{info['rate']:.4g} {info['unit']}"
            middle = f"{bench.stats.median * 1e6:.1f}"
            terminalreporter.line(
                f"{info['size']:<34}{info['library']:<18}{middle:>12}{rate:>18}{info['share']:>13.0%}"
            )
