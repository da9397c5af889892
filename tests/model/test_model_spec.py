"""EncoderSpec: what it accepts, and what it says when it doesn't."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError, fields, is_dataclass, replace
from typing import Any

import pytest
from polysemy import _core
from polysemy.model import spec as records
from polysemy.model.spec import (
    Activation,
    EncoderSpec,
    Norm,
    NormSpec,
    PositionBias,
    PositionBiasSpec,
    RotarySpec,
    native,
)
from random_specs import random_spec
from tiny_models import SPEC

LAYER = SPEC.layers[0]
BUCKETS = PositionBiasSpec(PositionBias.BUCKETS, buckets=32, max_distance=128)


def attention(**change: object) -> EncoderSpec:
    """The tiny spec with a change in its first layer's attention."""
    layer = replace(LAYER, attention=replace(LAYER.attention, **change))  # type: ignore[arg-type]
    return replace(SPEC, layers=(layer, *SPEC.layers[1:]))


def embedding(**change: object) -> EncoderSpec:
    return replace(SPEC, embedding=replace(SPEC.embedding, **change))  # type: ignore[arg-type]


def norm(**change: object) -> EncoderSpec:
    return replace(SPEC, final_norm=NormSpec(**({"kind": Norm.RMS, "eps": 1e-5} | change)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "change", "error", "message"),
    [
        (replace, {"hidden": 0}, ValueError, r"EncoderSpec: hidden must be in 1\.\.65536, got 0"),
        (replace, {"hidden": 24.0}, TypeError, "EncoderSpec: hidden must be an int, got float"),
        (replace, {"hidden": True}, TypeError, "hidden must be an int, got bool"),
        (replace, {"max_positions": 10**30}, ValueError, r"max_positions must be in 1\.\."),
        (replace, {"layers": LAYER.times(4097)}, ValueError, "layers must be at most 4096, got 4097"),
        (replace, {"layers": (LAYER, 3)}, TypeError, "EncoderSpec: layers must be a record"),
        (replace, {"embedding": None}, TypeError, "EncoderSpec: embedding must be a record"),
        (embedding, {"vocab": 1 << 31}, ValueError, r"embedding\.vocab must be in 1"),
        (embedding, {"token_types": -1}, ValueError, r"embedding\.token_types must be in 0"),
        (embedding, {"position_offset": 1 << 20}, ValueError, r"embedding\.position_offset must be in 0"),
        (embedding, {"padding_id": 20}, ValueError, r"embedding\.padding_id must be in -1\.\.19, got 20"),
        (embedding, {"scale": float("nan")}, ValueError, r"embedding\.scale must be finite"),
        (attention, {"heads": 0}, ValueError, r"layers\[0\]\.attention\.heads must be in 1"),
        (attention, {"kv_heads": 2}, ValueError, "kv_heads must divide the 3 heads, got 2"),
        (attention, {"kv_heads": 4}, ValueError, r"kv_heads must be in 1\.\.3, got 4"),
        (attention, {"scale": float("inf")}, ValueError, r"attention\.scale must be finite"),
        (attention, {"left": -1}, ValueError, r"attention\.left must be in 0"),
        (
            attention,
            {"rotary": RotarySpec((1.0,) * 5)},
            ValueError,
            "at most 4 values, half of head_dim, got 5",
        ),
        (attention, {"rotary": RotarySpec((float("nan"),))}, ValueError, "frequencies must be finite"),
        (
            attention,
            {"position_bias": PositionBiasSpec(PositionBias.ALIBI)},
            ValueError,
            "each of 3 heads, got 0",
        ),
        (
            attention,
            {"position_bias": replace(BUCKETS, buckets=6)},
            ValueError,
            "buckets must be a multiple of 4",
        ),
        (
            attention,
            {"position_bias": replace(BUCKETS, max_distance=8)},
            ValueError,
            "max_distance must be in 9",
        ),
        (
            attention,
            {"position_bias": replace(BUCKETS, table=1)},
            ValueError,
            "those before it or 0, the next",
        ),
        (norm, {"eps": 0.0}, ValueError, r"final_norm\.eps must be at least 2\^-126 and less than 1, got 0"),
        (norm, {"eps": 1e-50}, ValueError, "final_norm.eps must be at least"),
        (norm, {"eps": 1.0}, ValueError, "and less than 1, got 1"),
        (norm, {"eps": float("nan")}, ValueError, "final_norm.eps"),
        (norm, {"eps": 10**400}, ValueError, "final_norm.eps"),
        (norm, {"eps": "1e-5"}, TypeError, "NormSpec: eps must be a float, got str"),
        (norm, {"kind": "batch"}, ValueError, "kind must be one of none, layer, rms, got 'batch'"),
        (norm, {"bias": 1}, TypeError, "NormSpec: bias must be a bool, got int"),
    ],
)
def test_refused(make: Any, change: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make(SPEC, **change) if make is replace else make(**change)


def test_shared_weights_fit() -> None:
    wide = replace(LAYER, ffn=replace(LAYER.ffn, width=41))
    with pytest.raises(ValueError, match=r"layers\[1\] shares weights 0 and must have the shapes"):
        replace(SPEC, layers=(LAYER, wide))
    with pytest.raises(
        ValueError, match=r"layers\[1\]\.weights must be one of those before it or 1, the next, got 2"
    ):
        replace(SPEC, layers=(LAYER, replace(LAYER, weights=2)))
    assert len(replace(SPEC, layers=(LAYER, LAYER, replace(LAYER, weights=1))).layers) == 3
    other = replace(BUCKETS, max_distance=64)
    first, second = (replace(LAYER.attention, position_bias=bias) for bias in (BUCKETS, other))
    with pytest.raises(ValueError, match=r"layers\[1\] shares position_bias\.table 0"):
        replace(
            SPEC,
            layers=(replace(LAYER, attention=first), replace(LAYER, attention=second, weights=1)),
        )


RECORDS = [name for name in records.__all__ if name.endswith("Spec")]


@pytest.mark.parametrize("name", RECORDS)
def test_the_core_refuses_a_record_that_lacks_a_field(name: str) -> None:
    made = getattr(_core, name)
    with pytest.raises(TypeError, match=f"{name}: .* is missing"):
        made()


@pytest.mark.parametrize("seed", range(20))
def test_records_say_the_same(seed: int) -> None:
    def compare(ours: Any, theirs: Any) -> None:
        core = theirs.fields()
        assert core.keys() == {item.name for item in fields(ours)}
        for name, other in core.items():
            value = getattr(ours, name)
            if is_dataclass(value):
                compare(value, other)
            elif isinstance(value, tuple) and value and is_dataclass(value[0]):
                for a, b in zip(value, other, strict=True):
                    compare(a, b)
            elif isinstance(value, (tuple, float)):
                assert other == pytest.approx(value, rel=2.0**-24)  # float32 there
            elif value is None:
                assert other == 1 << 40
            elif isinstance(value, Activation):
                assert value.name.lower().startswith(other)  # "gelu" is GELU_ERF
            else:
                assert other == (value if isinstance(value, (bool, int)) else value.value)

    spec = random_spec(seed)
    compare(spec, native(spec))


def test_a_record_travels() -> None:
    spec = attention(position_bias=BUCKETS)
    assert pickle.loads(pickle.dumps(spec)) == spec
    assert hash(spec) == hash(attention(position_bias=BUCKETS))


def test_immutable() -> None:
    with pytest.raises(FrozenInstanceError):
        SPEC.hidden = 5  # type: ignore[misc]
