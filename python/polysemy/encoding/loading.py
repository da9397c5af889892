"""From a model argument to everything that an `Encoder` is made of."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ..card import ModelCard
from ..errors import CheckpointError, PolysemyError
from ..families import find_family
from ..families.config import Config
from ..families.family import Family, match_names, stored_as
from ..io.checkpoint import WEIGHTS_FILE, Checkpoint
from ..io.digest import BackgroundDigest
from ..io.hub import Source, resolve
from ..io.jsonfile import read_json_object
from ..io.sentence import SentenceFolder, read_sentence_folder
from ..model.network import MappedWeights
from ..model.params import check_shapes
from ..model.pooling import SentenceHead
from ..model.spec import EncoderSpec
from ..text.tokenizer import TextTokenizer

__all__ = ["LoadedModel", "load_model"]


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """The parts of a checkpoint."""

    spec: EncoderSpec
    weights: MappedWeights
    """Every parameter by its canonical name."""
    tokenizer: TextTokenizer
    head: SentenceHead | None
    card: ModelCard
    digest: BackgroundDigest | None
    """The running check of a weights file whose hash is known."""

    def verify(self) -> None:
        """Wait for that check, if there is one. Raises ``CheckpointError`` for another file."""
        if self.digest is not None:
            self.digest.verify()


def load_model(model: str | os.PathLike[str] | None) -> LoadedModel:
    """Find, read and check a model.

    A known hash is still being computed when this returns: the caller must call ``verify()`` on the result.
    """
    source = resolve(model)
    digest = None
    if source.sha256 is not None and (source.folder / WEIGHTS_FILE).is_file():
        digest = BackgroundDigest(source.folder / WEIGHTS_FILE, source.sha256)
    sentence = read_sentence_folder(source.folder)
    path = sentence.transformer / "config.json"
    config = Config(read_json_object(path), str(path))
    family = find_family(config)
    spec = read_spec(family, config)
    weights = read_weights(family, spec, sentence.transformer)
    tokenizer = TextTokenizer.from_folder(
        sentence.transformer,
        max_seq_length=sentence.max_seq_length,
        max_positions=spec.max_positions,
        lowercase=sentence.lowercase,
    )
    card = _card(source, config.text("model_type"), sentence)
    return LoadedModel(spec, weights, tokenizer, sentence.head, card, digest)


def _card(source: Source, model_type: str, sentence: SentenceFolder) -> ModelCard:
    return ModelCard(
        name=source.name,
        folder=str(source.folder),
        model_type=model_type,
        sha256=source.sha256,
        prompts=sentence.prompts,
        default_prompt=sentence.default_prompt,
        similarity=sentence.similarity,
    )


def read_spec(family: Family, config: Config) -> EncoderSpec:
    """The spec of a configuration. Sizes that no model can have raise ``CheckpointError``."""
    try:
        return family.spec(config)
    except PolysemyError:
        raise
    except ValueError as error:
        raise CheckpointError(f"{config.source}: {error}") from None


def read_weights(family: Family, spec: EncoderSpec, folder: Path) -> MappedWeights:
    """Every parameter by its canonical name; views of the mapped file where it stores float32."""
    checkpoint = Checkpoint(folder)
    shapes = checkpoint.shapes
    match = match_names(family, spec, shapes)
    check_shapes(
        spec,
        {key: stored.shape(shapes[stored.name]) for key, stored in match.stored.items()},
        surplus=match.surplus,
        stored_as={key: stored.name for key, stored in stored_as(family, spec).items()},
        source=f"checkpoint {folder}",
    )
    weights = {key: stored.of(checkpoint.read(stored.name)) for key, stored in match.stored.items()}
    mapped = [
        key for key, stored in match.stored.items() if not stored.copies and checkpoint.is_mapped(stored.name)
    ]
    return MappedWeights(weights, mapped)
