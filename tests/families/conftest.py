"""What the tests of the families share."""

from __future__ import annotations

import pytest
from transformers_models import CASES, Built, build


@pytest.fixture(scope="session", params=list(CASES))
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build(request.param, tmp_path_factory.mktemp(request.param))
