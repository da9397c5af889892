"""The rows about a model that `polysemy info` prints."""

from __future__ import annotations

from pathlib import Path

from ..encoder import Encoder
from ..model.pooling import describe

__all__ = ["card_facts", "card_rows", "licence_of"]


def card_facts(encoder: Encoder) -> dict[str, object]:
    """What is known about a model, as values that JSON knows."""
    spec, card, head = encoder.spec, encoder.card, encoder.head
    return {
        "model": card.name,
        "folder": card.folder,
        "family": card.model_type,
        "licence": licence_of(Path(card.folder)) if card.folder else None,
        "sha256": card.sha256,
        "layers": spec.layers,
        "hidden": spec.hidden,
        "heads": spec.heads,
        "head_dim": spec.head_dim,
        "ffn": spec.ffn,
        "activation": spec.activation.name.lower(),
        "vocabulary": spec.vocab,
        "parameters": encoder.parameters,
        "pooling": None if head is None else describe(head.modes),
        "normalize": None if head is None else head.normalize,
        "dimensions": encoder.dim,
        "max_seq_length": encoder.max_seq_length,
        "prompts": card.prompts,
    }


def card_rows(facts: dict[str, object]) -> list[tuple[str, str]]:
    """Label and value of each line to print."""
    rows = [("model", f"{facts['model']}"), ("folder", f"{facts['folder']}")]
    if facts["sha256"] is not None:
        rows.append(("sha256", f"{facts['sha256']} (checked)"))
    rows += [
        ("licence", str(facts["licence"] or "not stated in the model's README")),
        ("family", f"{facts['family']}"),
        ("layers", f"{facts['layers']}, each with {facts['heads']} heads of {facts['head_dim']}"),
        ("hidden size", f"{facts['hidden']}, feed-forward {facts['ffn']} ({facts['activation']})"),
        ("vocabulary", f"{facts['vocabulary']:,} tokens"),
        ("parameters", f"{facts['parameters']:,}"),
        ("pooling", _pooling(facts)),
        ("max length", f"{facts['max_seq_length']} tokens"),
    ]
    if isinstance(facts["prompts"], dict) and facts["prompts"]:
        rows.append(("prompts", ", ".join(facts["prompts"])))
    return rows


def _pooling(facts: dict[str, object]) -> str:
    if facts["pooling"] is None:
        return "not stated: there are hidden states, but no sentence embeddings"
    scaled = ", normalised to length 1" if facts["normalize"] else ""
    return f"{facts['pooling']}{scaled}, {facts['dimensions']} dimensions"


def licence_of(folder: Path) -> str | None:
    """The ``license`` field in the block of metadata that begins a model's README, or None."""
    try:
        lines = (folder / "README.md").read_text("utf-8", "replace").splitlines()
    except OSError:
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
