"""Every field of every family's configuration, changed: the vectors change as those of `transformers` do, or the model
is refused, or the field is known to decide no vector."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from config_fields import ABSENT, DECIDES_NOTHING, changes
from family_case import Case, found
from numpy.typing import NDArray
from polysemy import Encoder
from polysemy.errors import PolysemyError
from polysemy.families.config import Config
from test_families_transformers import UNIT, bound, largest
from transformers_models import CASES, Built, build

IDS = [9 + i * i % 47 for i in range(36)]  # past the windows of the cases, within all tables of positions
Vectors = NDArray[np.float32]

SWEPT = [name for module in found() for name in module.SWEPT]


class NotLegalError(Exception):
    """`transformers` has no such configuration."""


def theirs(case: Case, state: dict[str, Any], config: dict[str, Any]) -> Vectors:
    """The last hidden states of the weights under another configuration; raises what `transformers` does."""
    import transformers

    try:
        kind = getattr(transformers, case.model)
        model = kind._from_config(
            case.config_class.from_dict(deepcopy(config)), attn_implementation="eager", **case.arguments
        )
    except Exception as error:
        raise NotLegalError from error
    if missing := model.load_state_dict(state, strict=False).missing_keys:
        raise ValueError(f"missing: {missing}")
    with torch.no_grad():
        output = model.eval()(torch.tensor([IDS]), return_dict=True)
    vectors: Vectors = output.last_hidden_state[0].numpy()
    return vectors


def ours(folder: Path, config: dict[str, Any]) -> Vectors | None:
    """The same of ours, or None where it is refused."""
    (folder / "config.json").write_text(json.dumps(config))
    try:
        return Encoder.from_pretrained(folder).forward([IDS]).hidden_state(0)
    except (PolysemyError, ValueError):
        return None


def sweep(case: Case, built: Built) -> tuple[list[str], set[str]]:
    """What is wrong, and the fields of which no value changed or was refused."""
    config = json.loads((built.folder / "config.json").read_text())
    config = {**json.loads(built.single.config.to_json_string(use_diff=False)), **config}
    state = built.single.state_dict()
    plain = theirs(case, state, config)
    width = max(plain.shape[1], 256)

    def same(a: Vectors, b: Vectors) -> bool:
        return a.shape == b.shape and largest(a, b) <= 2 * bound(b, UNIT, width, len(state))

    folder = built.folder
    unchanged = ours(folder, config)
    assert unchanged is not None and same(unchanged, plain)
    wrong, idle = [], {name for name in config if name != "model_type"}
    for name, value in changes(config):
        changed = {key: old for key, old in (config | {name: value}).items() if old is not ABSENT}
        got = ours(folder, changed)
        if got is None:
            idle.discard(name)
            continue
        try:
            expected = theirs(case, state, changed)
        except NotLegalError:
            continue
        except Exception as error:
            if name not in DECIDES_NOTHING:
                wrong.append(f"{name}={value!r} is not refused, as transformers does: {str(error)[:80]}")
            continue
        if not same(got, expected):
            wrong.append(f"{name}={value!r}: off by {largest(got, expected):.2g}")
        if not same(expected, plain):
            idle.discard(name)
    return wrong, idle


@pytest.mark.parametrize("name", SWEPT)
def test_every_field(name: str, tmp_path: Path) -> None:
    wrong, idle = sweep(CASES[name], build(name, tmp_path))
    assert not wrong, "\n".join(wrong)
    assert idle <= DECIDES_NOTHING, sorted(idle - DECIDES_NOTHING)


def test_a_field_that_nothing_reads_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check of the check above."""
    monkeypatch.setattr(Config, "require", lambda *arguments: None)
    wrong, _ = sweep(CASES["ernie"], build("ernie", tmp_path))
    assert [text.split("=")[0] for text in wrong] == ["is_decoder", "use_task_id"]


def test_the_list_names_fields() -> None:
    found = {
        field
        for name in SWEPT
        for field, _ in changes(CASES[name].config_class(**CASES[name].settings).to_dict())
    }
    assert found >= DECIDES_NOTHING, sorted(DECIDES_NOTHING - found)
