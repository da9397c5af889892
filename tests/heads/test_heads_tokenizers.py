"""Heads on models whose tokenizers don't spell words as BERT's does: merges of bytes, pieces with marked spaces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import transformers
from head_models import ENTITIES, NLI, Built
from polysemy import FillMask, TokenClassifier, ZeroShotClassifier
from sentence_models import shake
from test_heads_transformers import same
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast, pipeline

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
TEXTS = [
    "We sat on the banking of the river, in New York.", "money - in the loaners' bank , i deposited !", "x",
    "  two spaces  and a\ttab", "naïve café über 北京 bank",
]  # fmt: skip
LEARNT = [
    *TEXTS,
    "we deposited money in the bank of new york",
    "the river and the loan",
    "banking on loans",
] * 3


def tokenizer(kind: str) -> PreTrainedTokenizerFast:
    """Trained on a few texts."""
    trainer: Any
    if kind == "bytes":
        made = Tokenizer(models.BPE())
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # type: ignore[assignment]
        made.decoder = decoders.ByteLevel()  # type: ignore[assignment]
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(vocab_size=340, special_tokens=SPECIAL, initial_alphabet=alphabet)
    else:
        made = Tokenizer(models.Unigram())
        made.pre_tokenizer = pre_tokenizers.Metaspace()  # type: ignore[assignment]
        made.decoder = decoders.Metaspace()  # type: ignore[assignment]
        trainer = trainers.UnigramTrainer(vocab_size=90, special_tokens=SPECIAL, unk_token="<unk>")
    made.train_from_iterator(LEARNT, trainer)
    made.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True)  # type: ignore[assignment]
    roles = {"bos_token": "<s>", "cls_token": "<s>", "eos_token": "</s>", "sep_token": "</s>"}
    roles |= {"unk_token": "<unk>", "pad_token": "<pad>", "mask_token": "<mask>"}
    return PreTrainedTokenizerFast(tokenizer_object=made, model_max_length=46, **roles)


def build(kind: str, head: str, folder: Path) -> Built:
    made = tokenizer(kind)
    labels = ENTITIES if head == "TokenClassification" else NLI
    config = transformers.RobertaConfig(
        vocab_size=len(made), hidden_size=48, num_attention_heads=4, num_hidden_layers=2, intermediate_size=64,
        max_position_embeddings=48, pad_token_id=1, bos_token_id=0, eos_token_id=2, id2label=labels,
        label2id={name: i for i, name in labels.items()},
    )  # fmt: skip
    model = shake(getattr(transformers, f"RobertaFor{head}")(config), 8)
    model.save_pretrained(folder)
    made.save_pretrained(folder)
    return Built(folder, type(model).from_pretrained(folder, attn_implementation="eager").eval())


@pytest.mark.filterwarnings(
    "ignore:Tokenizer does not support real words"
)  # of transformers, on how it joins pieces
@pytest.mark.parametrize("kind", ["bytes", "pieces"])
def test_entities(kind: str, tmp_path: Path) -> None:
    built = build(kind, "TokenClassification", tmp_path)
    for strategy in ("none", "simple", "first", "average", "max"):
        theirs = pipeline(
            "token-classification",
            model=built.model,
            tokenizer=str(built.folder),
            aggregation_strategy=strategy,
        )
        ours = TokenClassifier(built.folder, aggregation_strategy=strategy, ignore_labels=["B-PER"])
        for text in TEXTS:
            same(ours(text), theirs(text, ignore_labels=["B-PER"]))


@pytest.mark.parametrize("kind", ["bytes", "pieces"])
def test_masks_and_labels(kind: str, tmp_path: Path) -> None:
    built = build(kind, "MaskedLM", tmp_path / "masked")
    masked = ["we sat on the<mask> of the river", "<mask> money", "the <mask> of<mask>"]
    same(
        FillMask(built.folder)(masked, top_k=3),
        pipeline("fill-mask", model=built.model, tokenizer=str(built.folder))(masked, top_k=3),
    )
    built = build(kind, "SequenceClassification", tmp_path / "nli")
    theirs = pipeline("zero-shot-classification", model=built.model, tokenizer=str(built.folder))
    asked: dict[str, Any] = {"hypothesis_template": "on {}", "multi_label": True}
    some = [text[:18] for text in TEXTS]  # what can be read at once
    want = theirs(some, ["money", "new york"], **asked)
    same(ZeroShotClassifier(built.folder)(some, ["money", "new york"], **asked), want)
