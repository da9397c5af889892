"""What the tests of heads share: checkpoints, built once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from head_models import Built, build

Builder = Callable[[str, str], Built]


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Builder:
    """By family and head."""
    built: dict[tuple[str, str], Built] = {}

    def of(family: str, head: str) -> Built:
        key = (family, head)
        if key not in built:
            built[key] = build(family, head, tmp_path_factory.mktemp(f"{family}-{head}"))
        return built[key]

    return of
