"""The limits that docs/encoder.md states are those of the code."""

from __future__ import annotations

import re

from pages import ROOT
from polysemy.cli import model_card
from polysemy.families import config
from polysemy.heads import sparse_table
from polysemy.io import checkpoint, jsonfile, modules, safetensors, sentence, steps
from polysemy.text import folder, growth, sentencepiece, settings, vocabulary


def mib(size: int) -> str:
    assert size % (1 << 20) == 0
    return f"{size >> 20} MiB"


def test_limits() -> None:
    page = (ROOT / "docs" / "encoder.md").read_text("utf-8")
    table = page.partition("| what | at most |\n|---|---|\n")[2].partition("\n\n")[0]
    stated = dict(re.fullmatch(r"\| (.*) \| (.*) \|", row).groups() for row in table.splitlines())  # type: ignore[union-attr]
    assert steps._MOST_LAYERS == config._MOST_LAYERS
    assert stated == {
        "`config.json` and the files of sentence-transformers": mib(jsonfile.CONFIG_BYTES),
        "`tokenizer_config.json`, `special_tokens_map.json`, `added_tokens.json`": (
            f"{mib(jsonfile.TOKENIZER_CONFIG_BYTES)}, {settings._MOST_ADDED:,} added tokens "
            f"of {settings._LONGEST_TOKEN:,} characters"
        ),
        "any JSON file but `tokenizer.json`": (
            f"{jsonfile._MAX_CONTAINERS:,} lists and objects, {jsonfile._MAX_VALUES:,} commas"
        ),
        "layers": f"{config._MOST_LAYERS:,}",
        "header of a safetensors file": (
            f"{mib(safetensors._MAX_HEADER)}, {safetensors._MAX_TENSORS:,} tensors, "
            f"names of {safetensors._MAX_NAME} characters, {safetensors._MAX_RANK} axes"
        ),
        "index of shards": (
            f"{mib(jsonfile.INDEX_BYTES)}, {checkpoint._MOST_SHARDS} files, "
            f"names of {checkpoint._LONGEST_NAME} characters"
        ),
        "`tokenizer.json`": mib(folder._TOKENIZER_BYTES),
        "`vocab.txt`, `vocab.json`, `merges.txt`, SentencePiece's models": (
            f"{mib(vocabulary.VOCABULARY_BYTES)}, {sentencepiece._MOST_PIECES:,} pieces"
        ),
        "table of weights of a sparse encoder": mib(sparse_table._JSON_BYTES),
        "`README.md`, of which `info` shows a part": mib(model_card._README_BYTES),
        "normalizers of a tokenizer": (
            f"{growth._MOST_STEPS} steps, a text {growth._MOST_GROWTH:,} times longer"
        ),
        "modules, modes of a pooling": f"{modules._MOST_MODULES}, {sentence._MOST_MODES}",
    }
