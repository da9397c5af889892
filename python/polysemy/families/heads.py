"""A family's heads: which tensors they are, and whether a checkpoint has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..errors import CheckpointError, UnsupportedModelError
from ..model.heads import HeadKind, HeadSpec, LinearSpec, NormLayerSpec, VocabularySpec
from ..model.spec import EncoderSpec
from ..record import record
from ..shown import shown
from .config import Config
from .family import Family, bare_name

__all__ = ["HeadMatch", "found_heads", "head_labels", "match_head"]

# How the classes that have such a head end, most of them in transformers.
_CLASSES = {
    HeadKind.SEQUENCE: ("ForSequenceClassification",),
    HeadKind.TOKENS: ("ForTokenClassification",),
    HeadKind.MASKED: ("ForMaskedLM", "ForPreTraining"),
    HeadKind.ANSWERS: ("ForQuestionAnswering",),
    HeadKind.VECTORS: ("HF_ColBERT",),
}
_MOST_LABELS = 1 << 20


@record
class HeadMatch:
    """Where the tensors of a head are: its description, and name without a prefix -> name in the file."""

    spec: HeadSpec
    stored: dict[str, str]
    labels: tuple[str, ...]


def match_head(
    family: Family,
    config: Config,
    spec: EncoderSpec,
    kind: HeadKind,
    found: Mapping[str, Sequence[int]],
) -> HeadMatch:
    """The tensors of a head among those that were found, by name and shape.

    Raises ``UnsupportedModelError`` for a family or a checkpoint without such a head, and ``CheckpointError`` for
    missing and misshaped tensors.
    """
    model_type = config.text("model_type", "")
    head = family.heads(config).get(kind)
    if head is None:
        raise UnsupportedModelError(
            f"{config.source}: a head for {kind.value} on a {shown(model_type)} model is not supported"
        )
    classes = config.texts("architectures") or []
    if classes and not any(name.endswith(_CLASSES[kind]) for name in classes):
        raise UnsupportedModelError(
            f"{config.source}: architectures must name a class for {kind.value}, got {shown(classes)}"
        )
    stored = {bare_name(name, family.prefixes): name for name in found}
    shapes = {bare: tuple(found[name]) for bare, name in stored.items()}
    labels = () if kind in (HeadKind.MASKED, HeadKind.VECTORS) else head_labels(config)
    results = {HeadKind.ANSWERS: 2, HeadKind.VECTORS: None}.get(kind, len(labels))
    wanted = _expected(head, spec, shapes, results)
    problems = [f"{name} is missing" for name in wanted if name not in shapes] + [
        f"{name} must have shape {shape}, got {shapes[name]}"
        for name, shape in wanted.items()
        if name in shapes and shapes[name] != shape
    ]
    if problems:
        raise CheckpointError(
            f"{config.source}: the checkpoint has no usable head for {kind.value}: " + "; ".join(problems)
        )
    return HeadMatch(head, {name: stored[name] for name in wanted}, labels)


def found_heads(family: Family, config: Config, found: Sequence[str]) -> tuple[HeadKind, ...]:
    """The heads that a checkpoint has, as its configuration names them and its tensors show."""
    bare = {bare_name(name, family.prefixes) for name in found}
    classes = config.texts("architectures") or []
    return tuple(
        kind
        for kind, head in family.heads(config).items()
        if any(name.endswith(_CLASSES[kind]) for name in classes)
        and all(
            f"{layer.name}.weight" in bare for layer in head.layers if not isinstance(layer, VocabularySpec)
        )
    )


def head_labels(config: Config) -> tuple[str, ...]:
    """The names of a classifier's results: those of ``id2label``, or LABEL_0 and so on."""
    names = config.section("id2label")
    if not names:
        count = config.integer("num_labels", 2)
        if not 1 <= count <= _MOST_LABELS:
            raise CheckpointError(
                f"{config.source}: num_labels must be in 1..{_MOST_LABELS}, got {shown(count)}"
            )
        return tuple(f"LABEL_{i}" for i in range(count))
    keys = {str(i) for i in range(len(names.fields))}
    if set(names.fields) != keys:
        raise CheckpointError(
            f"{config.source}: id2label must name labels 0 to {len(keys) - 1}, got {shown(names.fields)}"
        )
    return tuple(names.text(str(i)) for i in range(len(keys)))


def _expected(
    head: HeadSpec, spec: EncoderSpec, shapes: Mapping[str, tuple[int, ...]], results: int | None
) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every tensor that is to be read. ``results`` None: as many as the last layer has."""
    wanted: dict[str, tuple[int, ...]] = {}
    width = spec.hidden
    for i, layer in enumerate(head.layers):
        match layer:
            case LinearSpec(name, _, bias):
                last = i == len(head.layers) - 1
                before_vocabulary = not last and isinstance(head.layers[-1], VocabularySpec)
                rows = spec.embedding.width if before_vocabulary else width
                if last:
                    found = max([1, *shapes.get(f"{name}.weight", ())[:1]])
                    rows = found if results is None else results
                wanted[f"{name}.weight"] = (rows, width)
                if bias:
                    wanted[f"{name}.bias"] = (rows,)
                width = rows
            case NormLayerSpec(name, norm):
                wanted[f"{name}.weight"] = (width,)
                if norm.bias:
                    wanted[f"{name}.bias"] = (width,)
            case VocabularySpec(weight, biases):
                if weight in shapes:  # the table of tokens otherwise
                    wanted[weight] = (spec.embedding.vocab, width)
                if biases:
                    there = [name for name in biases if name in shapes]
                    wanted[there[0] if there else biases[0]] = (spec.embedding.vocab,)
    return wanted
