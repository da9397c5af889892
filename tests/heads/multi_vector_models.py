"""Small random multi-vector models, in each of the forms that their folders have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import load_file, save_file
from sentence_models import shake
from sentence_transformers import MultiVectorEncoder
from sentence_transformers.base.modules import Dense, Normalize, Transformer
from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask
from tiny_models import VOCAB
from transformers import BertTokenizer

HIDDEN, DIM, LONGEST = 48, 20, 60
TOKENS = [*VOCAB, *(f"w{i}" for i in range(62 - len(VOCAB))), "[unused0]", "[unused1]"]
CLASSES: dict[str, dict[str, Any]] = {
    "Bert": {"hidden_act": "gelu"},
    "ModernBert": {"local_attention": 16, "cls_token_id": 2, "sep_token_id": 3},
    "Roberta": {},
}


def backbone(folder: Path, family: str = "Bert", added: tuple[str, ...] = ()) -> None:
    """A transformer and its tokenizer, whose vocabulary has further tokens."""
    folder.mkdir(parents=True)
    (folder / "vocab.txt").write_text("\n".join(TOKENS) + "\n")
    tokenizer = BertTokenizer(str(folder / "vocab.txt"), model_max_length=LONGEST - 2)
    tokenizer.add_tokens([*added])
    tokenizer.save_pretrained(folder)
    config = getattr(transformers, f"{family}Config")(
        vocab_size=len(tokenizer), hidden_size=HIDDEN, num_attention_heads=4, num_hidden_layers=2,
        intermediate_size=64, max_position_embeddings=LONGEST, pad_token_id=0, **CLASSES[family],
    )  # fmt: skip
    shake(getattr(transformers, f"{family}Model")(config), 5).save_pretrained(folder)


def authors(folder: Path, **metadata: Any) -> Path:
    """That of ColBERT's authors: the projection among the weights."""
    backbone(folder)
    weights = {f"bert.{name}": tensor for name, tensor in load_file(folder / "model.safetensors").items()}
    weights["linear.weight"] = torch.randn(DIM, HIDDEN, generator=torch.Generator().manual_seed(2))
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    change(folder / "config.json", architectures=["HF_ColBERT"])
    if metadata:
        (folder / "artifact.metadata").write_text(json.dumps(metadata))
    return folder


def pylate(folder: Path, family: str = "Bert", *, residual: bool = False, **settings: Any) -> Path:
    """PyLate's: modules of a list, the first of sentence-transformers, and its settings in one file."""
    backbone(folder, family, ("[Q] ", "[D] "))
    dense = shake(
        Dense(HIDDEN, DIM, bias=False, activation_function=torch.nn.Identity(), use_residual=residual), 3
    )
    (folder / "1_Dense").mkdir()
    dense.save(str(folder / "1_Dense"))
    config = json.loads((folder / "1_Dense" / "config.json").read_text())
    for name in ("module_input_name", "module_output_name"):
        config.pop(name)
    (folder / "1_Dense" / "config.json").write_text(json.dumps(config))
    kinds = ["sentence_transformers.models.Transformer", "pylate.models.Dense.Dense"]
    modules = [
        {"idx": i, "name": str(i), "path": ["", "1_Dense"][i], "type": kind} for i, kind in enumerate(kinds)
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "sentence_bert_config.json").write_text(
        json.dumps({"max_seq_length": 31, "do_lower_case": False})
    )
    values = {
        "model_type": "ColBERT", "prompts": {}, "default_prompt_name": None, "similarity_fn_name": "MaxSim",
        "query_prefix": "[Q] ", "document_prefix": "[D] ", "query_length": 16, "document_length": 24,
        "attend_to_expansion_tokens": False, "skiplist_words": list("!,.'-"), "do_query_expansion": True,
    }  # fmt: skip
    (folder / "config_sentence_transformers.json").write_text(json.dumps(values | settings))
    return folder


def modules(
    folder: Path, family: str = "Bert", skipped: dict[str, Any] | None = None, **settings: Any
) -> Path:
    """That of sentence-transformers."""
    backbone(folder / "transformer", family)
    steps = [
        Transformer(str(folder / "transformer"), document_length=24, **settings),
        shake(Dense(HIDDEN, 32, module_input_name="token_embeddings"), 3),
        shake(
            Dense(32, DIM, activation_function=torch.nn.Identity(), module_input_name="token_embeddings"), 4
        ),
        MultiVectorMask(**skipped or {"skiplist_words": [*"!,.'-"]}),
        Normalize(module_input_name="token_embeddings"),
    ]
    prompts = {"query": "we ", "document": "the ", "other": "money "}
    MultiVectorEncoder(modules=steps, device="cpu", prompts=prompts).save(str(folder / "model"))
    return folder / "model"


def change(path: Path, **fields: Any) -> None:
    """Set fields of a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))
