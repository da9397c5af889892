"""Same bits in every process, on every machine, in every release."""

from __future__ import annotations

import json

import pytest
from golden import FILE, encoder_outputs, hashes
from polysemy import _core


def test_file_says_something() -> None:
    golden = json.loads(FILE.read_text("utf-8"))
    assert len(golden) > 40
    assert len(set(golden.values())) == len(golden)


@pytest.mark.parametrize("isa", _core.fused_isas())
def test_same_bits_as_ever(isa: str) -> None:
    assert hashes(isa) == json.loads(FILE.read_text("utf-8"))


def test_other_bits_have_other_hashes() -> None:
    """The baseline rounds differently; were it equal, the hashes would see nothing."""
    golden = json.loads(FILE.read_text("utf-8"))
    different = [name for name, value in hashes("baseline").items() if value != golden[name]]
    assert "linear" in different
    assert {name for name in encoder_outputs("even", "baseline") if "attention" in name} <= set(different)
