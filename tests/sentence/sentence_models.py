"""Small random sentence-transformers folders, saved by sentence-transformers itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer import modules
from tiny_models import VOCAB
from transformers import BertConfig, BertModel, BertTokenizer

TOKENS = [*VOCAB, *(f"w{i}" for i in range(64 - len(VOCAB))), "query", "passage", ":"]
HIDDEN, FFN, LAYERS = 48, 64, 3
#: How far two engines may be apart, relative to the largest number: in each layer, and in the modules after them, sums
#: of up to FFN products err by about sqrt(FFN) units, of the one engine and of the other.
ROUNDING = 2 * 2.0**-24 * (LAYERS + 1) * FFN**0.5


def transformer(folder: Path) -> Any:
    """A Transformer module of random weights."""
    config = BertConfig(
        vocab_size=len(TOKENS), hidden_size=HIDDEN, num_attention_heads=4, num_hidden_layers=LAYERS,
        intermediate_size=FFN, max_position_embeddings=48,
    )  # fmt: skip
    model = BertModel(config, add_pooling_layer=False)
    shake(model, 3)
    model.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(TOKENS) + "\n")
    BertTokenizer(str(folder / "vocab.txt"), model_max_length=40).save_pretrained(folder)
    return modules.Transformer(str(folder))


def shake(module: Any, seed: int) -> Any:
    """Random weights: fresh ones have zero biases and unit norms, which would hide a wrong name."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            scale = 0.3 if parameter.ndim == 1 else 1.5 / parameter.shape[1] ** 0.5
            noise = torch.randn(parameter.shape, generator=generator) * scale
            parameter.add_(noise) if parameter.ndim == 1 else parameter.copy_(noise)
    return module


def save(folder: Path, *after: Any, **settings: Any) -> SentenceTransformer:
    """A folder of a transformer and further modules, and the model that sentence-transformers reads from it."""
    base = folder / "transformer"
    base.mkdir(parents=True)
    model = SentenceTransformer(modules=[transformer(base), *after], device="cpu", **settings)
    model.save(str(folder / "model"))
    return SentenceTransformer(str(folder / "model"), device="cpu")
