"""Small random checkpoints with heads, made by `transformers`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import torch
import transformers
from tiny_models import VOCAB
from transformers import BertTokenizer

_BERT = {
    "hidden_size": 48, "num_attention_heads": 4, "num_hidden_layers": 2, "intermediate_size": 64,
}  # fmt: skip
_LENGTH = 48
TOKENS = [*VOCAB, *(f"w{i}" for i in range(64 - len(VOCAB)))]

# Family -> beginning of its classes, and its configuration.
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "bert": ("Bert", _BERT | {"hidden_act": "gelu_new"}),
    "roberta": ("Roberta", _BERT | {"type_vocab_size": 2}),
    "xlm-roberta": ("XLMRoberta", _BERT | {"type_vocab_size": 2}),
    "distilbert": (
        "DistilBert", {"dim": 48, "n_heads": 4, "n_layers": 2, "hidden_dim": 64, "activation": "relu"},
    ),
    "electra": ("Electra", _BERT | {"embedding_size": 20}),
    "mpnet": ("MPNet", _BERT),
    "albert": ("Albert", _BERT | {"embedding_size": 20}),
    "ernie": ("Ernie", _BERT),
    "modernbert": ("ModernBert", _BERT | {"local_attention": 16}),
    "modernbert-mean": (
        "ModernBert", _BERT | {"classifier_pooling": "mean", "classifier_bias": True, "norm_bias": True},
    ),
    "deberta-v2": (
        "DebertaV2", _BERT | {
            "relative_attention": True, "position_buckets": 8, "pos_att_type": ["c2p", "p2c"],
            "norm_rel_ebd": "layer_norm", "share_att_key": True, "position_biased_input": False,
        },
    ),
    "gte": ("Gte", _BERT | {"type_vocab_size": 2}),
}  # fmt: skip
ANSWERING = [family for family in FAMILIES if family != "gte"]
NLI = {0: "contradiction", 1: "neutral", 2: "entailment"}
ENTITIES = {0: "O", 1: "B-PER", 2: "I-PER", 3: "B-LOC", 4: "I-LOC"}
#: Of the vocabulary of these models, for texts by chance.
WORDS = [
    "bank", "money", "river", "loan", "water", "we", "sat", "on", "the", "of", "deposited", "new", "york",
]  # fmt: skip
LABELS = {"SequenceClassification": NLI, "TokenClassification": ENTITIES}


class Built(NamedTuple):
    """A checkpoint in a folder, and the same model as `transformers` sees it."""

    folder: Path
    model: Any


def build(family: str, head: str, folder: Path, labels: dict[int, str] | None = None) -> Built:
    """Save a model whose class ends with ``For`` and the head, and a tokenizer beside it."""
    begin, settings = FAMILIES[family]
    names = labels or LABELS.get(head)
    config = getattr(transformers, f"{begin}Config")(
        vocab_size=len(TOKENS), max_position_embeddings=_LENGTH, pad_token_id=0, **settings
    )
    if names:
        config.id2label, config.label2id = names, {name: i for i, name in names.items()}
    model = getattr(transformers, f"{begin}For{head}")(config)
    generator = torch.Generator().manual_seed(11)
    with torch.no_grad():  # a fresh model has zero biases and unit norms, which would hide a wrong name
        for parameter in model.parameters():
            scale = 0.3 if parameter.ndim == 1 else 1.5 / parameter.shape[1] ** 0.5
            noise = torch.randn(parameter.shape, generator=generator) * scale
            parameter.add_(noise) if parameter.ndim == 1 else parameter.copy_(noise)
    model.save_pretrained(folder)
    vocabulary = folder / "vocab.txt"
    vocabulary.write_text("\n".join(TOKENS) + "\n")
    BertTokenizer(str(vocabulary), model_max_length=_LENGTH - 2).save_pretrained(folder)
    return Built(folder, type(model).from_pretrained(folder, attn_implementation="eager").eval())


def logits(model: Any, folder: Path, text: str | tuple[str, str], output: str = "logits") -> Any:
    """What the model gives for one text or pair, as an array."""
    tokenizer = BertTokenizer.from_pretrained(folder)
    given = tokenizer(*((text,) if isinstance(text, str) else text), return_tensors="pt", truncation=True)
    if not getattr(model.config, "type_vocab_size", 0) > 1:
        given.pop("token_type_ids", None)
    with torch.no_grad():
        return getattr(model(**given), output)[0].numpy()
