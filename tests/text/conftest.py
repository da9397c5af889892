from __future__ import annotations

import pytest
from polysemy.text import extent, pieces, runs


@pytest.fixture
def short_texts_are_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Borders come often: what holds for pieces of 300 characters is tried for all that can stand there."""
    monkeypatch.setattr(pieces, "_PIECE", 300)
    monkeypatch.setattr(extent, "SHORT", 300)
    monkeypatch.setattr(extent, "counted_up_to", lambda _: 24)
    monkeypatch.setattr(runs, "_LONG", 256)
    monkeypatch.setattr(runs, "_PIECE", 100)
    monkeypatch.setattr(runs, "_SOME", "[^A-Za-z0-9]{256}")
