"""Folders in the layout of sentence-transformers, in the form before and since its version 5.4.

``modules.json`` lists the modules of a model: a Transformer, a Pooling, and possibly Dense and Normalize.
Their types are matched on the first and the last part of the dotted name, which both forms share: a module of
another package is other code, whatever it is called. A folder
without ``modules.json`` is a plain transformer: how its tokens are to be pooled is unknown, and not guessed.
"""

from __future__ import annotations

import re
from dataclasses import field, replace
from pathlib import Path

from ..errors import CheckpointError, UnsupportedModelError
from ..model.heads import HeadKind
from ..model.pooling import SentenceHead, pooling_modes
from ..model.spec import Pooling
from ..model.steps import Dense, LayerNorm, Normalize
from ..record import record
from ..shown import shown
from .files import is_there
from .jsonfile import read_json_object
from .modules import Module, list_modules, refuse_route, routes_of
from .steps import Splade, read_layer_mix, read_splade, read_steps

__all__ = ["SentenceFolder", "read_sentence_folder"]

# The old form has one flag per mode; several may be set, and are concatenated in this order.
_OLD_FLAGS = {
    "pooling_mode_cls_token": Pooling.CLS,
    "pooling_mode_max_tokens": Pooling.MAX,
    "pooling_mode_mean_tokens": Pooling.MEAN,
    "pooling_mode_mean_sqrt_len_tokens": Pooling.MEAN_SQRT_LEN,
    "pooling_mode_weightedmean_tokens": Pooling.WEIGHTED_MEAN,
    "pooling_mode_lasttoken": Pooling.LAST_TOKEN,
}
_SETTINGS_FILE = re.compile(r"sentence_[a-z-]+_config\.json")
# What the processing settings of the new form may hold without changing how text becomes tokens here.
_NEUTRAL_PROCESSING = {"padding", "truncation", "return_tensors", "max_length"}
_STATIC = "StaticEmbedding"
_MOST_MODES = 16


@record
class SentenceFolder:
    """What a model folder says beside the transformer itself."""

    transformer: Path
    """The folder of its weights; of the static embedding's, where that is what the model is."""
    static: bool = False
    """Whether the tokens of a text are pooled as the table has them, without a transformer."""
    head: SentenceHead | None = None
    max_seq_length: int | None = None
    lowercase: bool = False
    prompts: dict[str, str] = field(default_factory=dict)
    default_prompt: str | None = None
    similarity: str | None = None
    splade: Splade | None = None
    steps: tuple[Dense | LayerNorm | Normalize, ...] | None = None
    """What modules make of every token, where vectors of tokens are wanted and a list of modules is there."""
    activation: str | None = None
    """Of a classifier's scores, by its name in torch."""


def read_sentence_folder(
    folder: Path, kind: HeadKind | None = None, route: str | None = None
) -> SentenceFolder:
    """Read ``modules.json`` and what it refers to.

    ``kind`` is the head that is wanted of the transformer, ``route`` the way through a Router.

    Raises ``CheckpointError`` for malformed files and ``UnsupportedModelError`` for modules that are not
    computed here.
    """
    if not is_there(folder / "modules.json"):
        refuse_route(folder, route)
        return SentenceFolder(transformer=folder)
    if kind is not None and route is None:
        route = _route_of_a_head(folder, kind)
    modules = list_modules(folder, route)
    kinds = [kind for kind, _ in modules]
    if kinds[0] == _STATIC and kind is None:
        return _static_folder(folder, modules)
    if kind == HeadKind.MASKED and kinds[0] == "MLMTransformer":  # its name before version 5.4
        kinds[0] = "Transformer"
    if kinds[0] != "Transformer" or kinds.count("Transformer") > 1:
        raise UnsupportedModelError(
            f"{folder / 'modules.json'}: the first module, and no other, must be a Transformer, or the first a "
            f"{_STATIC}, got {shown(kinds)}"
        )
    transformer = modules[0][1]
    max_seq_length, lowercase = _transformer_settings(transformer, kind)
    prompts, default_prompt, similarity, activation = _prompts(folder / "config_sentence_transformers.json")
    head = None if kind else _head(modules[1:], folder / "modules.json")
    return SentenceFolder(
        transformer=transformer,
        head=head and _cut(head, folder / "config_sentence_transformers.json"),
        splade=read_splade(modules[1:], folder / "modules.json")
        if kind not in (None, HeadKind.VECTORS)
        else None,
        steps=_token_steps(modules[1:], folder / "modules.json") if kind == HeadKind.VECTORS else None,
        activation=activation,
        max_seq_length=max_seq_length,
        lowercase=lowercase,
        prompts=prompts,
        default_prompt=default_prompt,
        similarity=similarity,
    )


