"""Damaged and hostile folders: one clear exception each, soon, and nothing that is silently another model."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from polysemy.encoding.loading import load_model
from polysemy.errors import CheckpointError, UnsupportedModelError
from published_models import JINA, JinaBert, gte, nomic, write
from safetensors.numpy import load_file, save_file
from transformers_models import build, write_tokenizer

SECONDS = 1.0
KINDS = (
    "modernbert",
    "t5",
    "gemma3",
    "qwen3-sliding",
    "eurobert",
    "albert",
    "mpnet",
    "ernie",
    "deberta",
    "clip",
)
Arrays = dict[str, NDArray[Any]]
WQKV = "layers.1.attn.Wqkv.weight"
RELATIVE = "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("whole")
    found = {kind: build(kind, root / kind).folder for kind in KINDS}
    for kind, spelled in (("nomic", nomic), ("gte", gte)):
        model = build(kind, root / f"{kind}-theirs").single
        found[kind] = write(root / kind, *spelled(model.config, model.state_dict()))
    found["jina"] = write(root / "jina", JINA, JinaBert(JINA).tensors)
    return found


def damage(
    source: Path, target: Path, config: dict[str, Any], change: Callable[[Arrays], object] | None
) -> None:
    target.mkdir()
    settings = json.loads((source / "config.json").read_text()) | config
    (target / "config.json").write_text(json.dumps(settings))
    write_tokenizer(target)
    tensors = load_file(source / "model.safetensors")
    if change is not None:
        change(tensors)
    save_file(tensors, target / "model.safetensors")


def shrunk(name: str, rows: int) -> Callable[[Arrays], object]:
    return lambda tensors: tensors.update({name: tensors[name][:rows].copy()})


def without(name: str) -> Callable[[Arrays], object]:
    return lambda tensors: tensors.pop(name)


def added(name: str, *shape: int) -> Callable[[Arrays], object]:
    return lambda tensors: tensors.update({name: np.zeros(shape, np.float32)})


def rope(**parameters: object) -> dict[str, object]:
    return {"rope_parameters": {"full_attention": parameters, "sliding_attention": parameters}}


UNSUPPORTED: list[tuple[str, dict[str, object], str]] = [
    ("modernbert", {"layer_types": ["full_attention"]}, "layer_types must be 4 times"),
    ("modernbert", {"layer_types": ["chunked_attention"] * 4}, "layer_types must be 4 times"),
    ("modernbert", rope(rope_type="longrope", factor=2.0), "rope_type='longrope' is not supported"),
    ("modernbert", rope(rope_type="longrope"), "rope_type='longrope'"),
    ("modernbert", rope(rope_type="default", partial_rotary_factor=0.5), "partial_rotary_factor=0.5"),
    ("modernbert", {"hidden_activation": "mish"}, "hidden_activation='mish'"),
    ("modernbert", {"quantization_config": {"bits": 4}}, "quantization_config"),
    ("modernbert", {"auto_map": {"AutoModel": "evil.Model"}}, "auto_map names 'evil.Model'"),
    ("t5", {"feed_forward_proj": "gated-mish"}, "feed_forward_proj='mish'"),
    ("t5", {"feed_forward_proj": "relu-gated"}, "feed_forward_proj='relu-gated'"),
    ("t5", {"is_decoder": True}, "is_decoder=True"),
    ("gemma3", {"attn_logit_softcapping": 50.0}, "attn_logit_softcapping=50.0"),
    ("gemma3", {"layer_types": ["full_attention", "full_attention", "global"]}, "layer_types"),
    ("qwen3-sliding", {"is_causal": False}, "is_causal=False"),
    ("qwen3-sliding", {"use_sliding_window": False}, "layer_types must be 3 times 'full_attention'"),
    ("albert", {"inner_group_num": 2}, "inner_group_num=2"),
    ("albert", {"embedding_size": 48}, "embedding_size must differ"),
    ("mpnet", {"relative_attention_num_buckets": 16}, "relative_attention_num_buckets=16"),
    ("mpnet", {"is_decoder": True}, "is_decoder"),
    ("ernie", {"use_task_id": True}, "use_task_id=True"),
    ("ernie", {"model_type": "xmod"}, "model_type='xmod' is not supported"),
    ("deberta", {"relative_attention": False}, "relative_attention=False"),
    ("deberta", {"pos_att_type": "p2p"}, "pos_att_type must be one or both of"),
    ("deberta", {"conv_kernel_size": 3}, "conv_kernel_size=3"),
    ("deberta", {"embedding_size": 32}, "embedding_size=32"),
    ("deberta", {"norm_rel_ebd": "batch_norm"}, "norm_rel_ebd must be"),
    ("nomic", {"rotary_emb_fraction": 0.5}, "rotary_emb_fraction must be 1.0"),
    ("nomic", {"activation_function": "glu"}, "activation_function='glu'"),
    # As nomic-embed-text-v2-moe has it.
    (
        "nomic",
        {"moe_every_n_layers": 2, "num_experts": 8, "moe_top_k": 2, "activation_function": "gelu"},
        "moe_every_n_layers=2",
    ),
    ("nomic", {"scale_attn_weights": False}, "scale_attn_weights=False"),
    ("nomic", {"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx=True"),
    ("nomic", {"rotary_scaling_factor": 2.0}, "rotary_scaling_factor=2.0"),
    ("nomic", {"prenorm": True}, "prenorm=True"),
    ("nomic", {"causal": True}, "causal=True"),
    ("nomic", {"rotary_emb_interleaved": True}, "rotary_emb_interleaved=True"),
    ("gte", {"rope_scaling": {"type": "longrope", "factor": 2.0}}, "rope_type='longrope'"),
    ("gte", {"rope_scaling": {"type": "mrope", "mrope_section": [4, 4]}}, "rope_type='mrope'"),
    (
        "eurobert",
        {"rope_scaling": {"type": "linear", "factor": 2.0}},
        "rope_parameters and rope_scaling exclude",
    ),
    (
        "modernbert",
        {"rope_parameters": {"rope_type": "default"}},
        "rope_type must be in the object of a kind",
    ),
    ("eurobert", {"rope_parameters": {"full_attention": {}}}, "full_attention must be no object"),
    ("modernbert", rope(rope_type="yarn", factor=2.0, truncate=False), "truncate=False"),
    ("modernbert", rope(rope_type="default", short_factor=[1.0]), "short_factor="),
    ("modernbert", {"head_dim": 8}, "head_dim=8"),
    ("gte", {"rope_scaling": {"type": "ntk", "factor": 2.0, "mixed_b": 0.5}}, "mixed_b=0.5"),
    ("gte", {"logn_attention_scale": True}, "logn_attention_scale=True"),
    ("gte", {"pack_qkv": False}, "pack_qkv=False"),
    ("gte", {"layer_norm_type": "rms_norm"}, "layer_norm_type='rms_norm'"),
    ("gte", {"position_embedding_type": "absolute"}, "position_embedding_type='absolute'"),
    ("jina", {"feed_forward_type": "original"}, "feed_forward_type='original'"),
]

MALFORMED: list[tuple[str, dict[str, object], str]] = [
    ("modernbert", {"layer_types": "full_attention"}, "layer_types must be a list of strings"),
    ("modernbert", {"rope_parameters": "default"}, "rope_parameters must be an object"),
    ("modernbert", {"rope_parameters": {"full_attention": 3}}, "full_attention must be an object"),
    ("modernbert", rope(rope_type="default", rope_theta=0), "theta must be positive"),
    ("modernbert", rope(rope_type="default", rope_theta="big"), "rope_theta must be a number"),
    ("modernbert", rope(rope_type="linear", factor=0), "factor must be positive"),
    ("modernbert", rope(rope_type="yarn"), "factor must be a number"),
    ("modernbert", rope(rope_type="yarn", factor=2.0, beta_fast=0.5), "0 < beta_slow < beta_fast"),
    ("modernbert", rope(rope_type="yarn", factor=2.0, rope_theta=1.0), "a base above 1"),
    ("modernbert", rope(rope_type="default", rope_theta=1e-300), "frequencies must be finite"),
    ("modernbert", {"local_attention": -10}, "attention.left must be in 0"),
    ("modernbert", {"mlp_bias": "no"}, "mlp_bias must be true or false"),
    ("modernbert", {"norm_bias": True}, "missing: embeddings.norm.bias"),
    ("modernbert", {"max_position_embeddings": 1 << 40}, "max_positions must be in 1"),
    ("modernbert", {"layer_types": None, "global_attn_every_n_layers": 0}, "must be in 1..4096, got 0"),
    ("modernbert", {"num_attention_heads": 10**12, "hidden_size": 10**12}, "hidden size is too large"),
    ("t5", {"d_kv": 0}, "head_dim must be in 1"),
    ("t5", {"num_heads": 10**6}, "heads must be in 1"),
    ("t5", {"relative_attention_num_buckets": 6}, "buckets must be a multiple of 4"),
    ("t5", {"relative_attention_max_distance": 1}, "max_distance must be in 9"),
    ("t5", {"layer_norm_epsilon": -1.0}, "eps must be at least"),
    ("gemma3", {"query_pre_attn_scalar": 0}, "query_pre_attn_scalar must be positive"),
    ("gemma3", {"num_key_value_heads": 2}, "kv_heads must divide"),
    ("gemma3", {"head_dim": 10**12}, "head_dim must be in 1..4096"),
    ("gemma3", {"use_bidirectional_attention": "yes"}, "must be true or false"),
    ("gemma3", {"use_bidirectional_attention": False, "sliding_window": 0}, "attention.left must be in 0"),
    ("eurobert", {"head_dim": 10**9}, "head_dim must be in 1..4096"),
    ("albert", {"num_hidden_groups": 9}, "num_hidden_groups must be in 1..3"),
    ("albert", {"num_hidden_groups": 0}, "num_hidden_groups must be in 1..3"),
    ("deberta", {"position_buckets": -1}, "buckets must be in 4"),
    ("deberta", {"position_buckets": 10**9}, "buckets must be in 4"),
    ("deberta", {"max_relative_positions": 9}, "max_distance must be in 10"),
    ("nomic", {"rotary_emb_base": -1.0}, "theta must be positive"),
    ("jina", {"num_attention_heads": 5000, "hidden_size": 5000}, "num_attention_heads must be in 1..4096"),
    ("clip", {"hidden_size": 63}, "positive multiple"),
]

TENSORS: list[tuple[str, Callable[[Arrays], object], str]] = [
    ("modernbert", shrunk(WQKV, 128), r"must have shape \(64, 64\), got \(128, 64\)"),
    ("modernbert", without("layers.2.mlp.Wi.weight"), "2 missing: layers.2.ffn.gate.weight"),
    ("modernbert", added("layers.0.attn_norm.weight", 64), "1 surplus: layers.0.attn_in.weight"),
    ("modernbert", added("layers.9.attn_norm.weight", 64), "1 surplus: layers.9.attn_norm.weight"),
    ("modernbert", added(f"model.{WQKV}", 192, 64), "are the same parameter"),
    ("t5", without(RELATIVE), "1 missing: position_bias.0"),
    ("t5", shrunk(RELATIVE, 8), "position_bias.0"),
    ("t5", without("shared.weight"), "1 missing: embeddings.token .shared.weight or encoder.embed_tokens"),
    ("gemma3", without("layers.0.self_attn.q_norm.weight"), "missing: layers.0.attention.query_norm.weight"),
    ("gemma3", shrunk("layers.1.post_feedforward_layernorm.weight", 30), "layers.1.ffn_post.weight"),
    ("albert", without("encoder.embedding_hidden_mapping_in.bias"), "missing: embeddings.projection.bias"),
    ("deberta", without("encoder.rel_embeddings.weight"), "missing: position_bias.0"),
    (
        "deberta",
        without("encoder.layer.1.attention.self.pos_key_proj.bias"),
        "layers.1.attention.position_key.bias",
    ),
    ("nomic", added("layers.0.self_attn.q_proj.weight", 64, 64), "are the same parameter"),
    ("gte", shrunk("encoder.layer.0.mlp.up_gate_proj.weight", 95), "layers.0.ffn.gate.weight"),
    ("jina", added("encoder.layer.0.attention.self.layer_norm_q.weight", 60), "1 surplus"),
]


def check(folder: Path, error: type[Exception], message: str) -> None:
    start = time.process_time()
    with pytest.raises(error, match=message):
        load_model(folder)
    assert time.process_time() - start < SECONDS


@pytest.mark.parametrize("kind", [*KINDS, "nomic", "gte", "jina"])
def test_undamaged(folders: dict[str, Path], tmp_path: Path, kind: str) -> None:
    damage(folders[kind], tmp_path / "m", {}, None)
    assert load_model(tmp_path / "m").spec.layers


@pytest.mark.parametrize(("kind", "config", "message"), UNSUPPORTED)
def test_not_modelled(
    folders: dict[str, Path], tmp_path: Path, kind: str, config: dict[str, Any], message: str
) -> None:
    damage(folders[kind], tmp_path / "m", config, None)
    check(tmp_path / "m", UnsupportedModelError, message)


@pytest.mark.parametrize(("kind", "config", "message"), MALFORMED)
def test_malformed(
    folders: dict[str, Path], tmp_path: Path, kind: str, config: dict[str, Any], message: str
) -> None:
    damage(folders[kind], tmp_path / "m", config, None)
    check(tmp_path / "m", CheckpointError, message)


@pytest.mark.parametrize(("kind", "change", "message"), TENSORS)
def test_tensors(
    folders: dict[str, Path], tmp_path: Path, kind: str, change: Callable[[Arrays], object], message: str
) -> None:
    damage(folders[kind], tmp_path / "m", {}, change)
    check(tmp_path / "m", CheckpointError, message)
