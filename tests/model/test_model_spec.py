"""EncoderSpec: what it accepts, and what it says when it doesn't."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import pytest
from polysemy import Activation, EncoderSpec, _core
from tiny_models import SPEC


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"hidden": 0}, ValueError, r"hidden must be in 1\.\.\d+, got 0"),
        ({"layers": -1}, ValueError, "layers must be in 1"),
        ({"layers": 10**9}, ValueError, "layers must be in 1"),
        ({"vocab": 1 << 31}, ValueError, "vocab must be in 1"),
        ({"hidden": 24.0}, TypeError, "hidden must be an int, got float"),
        ({"heads": True}, TypeError, "heads must be an int, got bool"),
        ({"token_types": -1}, ValueError, "token_types must be in 0"),
        ({"heads": 2}, ValueError, r"heads \* head_dim must equal hidden=24, got 2 \* 8 = 16"),
        ({"norm_eps": 0.0}, ValueError, "norm_eps must be at least"),
        ({"norm_eps": 1e-50}, ValueError, "norm_eps must be at least"),
        ({"norm_eps": 1.0}, ValueError, "and less than 1, got 1.0"),
        ({"norm_eps": float("nan")}, ValueError, "norm_eps"),
        ({"norm_eps": 10**400}, ValueError, "norm_eps"),
        ({"norm_eps": "1e-5"}, TypeError, "norm_eps must be a float, got str"),
        ({"activation": 1}, TypeError, "activation must be an Activation, got int"),
    ],
)
def test_refused(change: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        replace(SPEC, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize("field", [name for name in SPEC.plain() if name not in ("norm_eps", "activation")])
def test_sizes_beyond_the_core(field: str) -> None:
    """What the core would refuse never gets there."""
    size = (1 << 24) + 1
    with pytest.raises(ValueError, match=rf"{field} must be in [01]\.\.\d+, got {size}"):
        replace(SPEC, **{field: size})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=rf"Engine: spec\.{field} must be .*, got {size}"):
        _core.Engine(SPEC.plain() | {field: size}, {})


def test_plain_has_only_numbers_and_makes_the_same_spec() -> None:
    plain = replace(SPEC, activation=Activation.RELU, norm_eps=1e-5).plain()
    assert all(type(value) in (int, float) for value in plain.values())
    plain["activation"] = Activation(plain["activation"])
    assert EncoderSpec(**plain) == replace(SPEC, activation=Activation.RELU, norm_eps=1e-5)  # type: ignore[arg-type]


def test_immutable() -> None:
    with pytest.raises(FrozenInstanceError):
        SPEC.hidden = 5  # type: ignore[misc]
