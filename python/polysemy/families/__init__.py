"""Encoder families: each is one file that turns a ``config.json`` into a spec and names the tensors.

To add one, write its file and list its ``FAMILY`` here.
"""

from __future__ import annotations

from ..errors import UnsupportedModelError
from . import (
    albert,
    bert,
    clip,
    deberta_v2,
    distilbert,
    electra,
    ernie,
    eurobert,
    gemma3,
    gte,
    jina_bert,
    modernbert,
    mpnet,
    nomic_bert,
    qwen3,
    roberta,
    static,
    t5,
)
from .config import Config
from .family import Family

__all__ = ["FAMILIES", "find_family"]

FAMILIES: tuple[Family, ...] = (
    bert.FAMILY,
    roberta.FAMILY,
    distilbert.FAMILY,
    electra.FAMILY,
    mpnet.FAMILY,
    albert.FAMILY,
    ernie.FAMILY,
    deberta_v2.FAMILY,
    modernbert.FAMILY,
    nomic_bert.FAMILY,
    gte.FAMILY,
    jina_bert.FAMILY,
    eurobert.FAMILY,
    qwen3.FAMILY,
    gemma3.FAMILY,
    t5.FAMILY,
    clip.FAMILY,
    static.FAMILY,
)


def find_family(config: Config) -> Family:
    """The family that a configuration belongs to.

    Raises ``UnsupportedModelError`` for an unknown one, for code beside the checkpoint that means none of them, and
    for quantized weights.
    """
    model_type = config.text("model_type", "")
    families = [family for family in FAMILIES if model_type in family.model_types]
    if not families:
        got = f"model_type={model_type!r} is not supported" if model_type else "model_type is missing"
        known = dict.fromkeys(name for family in FAMILIES for name in family.model_types)
        raise UnsupportedModelError(f"{config.source}: {got}; supported: {', '.join(known)}")
    config.require("quantization_config")
    codes = config.section("auto_map")
    if not codes:
        return next(family for family in families if not family.remote_only)
    code = codes.text("AutoModel", "")
    for family in families:
        if family.means(code):
            return family
    raise UnsupportedModelError(
        f"{config.source}: auto_map names {code!r}, code that replaces the model and is not run"
    )
