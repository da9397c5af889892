"""Small BERT checkpoints with random weights, written to a folder the way that the hub has them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from polysemy.families.bert import bert_names, post_norm_layer
from polysemy.model.params import expected_shapes
from polysemy.model.spec import Activation, EmbeddingSpec, EncoderSpec, Norm, NormSpec
from safetensors.numpy import save_file

WORDS = (
    "bank money river loan water we sat on the of in i deposited a b c x new york ##s ##er ##ing , . ! ' -"
)
VOCAB = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS.split()]

_NORM = NormSpec(Norm.LAYER, 1e-12, bias=True)
SPEC = EncoderSpec(
    hidden=24,
    max_positions=20,
    embedding=EmbeddingSpec(len(VOCAB), 24, token_types=2, positions=True, norm=_NORM),
    layers=post_norm_layer(heads=3, head_dim=8, ffn=40, activation=Activation.GELU_ERF, norm=_NORM).times(3),
)

POOLING_OLD = {
    "word_embedding_dimension": 24,
    "pooling_mode_cls_token": False,
    "pooling_mode_mean_tokens": True,
}
MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
]


def bert_config(spec: EncoderSpec = SPEC, **changes: object) -> dict[str, object]:
    """A config.json for the spec. A change to None removes the field."""
    config: dict[str, object] = {
        "model_type": "bert",
        "hidden_size": spec.hidden,
        "num_hidden_layers": len(spec.layers),
        "num_attention_heads": spec.heads,
        "intermediate_size": spec.layers[0].ffn.width,
        "vocab_size": spec.embedding.vocab,
        "max_position_embeddings": spec.max_positions,
        "type_vocab_size": spec.embedding.token_types,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-12,
        "position_embedding_type": "absolute",
    } | changes
    return {name: value for name, value in config.items() if value is not None}


def random_weights(spec: EncoderSpec = SPEC, seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """Canonical name -> array; norm weights around 1, all else around 0."""
    rng = np.random.default_rng(seed)
    weights = {}
    for name, shape in expected_shapes(spec).items():
        values = rng.normal(0, 0.3, shape)
        weights[name] = (values + name.endswith("norm.weight")).astype(np.float32)
    return weights


def stored(spec: EncoderSpec = SPEC, seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """The random weights under the names of a BERT checkpoint."""
    names = bert_names(spec)
    return {names[key]: array for key, array in random_weights(spec, seed).items()}


def write_json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), "utf-8")


def write_transformer(
    folder: Path, *, config: Mapping[str, object] | None = None, tensors: Mapping[str, Any] | None = None
) -> Path:
    """A plain transformer folder: configuration, weights, and a vocabulary."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "config.json", bert_config() if config is None else config)
    save_file(dict(stored() if tensors is None else tensors), folder / "model.safetensors")
    (folder / "vocab.txt").write_text("\n".join(VOCAB) + "\n", "utf-8")
    write_json(folder / "tokenizer_config.json", {"do_lower_case": True, "model_max_length": 512})
    return folder


def write_sentence_model(
    folder: Path,
    *,
    modules: list[dict[str, object]] | None = None,
    pooling: Mapping[str, object] | None = None,
    settings: Mapping[str, object] | None = None,
    prompts: Mapping[str, object] | None = None,
) -> Path:
    """A sentence-transformers folder around a plain transformer."""
    write_transformer(folder)
    write_json(folder / "modules.json", MODULES if modules is None else modules)
    write_json(folder / "1_Pooling" / "config.json", POOLING_OLD if pooling is None else pooling)
    if settings is not None:
        write_json(folder / "sentence_bert_config.json", settings)
    if prompts is not None:
        write_json(folder / "config_sentence_transformers.json", prompts)
    return folder


SHARDS = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"


def shard(folder: Path) -> dict[str, str]:
    """Replace the weights of a folder by two shards; gives the map of its index."""
    (folder / "model.safetensors").unlink()
    tensors = stored()
    names = sorted(tensors)
    where = {name: SHARDS[1 - i % 2] for i, name in enumerate(names)}
    for file in SHARDS:
        save_file({name: tensors[name] for name in names if where[name] == file}, folder / file)
    write_json(folder / "model.safetensors.index.json", {"metadata": {}, "weight_map": where})
    return where
