"""A sound model folder, and ways to change it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tiny_models import VOCAB, write_json, write_sentence_model

__all__ = ["FILES", "Build", "put", "put_json", "replaced", "sound_folder", "tokenizer_json"]

Build = Callable[[Path], None]

FILES = (
    "config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    "modules.json", "1_Pooling/config.json", "2_Normalize/config.json", "sentence_bert_config.json",
    "config_sentence_transformers.json", "model.safetensors", "model.safetensors.index.json", "vocab.txt", "README.md",
)  # fmt: skip


def sound_folder(folder: Path) -> Path:
    """A small sentence model that loads, with a tokenizer.json."""
    settings = {"max_seq_length": 16, "do_lower_case": False}
    write_sentence_model(folder, settings=settings, prompts={"prompts": {"q": "the "}})
    write_json(folder / "tokenizer.json", tokenizer_json())
    return folder


def tokenizer_json() -> dict[str, Any]:
    """BERT's tokenizer with the vocabulary of the tests."""
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)

    def special(token: str) -> dict[str, object]:
        return {"SpecialToken": {"id": token, "type_id": 0}}

    def text(name: str, kind: int) -> dict[str, object]:
        return {"Sequence": {"id": name, "type_id": kind}}

    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": i, "content": VOCAB[i], "special": True} | flags for i in range(5)],
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": True,
            "strip_accents": None,
            "lowercase": True,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [special("[CLS]"), text("A", 0), special("[SEP]")],
            "pair": [text("A", 0), text("B", 1)],
            "special_tokens": {
                token: {"id": token, "ids": [VOCAB.index(token)], "tokens": [token]}
                for token in ("[CLS]", "[SEP]")
            },
        },
        "decoder": None,
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": {token: i for i, token in enumerate(VOCAB)},
        },
    }


def put(file: str, content: bytes) -> Build:
    def build(folder: Path) -> None:
        path = folder / file
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)

    return build


def put_json(file: str, value: object) -> Build:
    return put(file, json.dumps(value).encode())


def replaced(file: str, make: Callable[[Path], object]) -> Build:
    def build(folder: Path) -> None:
        path = folder / file
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        make(path)

    return build