def _route_of_a_head(folder: Path, kind: HeadKind) -> str | None:
    """The way to the transformer of a sparse model that reads queries without one; None without a Router."""
    routes = routes_of(folder)
    if routes and (kind != HeadKind.MASKED or set(routes) != {"query", "document"}):
        raise UnsupportedModelError(
            f"{folder}: a Router must lead to vectors of sentences, or a sparse model's have the routes query and "
            f"document, got {shown(routes)}"
        )
    return "document" if routes else None


def _static_folder(folder: Path, modules: list[Module]) -> SentenceFolder:
    prompts, default_prompt, similarity, _ = _prompts(folder / "config_sentence_transformers.json")
    return SentenceFolder(
        transformer=modules[0][1],
        static=True,
        head=_cut(
            SentenceHead((Pooling.MEAN,), read_steps(modules[1:], folder / "modules.json")),
            folder / "config_sentence_transformers.json",
        ),
        prompts=prompts,
        default_prompt=default_prompt,
        similarity=similarity,
    )


def _head(modules: list[Module], source: Path) -> SentenceHead | None:
    if not modules:
        return None  # a Transformer alone, as multi-vector models have it
    mix = None
    if modules[0][0] == "WeightedLayerPooling":
        mix, modules = read_layer_mix(modules[0][1]), modules[1:]
    if not modules or modules[0][0] != "Pooling":
        found = shown(modules[0][0]) if modules else "nothing"
        raise UnsupportedModelError(f"{source}: after the Transformer a Pooling must come, got {found}")
    modes, include_prompt = _pooling(modules[0][1] / "config.json")
    return SentenceHead(modes, read_steps(modules[1:], source), include_prompt, mix)


def _token_steps(modules: list[Module], source: Path) -> tuple[Dense | LayerNorm | Normalize, ...]:
    """Of every token; which tokens count, the head itself reads."""
    return read_steps(
        [module for module in modules if module[0] != "MultiVectorMask"], source, "token_embeddings"
    )


def _pooling(source: Path) -> tuple[tuple[Pooling, ...], bool]:
    config = read_json_object(source)
    include_prompt = config.get("include_prompt", True)
    if not isinstance(include_prompt, bool):
        raise CheckpointError(f"{source}: include_prompt must be true or false, got {shown(include_prompt)}")
    old = _old_modes(config, source)
    if "pooling_mode" in config:
        modes = _new_modes(config["pooling_mode"], source)
        if old and set(old) != set(modes):
            raise CheckpointError(
                f"{source}: pooling_mode and the flags pooling_mode_... contradict each other"
            )
        return modes, include_prompt
    if not old:
        raise CheckpointError(f"{source} names no pooling mode, and a wrong one would go unnoticed")
    return old, include_prompt


def _new_modes(value: object, source: Path) -> tuple[Pooling, ...]:
    if isinstance(value, list) and len(value) > _MOST_MODES:
        raise CheckpointError(
            f"{source}: pooling_mode must have at most {_MOST_MODES} modes, got {len(value):,}"
        )
    try:
        return pooling_modes(value)
    except ValueError as error:
        raise UnsupportedModelError(f"{source}: {error}") from None


def _old_modes(config: dict[str, object], source: Path) -> tuple[Pooling, ...]:
    for name, on in config.items():
        if name.startswith("pooling_mode_") and not isinstance(on, bool):
            raise CheckpointError(f"{source}: {shown(name)} must be true or false, got {shown(on)}")
        if name.startswith("pooling_mode_") and on and name not in _OLD_FLAGS:
            raise UnsupportedModelError(f"{source}: {shown(name)} is not supported")
    return tuple(mode for name, mode in _OLD_FLAGS.items() if config.get(name))


