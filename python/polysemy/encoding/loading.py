"""From a model argument to everything that an `Encoder` is made of."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..card import ModelCard
from ..errors import CheckpointError, PolysemyError
from ..families import find_family, static
from ..families.config import Config
from ..families.family import Family, NameMatch, match_names, stored_as
from ..families.heads import HeadMatch, found_heads, match_head
from ..families.other_graphs import refuse_other_graphs
from ..io.background import Background
from ..io.checkpoint import Checkpoint
from ..io.footprint import Footprint, footprint
from ..io.hub import HubOptions, Source, resolve
from ..io.jsonfile import read_json_object
from ..io.pieces import Wanted
from ..io.sentence import SentenceFolder, read_sentence_folder
from ..model.heads import Head, HeadKind, LinearSpec, NormLayerSpec, Vocabulary, VocabularySpec
from ..model.params import check_shapes
from ..model.pooling import check_widths
from ..model.spec import EncoderSpec
from ..model.steps import Dense, LayerNorm
from ..record import record
from ..text.tokenizer import TextTokenizer
from .filling import Filling

__all__ = ["LoadedModel", "load_model"]

_SOON_READ = 4 << 20  # bytes of weights: below, two threads in each other's way cost more than they save


@record
class LoadedModel:
    """The parts of a checkpoint."""

    spec: EncoderSpec
    weights: dict[str, NDArray[Any]]
    """Every parameter by its canonical name, as it is stored; `PackedWeights` where a precision was asked for."""
    tokenizer: TextTokenizer
    sentence: SentenceFolder
    card: ModelCard
    config: Config
    files: Footprint
    model: str | None
    """The argument that finds the model again, see `Source`."""
    head: Head | None = None
    """The head that was asked for."""


def load_model(
    model: str | os.PathLike[str] | None,
    *,
    precision: str | None = None,
    mapped: bool = False,
    kind: HeadKind | None = None,
    route: str | None = None,
    hub: HubOptions | None = None,
) -> LoadedModel:
    """Find, read and check a model, with the head of a ``kind`` or without one.

    ``precision`` is that in which its weights are packed; None gives them as arrays, for whoever wants to look at them.
    ``mapped`` maps its weights, see `SafetensorsFile`. ``route`` is the way through a Router.
    """
    source = resolve(model, hub or HubOptions())
    with footprint(source.folder) as files:
        loaded = _load(source, files, precision, mapped, kind, route)
    if source.files is not None:
        files.check(source.files)
    return loaded


def _load(
    source: Source,
    files: Footprint,
    precision: str | None,
    mapped: bool,
    kind: HeadKind | None,
    route: str | None,
) -> LoadedModel:
    sentence = read_sentence_folder(source.folder, kind, route)
    if sentence.static:
        return _load_static(source, sentence, files, precision, mapped=mapped)
    path = sentence.transformer / "config.json"
    config = Config(read_json_object(path), str(path))
    family = find_family(config)
    spec = read_spec(family, config)
    sentence = with_checked_mix(sentence, spec, config)
    with ExitStack() as opened:
        checkpoint = opened.enter_context(Checkpoint(sentence.transformer, mapped=mapped))
        match = match_weights(family, spec, checkpoint)
        wanted = None if sentence.steps is not None else kind  # not made of modules
        found = None if wanted is None else match_head(family, config, spec, wanted, checkpoint.shapes)
        filling = Filling(spec, match, checkpoint, precision, found.stored.values() if found else ())
        opened.pop_all()  # who reads closes it
    reading = _start_reading(checkpoint, filling.wanted, source.sha256)
    tokenizer = TextTokenizer.from_folder(
        sentence.transformer,
        max_seq_length=sentence.max_seq_length,
        max_positions=spec.max_positions,
        lowercase=sentence.lowercase,
        model_type=config.text("model_type"),
    )
    reading.wait()
    filling.finish()
    weights = filling.weights
    head = None
    if found is not None and kind is not None:
        head = read_head(kind, found, checkpoint, weights)
    elif kind is not None:
        check_widths(sentence.steps or (), spec.hidden, str(sentence.transformer))
        head = Head(kind, sentence.steps or (), None, ())
    heads = found_heads(family, config, list(checkpoint.shapes))
    card = _card(source, config.text("model_type"), sentence, tuple(found.value for found in heads))
    return LoadedModel(spec, weights, tokenizer, sentence, card, config, files, source.model, head)


def _load_static(
    source: Source, sentence: SentenceFolder, files: Footprint, precision: str | None, *, mapped: bool
) -> LoadedModel:
    """A table of tokens with its tokenizer: a model of no layers."""
    with ExitStack() as opened:
        checkpoint = opened.enter_context(Checkpoint(sentence.transformer, mapped=mapped))
        spec = static.spec_of(checkpoint.shapes, str(checkpoint.folder))
        match = match_weights(static.FAMILY, spec, checkpoint)
        filling = Filling(spec, match, checkpoint, precision)
        opened.pop_all()  # who reads closes it
    # A mapped table is looked at in pieces, each of which would wait for the interpreter.
    reading = _start_reading(checkpoint, filling.wanted, source.sha256, at_once=mapped)
    # Made here, though it takes longer than all else and the first text would be early enough: what is wrong with it
    # is wrong with the model.
    tokenizer = TextTokenizer.of_static(sentence.transformer, max_positions=spec.max_positions)
    reading.wait()
    filling.finish()
    card = _card(source, static.NAME, sentence, ())
    return LoadedModel(spec, filling.weights, tokenizer, sentence, card, Config({}), files, source.model)


def _start_reading(
    checkpoint: Checkpoint, wanted: Wanted, sha256: str | None, *, at_once: bool = False
) -> Background:
    """Read in the background; returns when that leaves the interpreter free for a good while.

    Making a tokenizer holds on to the interpreter, so it should not come before.
    """
    at_once = at_once or checkpoint.size < _SOON_READ
    reading = Background(lambda: checkpoint.load(wanted, sha256), at_once=at_once)
    wanted.busy.wait()
    return reading


def with_checked_mix(sentence: SentenceFolder, spec: EncoderSpec, config: Config) -> SentenceFolder:
    """The folder with a sum of layers that fits the model, or without one where the model gives only its last layer."""
    head = sentence.head
    if head is None or head.mix is None:
        return sentence
    if not config.switch("output_hidden_states", False):
        return replace(sentence, head=replace(head, mix=None))
    start, weights = head.mix
    if start + len(weights) != len(spec.layers) + 1:
        raise CheckpointError(
            f"{config.source}: the weights of layers must be for layers {start} to {len(spec.layers)}, "
            f"got {len(weights)}"
        )
    return sentence


def _card(source: Source, model_type: str, sentence: SentenceFolder, heads: tuple[str, ...]) -> ModelCard:
    return ModelCard(
        name=source.name,
        folder=str(source.folder),
        model_type=model_type,
        sha256=source.sha256,
        prompts=sentence.prompts,
        default_prompt=sentence.default_prompt,
        similarity=sentence.similarity,
        heads=heads,
    )


def read_spec(family: Family, config: Config) -> EncoderSpec:
    """The spec of a configuration. Sizes that no model can have raise ``CheckpointError``."""
    try:
        spec = family.spec(config)
        refuse_other_graphs(config)
        return spec
    except PolysemyError:
        raise
    except ValueError as error:
        raise CheckpointError(f"{config.source}: {error}") from None


def match_weights(family: Family, spec: EncoderSpec, checkpoint: Checkpoint) -> NameMatch:
    """Where every parameter is stored. Raises ``CheckpointError`` unless all of them fit."""
    shapes = checkpoint.shapes
    match = match_names(family, spec, shapes)
    check_shapes(
        spec,
        {key: stored.shape(shapes[stored.name]) for key, stored in match.stored.items()},
        surplus=match.surplus,
        stored_as={
            key: " or ".join(way.name for way in ways) for key, ways in stored_as(family, spec).items()
        },
        source=f"checkpoint {checkpoint.folder}",
    )
    return match


def read_head(
    kind: HeadKind, match: HeadMatch, checkpoint: Checkpoint, weights: Mapping[str, NDArray[Any]]
) -> Head:
    """A head, of a loaded checkpoint. Its vocabulary is the table of tokens where the file has no other."""

    def read(name: str) -> NDArray[np.float32] | None:
        return checkpoint.read(match.stored[name]).float32() if name in match.stored else None

    def given(name: str) -> NDArray[np.float32]:
        return checkpoint.read(match.stored[name]).float32()

    layers: list[Dense | LayerNorm] = []
    vocabulary = None
    for layer in match.spec.layers:
        match layer:
            case LinearSpec(name, activation, bias):
                layers.append(
                    Dense(given(f"{name}.weight"), given(f"{name}.bias") if bias else None, activation)
                )
            case NormLayerSpec(name, norm):
                scale, shift = given(f"{name}.weight"), given(f"{name}.bias") if norm.bias else None
                layers.append(LayerNorm(scale, shift, norm.eps, norm.kind))
            case VocabularySpec(weight, biases):
                shift = next((read(name) for name in biases if name in match.stored), None)
                table = read(weight)
                vocabulary = Vocabulary(weights["embeddings.token"] if table is None else table, shift)
    return Head(kind, tuple(layers), match.spec.pooling, match.labels, vocabulary)
