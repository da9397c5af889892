"""What the tests of the array operations share."""

from __future__ import annotations

import pytest
import torch
from polysemy import _core

torch.set_num_threads(1)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes ``isa`` runs once for every instruction set of this CPU."""
    if "isa" in metafunc.fixturenames:
        metafunc.parametrize("isa", _core.isas())
