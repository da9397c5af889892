"""What the cases of all families are made of, and where they are: a file for each family in `family_cases/`.

Such a file has ``CASES``, small models, a variant each; ``SWEPT``, the names of those of which every field of the
configuration is changed, one for each class of configuration, that with the most parts; and, where they are not BERT's,
``FIELDS``: model_type -> fields that the class doesn't declare but its code, or that of older versions, reads, with
values for them and for fields that have a form of their own; and ``DECIDES_NOTHING``, fields of this family alone that
decide no vector.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, NamedTuple

import transformers

Fields = dict[str, tuple[Any, ...]]


class Case(NamedTuple):
    """A small model: its class and configuration class in transformers, by name, and the configuration."""

    name: str
    settings: dict[str, Any]
    model: str
    config: str = ""
    arguments: dict[str, Any] = {}  # noqa: RUF012

    @property
    def config_class(self) -> Any:
        return getattr(transformers, self.config or self.model.replace("Model", "Config"))

    def make(self) -> Any:
        return getattr(transformers, self.model)(self.config_class(**self.settings), **self.arguments)


def found() -> Iterator[Any]:
    """The files of `family_cases/`, as modules."""
    folder = Path(__file__).parent / "family_cases"
    for module in iter_modules([str(folder)]):
        yield import_module(f"{folder.name}.{module.name}")


def sizes(hidden: int, heads: int, layers: int, ffn: int, **more: Any) -> dict[str, Any]:
    """A configuration with BERT's names."""
    return {
        "vocab_size": 60,
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "num_hidden_layers": layers,
        "intermediate_size": ffn,
        "max_position_embeddings": 40,
    } | more


def bert(name: str, model: str, **settings: Any) -> Case:
    return Case(name, settings, model, arguments={"add_pooling_layer": False})


def rotary(name: str, model: str, *shape: int, length: int = 200, **more: Any) -> Case:
    return Case(name, sizes(*shape, max_position_embeddings=length, **more), model)


KINDS = ["sliding_attention", "full_attention", "sliding_attention"]
LLAMA3 = {
    "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 24, "rope_theta": 500.0,
}  # fmt: skip
LINEAR = {"rope_type": "linear", "factor": 3.0, "rope_theta": 5000.0}
YARN = {
    "rope_type": "yarn",
    "factor": 4.0,
    "original_max_position_embeddings": 50,
    "rope_theta": 800.0,
    "beta_fast": 8.0,
}

# Other values for the rotary positions of a configuration.
_YARN = {"rope_type": "yarn", "factor": 4.0, "rope_theta": 300.0}
ROPES: tuple[dict[str, Any], ...] = (
    {"rope_type": "default", "rope_theta": 100.0},
    {"rope_type": "linear", "factor": 2.0, "rope_theta": 100.0},
    {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 100.0},
    _YARN,
    _YARN | {"original_max_position_embeddings": 20, "beta_fast": 4.0, "beta_slow": 0.5},
    _YARN | {"attention_factor": 0.5, "truncate": False},
    _YARN | {"mscale": 2.0, "mscale_all_dim": 0.7},
    {
        "rope_type": "llama3",
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "rope_theta": 90.0,
    },
    {
        "rope_type": "longrope",
        "factor": 2.0,
        "short_factor": [1.0] * 8,
        "long_factor": [2.0] * 8,
        "rope_theta": 90.0,
    },
    {"rope_type": "proportional", "partial_rotary_factor": 0.5, "rope_theta": 90.0},
    {"rope_type": "default", "rope_theta": 90.0, "partial_rotary_factor": 0.5},
    {"rope_type": "default", "rope_theta": 90.0, "mrope_section": [2, 3, 3]},
)
# Fields of models with such positions.
ROTARY: Fields = {
    "rope_theta": (77.0,),
    "rope_scaling": ROPES,
    "partial_rotary_factor": (0.5,),
    "head_dim": (8, 12),
}
