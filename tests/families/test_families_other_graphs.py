"""Fields of other models' configurations, in every family: refused by name, unless they change nothing."""

from __future__ import annotations

import json

import pytest
from polysemy.encoding.loading import read_spec
from polysemy.errors import UnsupportedModelError
from polysemy.families import find_family
from polysemy.families.config import Config
from published_models import JINA
from transformers_models import CASES

CONFIGS: dict[str, dict[str, object]] = {
    **{name: json.loads(case.config_class(**case.settings).to_json_string()) for name, case in CASES.items()},
    "jina": JINA,
}
FIELDS = {
    "use_alibi": (True, 1, "yes"), "alibi": (True,), "rotary_dim": (2, 6), "rotary_pct": (0.25, 0.5),
    "rotary_emb_fraction": (0.5,), "partial_rotary_factor": (0.5,), "use_rotary_embeddings": (True,),
    "rotary": (True,), "parallel_attn": (True,), "use_parallel_residual": (True,), "multi_query": (True,),
    "attention_window": (512, [4, 4]), "attn_logit_softcapping": (50.0,), "residual_multiplier": (0.22,),
    "embedding_multiplier": (12.0,), "num_local_experts": (8,), "is_decoder": (True,),
    "add_cross_attention": (True,), "scale_attn_weights": (False,), "logn_attention_scale": (True,),
}  # fmt: skip
NEUTRAL = {
    "use_alibi": False, "alibi": None, "rotary_dim": None, "parallel_attn": False, "residual_multiplier": 1.0,
    "attn_logit_softcapping": None, "num_local_experts": 0, "scale_attn_weights": True, "use_logn_attn": False,
}  # fmt: skip


@pytest.mark.parametrize("name", CONFIGS)
def test_refused_by_name(name: str) -> None:
    for field, values in FIELDS.items():
        for value in values:
            config = Config(CONFIGS[name] | {field: value})
            with pytest.raises(UnsupportedModelError, match=f"config.json: {field}="):
                read_spec(find_family(config), config)


@pytest.mark.parametrize("name", CONFIGS)
def test_what_changes_nothing(name: str) -> None:
    plain, config = Config(CONFIGS[name]), Config(CONFIGS[name] | NEUTRAL)
    assert read_spec(find_family(config), config) == read_spec(find_family(plain), plain)


def test_all_of_each_head_is_turned() -> None:
    """Where positions are rotary, a share of one is what the family does."""
    plain = CONFIGS["modernbert"]
    head = plain["hidden_size"] // plain["num_attention_heads"]  # type: ignore[operator]
    config = Config(plain | {"rotary_pct": 1.0, "rotary_dim": head, "partial_rotary_factor": 1.0})
    view = Config(plain)
    assert read_spec(find_family(config), config) == read_spec(find_family(view), view)
