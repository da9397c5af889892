"""Encoder families: each is one file that turns a ``config.json`` into a spec and names the tensors.

To add one, write its file and list its ``FAMILY`` here.
"""

from __future__ import annotations

from ..errors import UnsupportedModelError
from . import bert, distilbert, electra, roberta
from .config import Config
from .family import Family

__all__ = ["FAMILIES", "find_family"]

FAMILIES: tuple[Family, ...] = (bert.FAMILY, roberta.FAMILY, distilbert.FAMILY, electra.FAMILY)
_BY_MODEL_TYPE = {model_type: family for family in FAMILIES for model_type in family.model_types}


def find_family(config: Config) -> Family:
    """The family that a configuration belongs to. Raises ``UnsupportedModelError`` for an unknown one."""
    model_type = config.text("model_type", "")
    family = _BY_MODEL_TYPE.get(model_type)
    if family is None:
        got = f"model_type={model_type!r} is not supported" if model_type else "model_type is missing"
        raise UnsupportedModelError(f"{config.source}: {got}; supported: {', '.join(_BY_MODEL_TYPE)}")
    return family
