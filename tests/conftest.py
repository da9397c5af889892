"""What tests of all folders share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from polysemy import _core

HERE = Path(__file__).parent


@pytest.fixture(autouse=True, scope="session")
def _no_network() -> None:
    """Everything that a test needs is on the machine; a name that is not must not be looked up elsewhere."""
    os.environ["HF_HUB_OFFLINE"] = "1"


@pytest.fixture(params=_core.isas())
def isa(request: pytest.FixtureRequest) -> str:
    """Every instruction set of this CPU, one after another."""
    return str(request.param)


@pytest.fixture(scope="session")
def texts() -> list[str]:
    """A few hundred real texts of very different length, in many scripts."""
    return (HERE / "data" / "texts.txt").read_text("utf-8").split("\n")[:-1]
