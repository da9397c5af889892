"""The rows about a model that `polysemy info` prints."""

from __future__ import annotations

from pathlib import Path

from ..encoding.encoder import Encoder
from ..errors import CheckpointError
from ..io.files import read_bytes
from ..model.pooling import describe
from ..model.spec import LayerSpec

__all__ = ["card_facts", "card_rows", "licence_of"]

_README_BYTES = 4 << 20


def card_facts(encoder: Encoder) -> dict[str, object]:
    """What is known about a model, as values that JSON knows."""
    spec, card, head = encoder.spec, encoder.card, encoder.head
    return {
        "model": card.name,
        "folder": card.folder,
        "family": card.model_type,
        "licence": licence_of(Path(card.folder)) if card.folder else None,
        "sha256": card.sha256,
        "layers": len(spec.layers),
        "hidden": spec.hidden,
        **_layer_facts(spec.layers),
        "vocabulary": spec.embedding.vocab,
        "parameters": encoder.parameters,
        "pooling": None if head is None else describe(head.modes),
        "normalize": None if head is None else head.normalize,
        "dimensions": encoder.dim,
        "max_seq_length": encoder.max_seq_length,
        "prompts": card.prompts,
    }


def _layer_facts(layers: tuple[LayerSpec, ...]) -> dict[str, object]:
    """What all layers have in common; None where they differ, or where there are none."""

    def common(values: set[object]) -> object:
        return values.pop() if len(values) == 1 else None

    return {
        "heads": common({layer.attention.heads for layer in layers}),
        "head_dim": common({layer.attention.head_dim for layer in layers}),
        "ffn": common({layer.ffn.width for layer in layers}),
        "activation": common({layer.ffn.activation.name.lower() for layer in layers}),
    }


def card_rows(facts: dict[str, object]) -> list[tuple[str, str]]:
    """Label and value of each line to print."""
    rows = [("model", f"{facts['model']}"), ("folder", f"{facts['folder']}")]
    if facts["sha256"] is not None:
        rows.append(("sha256", f"{facts['sha256']} (of model.safetensors alone, checked)"))
    rows += [
        ("licence", str(facts["licence"] or "not stated in the model's README")),
        ("family", f"{facts['family']}"),
        ("layers", f"{facts['layers']}{_heads(facts)}"),
        ("hidden size", f"{facts['hidden']}{_feed_forward(facts)}"),
        ("vocabulary", f"{facts['vocabulary']:,} tokens"),
        ("parameters", f"{facts['parameters']:,}"),
        ("pooling", _pooling(facts)),
        ("max length", f"{facts['max_seq_length']} tokens"),
    ]
    if isinstance(facts["prompts"], dict) and facts["prompts"]:
        rows.append(("prompts", ", ".join(facts["prompts"])))
    return rows


def _heads(facts: dict[str, object]) -> str:
    if facts["heads"] is None or facts["head_dim"] is None:
        return ""
    return f", each with {facts['heads']} heads of {facts['head_dim']}"


def _feed_forward(facts: dict[str, object]) -> str:
    return "" if facts["ffn"] is None else f", feed-forward {facts['ffn']} ({facts['activation']})"


def _pooling(facts: dict[str, object]) -> str:
    if facts["pooling"] is None:
        return "not stated: there are hidden states, but no sentence embeddings"
    scaled = ", normalised to length 1" if facts["normalize"] else ""
    return f"{facts['pooling']}{scaled}, {facts['dimensions']} dimensions"


def licence_of(folder: Path) -> str | None:
    """The ``license`` field in the block of metadata that begins a model's README, or None."""
    try:
        lines = read_bytes(folder / "README.md", _README_BYTES).decode("utf-8", "replace").splitlines()
    except CheckpointError:
        return None
    if not lines or lines[0].strip() != "---":
        return None
    for line in lines[1:]:
        if line.strip() == "---":
            return None
        name, colon, value = line.partition(":")
        if name == "license" and colon:
            return value.strip().strip("'\"") or None
    return None
