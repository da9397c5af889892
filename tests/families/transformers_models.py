"""Random checkpoints made by `transformers`, whose modelling code is the independent implementation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from tiny_models import VOCAB
from transformers import (
    BertConfig,
    BertModel,
    CamembertConfig,
    CamembertModel,
    DistilBertConfig,
    DistilBertModel,
    ElectraConfig,
    ElectraModel,
    RobertaConfig,
    RobertaModel,
    XLMRobertaConfig,
    XLMRobertaModel,
)


class Built(NamedTuple):
    """A checkpoint in a folder, and the same model as `transformers` sees it, in float64."""

    folder: Path
    model: Any


def _sizes(hidden: int, heads: int, layers: int, ffn: int, **more: Any) -> dict[str, Any]:
    return {
        "vocab_size": 60,
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "num_hidden_layers": layers,
        "intermediate_size": ffn,
        "max_position_embeddings": 40,
    } | more


def _distil(**more: Any) -> dict[str, Any]:
    return {
        "vocab_size": 60,
        "dim": 48,
        "n_heads": 4,
        "n_layers": 2,
        "hidden_dim": 70,
        "max_position_embeddings": 40,
    } | more


# name -> model class, configuration class, configuration. Heads of odd and even width, every activation.
CASES: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "bert": (BertModel, BertConfig, _sizes(64, 4, 3, 96)),
    "bert-narrow-heads": (BertModel, BertConfig, _sizes(60, 12, 2, 100, hidden_act="gelu_new")),
    "bert-odd-heads": (BertModel, BertConfig, _sizes(51, 3, 2, 33, hidden_act="relu", layer_norm_eps=1e-5)),
    "bert-one-wide-head": (BertModel, BertConfig, _sizes(96, 1, 1, 17, hidden_act="silu", type_vocab_size=1)),
    "bert-quick-gelu": (BertModel, BertConfig, _sizes(32, 2, 2, 64, hidden_act="quick_gelu")),
    "roberta": (RobertaModel, RobertaConfig, _sizes(64, 4, 2, 96, type_vocab_size=1)),
    "roberta-pad-4": (RobertaModel, RobertaConfig, _sizes(32, 4, 1, 48, pad_token_id=4)),
    "xlm-roberta": (XLMRobertaModel, XLMRobertaConfig, _sizes(40, 5, 2, 64, type_vocab_size=1)),
    "camembert": (CamembertModel, CamembertConfig, _sizes(40, 5, 2, 64, type_vocab_size=1)),
    "distilbert": (DistilBertModel, DistilBertConfig, _distil()),
    "distilbert-sinus": (
        DistilBertModel,
        DistilBertConfig,
        _distil(sinusoidal_pos_embds=True, activation="relu"),
    ),
    "electra": (ElectraModel, ElectraConfig, _sizes(48, 4, 2, 64, embedding_size=48)),
}

# Ids that no special token of any family has.
IDS = [[10, 11, 12], list(range(9, 39)), [20], [59, 58, 57, 56, 55, 54, 53, 52, 51]]


def build(case: str, folder: Path) -> Any:
    """Save the model of a case to a folder; gives it back in float64."""
    model_class, config_class, settings = CASES[case]
    generator = torch.Generator().manual_seed(7)
    model = (
        model_class(config_class(**settings), add_pooling_layer=False)
        if _has_pooler(case)
        else model_class(config_class(**settings))
    )
    with torch.no_grad():
        # A fresh model has zero biases and unit norms, which would hide a wrong name.
        for name, parameter in model.named_parameters():
            parameter.normal_(0, 0.25, generator=generator)
            if "orm.weight" in name:
                parameter.add_(1)
    model.save_pretrained(folder, safe_serialization=True)
    (folder / "vocab.txt").write_text("\n".join([*VOCAB, *(f"w{i}" for i in range(60 - len(VOCAB)))]) + "\n")
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"do_lower_case": True, "tokenizer_class": "BertTokenizer"})
    )
    exact = model_class.from_pretrained(folder, attn_implementation="eager", torch_dtype=torch.float64)
    return exact.eval()


def _has_pooler(case: str) -> bool:
    return case.startswith(("bert", "roberta", "xlm", "camembert"))


def types_of(model: Any, ids: list[int]) -> list[int]:
    """Token types of a pair of texts, as far as the model has them: zeros, then ones."""
    several = getattr(model.config, "type_vocab_size", 0) > 1
    return [int(several and i >= len(ids) // 2) for i in range(len(ids))]


def states_and_attentions(
    model: Any, ids: list[int], types: list[int] | None = None
) -> tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]]:
    """Of one sequence: layers + 1 arrays (tokens, hidden), and layers arrays (heads, tokens, tokens)."""
    with torch.no_grad():
        given = {"token_type_ids": torch.tensor([types])} if types and any(types) else {}
        result = model(torch.tensor([ids]), output_hidden_states=True, output_attentions=True, **given)
    return [x[0].numpy() for x in result.hidden_states], [x[0].numpy() for x in result.attentions]
