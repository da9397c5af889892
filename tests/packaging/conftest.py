"""The package as others get it. Built by .ci/package, which says where the parts are."""

from __future__ import annotations

from pathlib import Path

import pytest

PARTS = ("wheel", "sdist", "python", "sbom")


def pytest_addoption(parser: pytest.Parser) -> None:
    for part in PARTS:
        parser.addoption(f"--{part}", type=Path, help=f"the {part} to test")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Without parts there is nothing to test: a plain run of all tests leaves this folder out."""
    return None if all(config.getoption(part, default=None) for part in PARTS) else True


@pytest.fixture
def wheel(request: pytest.FixtureRequest) -> Path:
    return Path(request.config.getoption("wheel")).resolve(strict=True)


@pytest.fixture
def sdist(request: pytest.FixtureRequest) -> Path:
    return Path(request.config.getoption("sdist")).resolve(strict=True)


@pytest.fixture
def sbom(request: pytest.FixtureRequest) -> Path:
    return Path(request.config.getoption("sbom")).resolve(strict=True)


@pytest.fixture
def python(request: pytest.FixtureRequest) -> Path:
    """The interpreter of an environment with nothing but the wheel and what it asks for."""
    return Path(request.config.getoption("python")).absolute()
