"""Static embeddings: a table of tokens and nothing else, a model of no layers.

As sentence-transformers' StaticEmbedding and model2vec store them. There is no configuration: the table says it all.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import CheckpointError, UnsupportedModelError
from ..model.spec import EmbeddingSpec, EncoderSpec
from .config import Config
from .family import Family

__all__ = ["FAMILY", "NAME", "spec_of"]

NAME = "static"
_TABLES = ("embedding.weight", "embeddings")
# A mean has no longest text.
_LONGEST = 1 << 24


def spec_of(shapes: Mapping[str, tuple[int, ...]], source: str) -> EncoderSpec:
    """The spec of the table among tensors of these shapes."""
    for name in ("mapping", "weights"):
        if name in shapes:
            raise UnsupportedModelError(
                f"{source}: a static embedding whose tokens share rows or have weights is not supported, got {name!r}"
            )
    shape = next((shapes[name] for name in _TABLES if name in shapes), None)
    if shape is None or len(shape) != 2:
        raise CheckpointError(f"{source}: a static embedding must have a table {_TABLES[0]}, got {shape}")
    try:
        return EncoderSpec(hidden=shape[1], max_positions=_LONGEST, embedding=EmbeddingSpec(*shape))
    except ValueError as error:
        raise CheckpointError(f"{source}: {error}") from None


def _no_configuration(config: Config) -> EncoderSpec:
    raise UnsupportedModelError(
        f"{config.source}: a static embedding is one by its modules.json, which names a StaticEmbedding"
    )


FAMILY = Family(
    model_types=(NAME, "model2vec"), spec=_no_configuration, names=lambda spec: {"embeddings.token": _TABLES}
)
