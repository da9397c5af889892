"""Random checkpoints of the shapes that cross-encoders and SPLADE models have, with the default model's tokenizer."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from bench.engines.checkpoint import default_model

_TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json")
_BASE = {"vocab_size": 30522, "max_position_embeddings": 512, "type_vocab_size": 2, "hidden_act": "gelu"}
#: ms-marco-MiniLM-L6-v2's shape, and that of most SPLADE models.
SHAPES = {
    "cross-encoder": {
        "hidden_size": 384,
        "num_hidden_layers": 6,
        "num_attention_heads": 12,
        "intermediate_size": 1536,
    },
    "splade": {
        "hidden_size": 768,
        "num_hidden_layers": 6,
        "num_attention_heads": 12,
        "intermediate_size": 3072,
    },
}


def folder_of(kind: str, cache: Path) -> Path:
    """The folder of a model, made where it is not there yet."""
    target = cache / f"head-{kind}"
    if (target / "done").exists():
        return target
    import torch
    from transformers import BertConfig, BertForMaskedLM, BertForSequenceClassification

    torch.manual_seed(20)
    shutil.rmtree(target, ignore_errors=True)
    config = BertConfig(**_BASE, **SHAPES[kind], num_labels=1)
    model = (BertForSequenceClassification if kind == "cross-encoder" else BertForMaskedLM)(config)
    if kind == "splade":  # as in a trained model, one word in a hundred has a weight
        with torch.no_grad():
            scores = model(torch.randint(1000, 30000, (8, 64))).logits.amax(dim=1)
            model.cls.predictions.bias -= scores.flatten().quantile(0.99)
    model.save_pretrained(target)
    for name in _TOKENIZER_FILES:
        if (default_model() / name).exists():
            shutil.copy(default_model() / name, target)
    if kind == "splade":
        package = "sentence_transformers.sparse_encoder.models"
        modules = [
            {"idx": 0, "name": "0", "path": "", "type": f"{package}.MLMTransformer"},
            {"idx": 1, "name": "1", "path": "1_SpladePooling", "type": f"{package}.SpladePooling"},
        ]
        (target / "modules.json").write_text(json.dumps(modules))
        (target / "config_sentence_transformers.json").write_text(json.dumps({"model_type": "SparseEncoder"}))
        pooling = {
            "pooling_strategy": "max",
            "activation_function": "relu",
            "word_embedding_dimension": 30522,
        }
        (target / "1_SpladePooling").mkdir()
        (target / "1_SpladePooling" / "config.json").write_text(json.dumps(pooling))
    (target / "done").touch()
    return target
