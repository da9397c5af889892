"""The rows about a model that `polysemy info` prints."""

from __future__ import annotations

from pathlib import Path

from ..encoding.encoder import Encoder
from ..errors import CheckpointError
from ..io.files import read_bytes
from ..model.pooling import describe
from ..model.spec import AttentionSpec, EncoderSpec, LayerSpec, PositionBias

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
        "positions": _positions(spec),
        "windows": _windows(spec.layers),
        "vocabulary": spec.embedding.vocab,
        "parameters": encoder.parameters,
        "precision": encoder.precision,
        "pooling": None if head is None else describe(head.modes),
        "normalize": None if head is None else head.normalize,
        "dimensions": encoder.dim,
        "max_seq_length": encoder.max_seq_length,
        "prompts": card.prompts,
        "fingerprint": encoder.fingerprint,
        "tasks": list(card.heads),
    }


_BIASES = {
    PositionBias.ALIBI: "a penalty by distance",
    PositionBias.BUCKETS: "biases by bucket of distance",
    PositionBias.DISENTANGLED: "products with embeddings of distances",
}


def _positions(spec: EncoderSpec) -> list[str]:
    """How the model knows the order of tokens."""
    kinds = ["a learned table"] if spec.embedding.positions else []
    attentions = [layer.attention for layer in spec.layers]
    if any(attention.rotary for attention in attentions):
        kinds.append("rotary")
    kinds += [
        words for kind, words in _BIASES.items() if any(a.position_bias.kind is kind for a in attentions)
    ]
    return kinds


def _windows(layers: tuple[LayerSpec, ...]) -> dict[str, int]:
    """In how many layers a token attends to less than all tokens, by what it attends to."""
    counts: dict[str, int] = {}
    for layer in layers:
        seen = _seen(layer.attention)
        if seen is not None:
            counts[seen] = counts.get(seen, 0) + 1
    return counts


def _seen(attention: AttentionSpec) -> str | None:
    left, right = attention.left, attention.right
    if left is None and right is None:
        return None
    if right == 0:
        return "all tokens before it" if left is None else f"{left} tokens before it"
    if left == right:
        return f"{left} tokens on each side"
    sides = [
        f"{count if count is not None else 'all'} tokens {side}"
        for count, side in ((left, "before"), (right, "after"))
    ]
    return f"{' and '.join(sides)} it"


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
        rows.append(("sha256", f"{facts['sha256']} (of model.safetensors, the published one)"))
    if facts["fingerprint"] is not None:
        rows.append(("fingerprint", f"{facts['fingerprint']} (of all files that were read)"))
    rows += [
        ("licence", str(facts["licence"] or "not stated in the model's README")),
        ("family", f"{facts['family']}"),
        ("layers", f"{facts['layers']}{_heads(facts)}"),
        ("hidden size", f"{facts['hidden']}{_feed_forward(facts)}"),
        ("positions", ", ".join(_strings(facts["positions"])) or "none"),
        ("windows", _windows_row(facts["windows"])),
        ("vocabulary", f"{facts['vocabulary']:,} tokens"),
        ("parameters", f"{facts['parameters']:,}"),
        ("pooling", _pooling(facts)),
        ("max length", f"{facts['max_seq_length']} tokens"),
    ]
    if isinstance(facts["prompts"], dict) and facts["prompts"]:
        rows.append(("prompts", ", ".join(facts["prompts"])))
    if isinstance(facts["tasks"], list) and facts["tasks"]:
        rows.append(("heads", ", ".join(facts["tasks"])))
    return rows


def _strings(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []


def _windows_row(windows: object) -> str:
    counts = windows if isinstance(windows, dict) else {}
    return (
        "; ".join(f"in {count} layers {seen}" for seen, count in counts.items())
        or "none: every token sees all"
    )


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
