"""Texts that spell special tokens: ids, positions and hidden states are those of transformers, from text to vector."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizer_folders as make
import torch
import transformers
from polysemy import Encoder

TEXTS = [
    "the bank <pad> of the river", "<pad> the bank", "the bank <pad>", "<pad><pad> of <pad> the", "a <mask> b",
    "<s> a </s> b", "the <unk> bank", "<pad>", "",
]  # fmt: skip
UNIT, HIDDEN, LAYERS, FFN = 2.0**-24, 32, 2, 48


def saved(folder: Path, kind: str) -> Any:
    """A random model beside the tokenizer of its folder, in float64."""
    name = {"roberta": "Roberta", "xlm-roberta": "XLMRoberta", "camembert": "Camembert", "mpnet": "MPNet"}[
        kind
    ]
    config = getattr(transformers, f"{name}Config")(
        vocab_size=31000 if kind == "mpnet" else 2000, hidden_size=HIDDEN, num_attention_heads=4,
        num_hidden_layers=LAYERS, intermediate_size=FFN, max_position_embeddings=40, pad_token_id=1,
    )  # fmt: skip
    torch.manual_seed(0)
    model = getattr(transformers, f"{name}Model")(config, add_pooling_layer=False).eval()
    with torch.no_grad():
        for table in (model.embeddings.position_embeddings, model.embeddings.word_embeddings):
            table.weight.normal_(0, 1)
    model.save_pretrained(folder)
    return model.double()


@pytest.mark.parametrize("kind", ["roberta", "xlm-roberta", "camembert", "mpnet"])
def test_texts_with_special_tokens(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # transformers asks for the sentencepiece package, but reads its files with protobuf alone
    monkeypatch.setattr(
        import_module("transformers.convert_slow_tokenizer"), "requires_backends", lambda *_: None
    )
    folder = tmp_path / kind
    makers = {"roberta": make.roberta, "mpnet": make.mpnet}
    makers[kind](folder) if kind in makers else make.sentencepiece(folder, kind)
    model = saved(folder, kind)
    assert json.loads((folder / "config.json").read_text())["model_type"] == kind
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    encoder = Encoder.from_pretrained(folder, pooling="mean")
    output = encoder.forward(TEXTS)
    padded = 0
    for i, text in enumerate(TEXTS):
        ids = tokenizer(text)["input_ids"]
        padded += 1 in ids
        assert output.ids(i).tolist() == ids, text
        with torch.no_grad():
            exact = model(torch.tensor([ids])).last_hidden_state[0].numpy()
        # As in test_families_transformers.py: the errors of sums walk at random, in each layer.
        error = 8 * UNIT * (LAYERS + 1) * FFN**0.5 * np.abs(exact).max()
        assert np.abs(output.hidden_state(i) - exact).max() <= error, text
    assert padded >= 3, "texts with a padding id"
