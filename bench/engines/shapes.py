"""Shapes of families: the sizes of models that people know by name, with random weights and few words.

Speed does not depend on the weights, nor on the number of words: a token's row is read, whatever the table.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from polysemy.encoding.loading import read_spec
from polysemy.families import find_family
from polysemy.families.config import Config
from polysemy.model.spec import EncoderSpec

from bench.engines.works import Work, parse
from bench.texts import Ids

VOCAB = 8192
_WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_DECODERS = ("torch", "llama.cpp")
_ENCODERS = ("torch", "onnxruntime-exported")


@dataclass(frozen=True, slots=True)
class Shape:
    """A model: its classes in transformers, the fields that differ from their defaults, and what is measured."""

    name: str
    model: str
    config: str
    settings: dict[str, Any]
    works: tuple[str, ...] = ("8x128",)
    engines: tuple[str, ...] = _ENCODERS
    goal: dict[str, float] = field(default_factory=dict)  # "work engine" or "engine" -> the ratio to reach
    layer: str = ""  # the kind of layer of which all are, where it is measured by itself


_MODERNBERT: dict[str, Any] = {
    "pad_token_id": 0,
    "bos_token_id": 2,
    "eos_token_id": 3,
    "cls_token_id": 2,
    "sep_token_id": 3,
}
_LENGTHS = ("1x512", "1x2048", "1x8192")
_FEW = 4


def _modernbert_layers(kind: str) -> Shape:
    settings = _MODERNBERT | {"num_hidden_layers": _FEW, "layer_types": [f"{kind}_attention"] * _FEW}
    layer = {"full": "global", "sliding": "local"}[kind]
    return Shape(
        f"modernbert-{layer}",
        "ModernBertModel",
        "ModernBertConfig",
        settings,
        _LENGTHS,
        ("torch",),
        layer=layer,
    )


_SHAPES = (
    Shape(
        "modernbert-base", "ModernBertModel", "ModernBertConfig", _MODERNBERT, _LENGTHS,
        goal={"1x512 torch": 2.0, "1x8192 torch": 4.0},
    ),
    _modernbert_layers("sliding"),
    _modernbert_layers("full"),
    Shape(
        "embeddinggemma-300m", "Gemma3TextModel", "Gemma3TextConfig",
        {
            "hidden_size": 768, "intermediate_size": 1152, "num_hidden_layers": 24, "num_attention_heads": 3,
            "num_key_value_heads": 1, "head_dim": 256, "query_pre_attn_scalar": 256, "sliding_window": 512,
            "max_position_embeddings": 2048, "use_bidirectional_attention": True,
        },
        ("1x64", "8x128"), _DECODERS, {"torch": 1.3, "llama.cpp": 1.0},
    ),
    Shape(
        "qwen3-embedding-0.6b", "Qwen3Model", "Qwen3Config",
        {
            "hidden_size": 1024, "intermediate_size": 3072, "num_hidden_layers": 28, "num_attention_heads": 16,
            "num_key_value_heads": 8, "head_dim": 128,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e6},
        },
        ("1x64", "8x128"), _DECODERS, {"torch": 1.3, "llama.cpp": 1.0},
    ),
    Shape(
        "t5-base", "T5EncoderModel", "T5Config", {"d_model": 768, "d_ff": 3072, "num_layers": 12, "num_heads": 12},
        goal={"onnxruntime-exported": 1.0},
    ),
    Shape(
        "deberta-v3-base", "DebertaV2Model", "DebertaV2Config",
        {
            "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072,
            "relative_attention": True, "position_buckets": 256, "share_att_key": True, "norm_rel_ebd": "layer_norm",
            "pos_att_type": ["p2c", "c2p"], "position_biased_input": False,
        },
        goal={"onnxruntime-exported": 1.0},
    ),
    Shape(
        "mpnet-base", "MPNetModel", "MPNetConfig", {"max_position_embeddings": 514}, goal={"onnxruntime-exported": 1.0}
    ),
)  # fmt: skip
SHAPES = {shape.name: shape for shape in _SHAPES}


def folder_of(shape: Shape, cache: Path) -> Path:
    """The checkpoint of a shape, written by transformers when it is asked for first."""
    target = cache / f"{shape.name}-{VOCAB}"
    if (target / "model.safetensors").exists():
        return target
    import torch
    import transformers

    torch.manual_seed(20)
    settings = shape.settings | {"vocab_size": VOCAB}
    model = getattr(transformers, shape.model)(getattr(transformers, shape.config)(**settings)).float()
    partial = cache / f"{target.name}.{os.getpid()}"
    model.save_pretrained(partial)
    words = [*_WORDS, *(f"w{i}" for i in range(VOCAB - len(_WORDS)))]
    (partial / "vocab.txt").write_text("\n".join(words) + "\n")
    (partial / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer"}))
    partial.replace(target)
    return target


def work_of(name: str) -> Work:
    """A work of random words."""
    count, length = parse(name)
    ids: Ids = np.random.default_rng(length).integers(len(_WORDS), VOCAB, (count, length), dtype=np.int32)
    return Work(name, list(ids), False)


def spec_of(folder: Path) -> EncoderSpec:
    config = Config(json.loads((folder / "config.json").read_text()))
    return read_spec(find_family(config), config)


def flops(spec: EncoderSpec, lengths: list[int]) -> float:
    """Floating-point operations of the matrix products of one pass; a multiply-add is 2.

    Of attention only what its window lets through. Disentangled scores count their products with the embeddings of
    those distances that occur.
    """
    total = 0.0
    for layer in spec.layers:
        a, ffn = layer.attention, layer.ffn
        projected = spec.hidden * a.head_dim * (2 * a.heads + 2 * a.kv_heads)
        linear = projected + spec.hidden * ffn.width * (3 if ffn.gated else 2)
        products = a.position_bias.position_keys + a.position_bias.position_queries
        for n in lengths:
            total += 2.0 * linear * n + 4.0 * a.heads * a.head_dim * _pairs(n, a.left, a.right)
            rows = min(a.position_bias.buckets, 2 * n - 1) if products else 0
            total += 2.0 * products * n * rows * a.heads * a.head_dim
    return total


def _pairs(n: int, left: int | None, right: int | None) -> int:
    """Pairs of a query and a key within the window."""
    first = np.maximum(np.arange(n) - (n if left is None else left), 0)
    last = np.minimum(np.arange(n) + (n if right is None else right), n - 1)
    return int((last - first + 1).sum())