def _transformer_settings(folder: Path, kind: HeadKind | None) -> tuple[int | None, bool]:
    """Longest text in tokens, if set, and whether text is lowered first."""
    files = sorted(
        path for path in folder.glob("sentence_*_config.json") if _SETTINGS_FILE.fullmatch(path.name)
    )
    if not files:
        return None, False
    source = files[0]
    config = read_json_object(source)
    _refuse_other_tasks(config, source, kind)
    length, other = config.get("max_seq_length"), _processing_length(config, source)
    if length is not None and other is not None and length != other:
        raise CheckpointError(
            f"{source}: max_seq_length={shown(length)} contradicts processing_kwargs.text.max_length={shown(other)}"
        )
    length = other if length is None else length
    if length is not None and (isinstance(length, bool) or not isinstance(length, int) or length < 1):
        raise CheckpointError(
            f"{source}: max_seq_length must be a positive integer or null, got {shown(length)}"
        )
    lowercase = config.get("do_lower_case", False)
    if not isinstance(lowercase, bool):
        raise CheckpointError(f"{source}: do_lower_case must be true or false, got {shown(lowercase)}")
    return length, lowercase


# The task of the transformer in a folder for each head, and what it calls its results.
_TASKS = {
    HeadKind.SEQUENCE: ("sequence-classification", "scores"),
    HeadKind.MASKED: ("fill-mask", "token_embeddings"),
    HeadKind.VECTORS: ("feature-extraction", "token_embeddings"),
}


def _refuse_other_tasks(config: dict[str, object], source: Path, kind: HeadKind | None) -> None:
    task, result = ("feature-extraction", "token_embeddings") if kind is None else _TASKS.get(kind, ("", ""))
    wanted = {"transformer_task": task or (kind and kind.value), "module_output_name": result}
    for name, value in wanted.items():
        if config.get(name) not in (None, value):
            raise UnsupportedModelError(
                f"{source}: {name}={shown(config[name])} is not supported, expected {value!r}"
            )


def _processing_length(config: dict[str, object], source: Path) -> object:
    processing = config.get("processing_kwargs") or {}
    text = processing.get("text") or {} if isinstance(processing, dict) else None
    if not isinstance(processing, dict) or not isinstance(text, dict):
        raise CheckpointError(
            f"{source}: processing_kwargs must be an object of objects, got {shown(processing)}"
        )
    unknown = set(text) - _NEUTRAL_PROCESSING | {name for name, value in processing.items() if value} - {
        "text"
    }
    if unknown:
        raise UnsupportedModelError(f"{source}: processing_kwargs has unsupported {shown(sorted(unknown))}")
    length: object = text.get("max_length")
    return length


def _cut(head: SentenceHead, source: Path) -> SentenceHead:
    """The head with the length that the folder cuts vectors to, if it says one."""
    length = read_json_object(source).get("truncate_dim") if is_there(source) else None
    if length is not None and (isinstance(length, bool) or not isinstance(length, int) or length < 1):
        raise CheckpointError(
            f"{source}: truncate_dim must be a positive integer or null, got {shown(length)}"
        )
    return replace(head, truncate_dim=length)


def _prompts(source: Path) -> tuple[dict[str, str], str | None, str | None, str | None]:
    if not is_there(source):
        return {}, None, None, None
    config = read_json_object(source)
    prompts = config.get("prompts") or {}
    if not isinstance(prompts, dict) or not all(isinstance(text, str | None) for text in prompts.values()):
        raise CheckpointError(f"{source}: prompts must be an object of strings, got {shown(prompts)}")
    prompts = {name: text for name, text in prompts.items() if text is not None}
    default = config.get("default_prompt_name")
    if default is not None and (not isinstance(default, str) or default not in prompts):
        raise CheckpointError(
            f"{source}: default_prompt_name={shown(default)} is not in prompts {shown(sorted(prompts))}"
        )
    similarity = config.get("similarity_fn_name")
    activation = config.get("activation_fn")
    return (
        prompts,
        default,
        similarity if isinstance(similarity, str) else None,
        activation if isinstance(activation, str) else None,
    )
