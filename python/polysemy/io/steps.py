"""The modules after a transformer in a sentence-transformers folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..errors import CheckpointError, UnsupportedModelError
from ..model.spec import Activation
from ..model.steps import Dense, LayerNorm, Normalize
from ..record import record
from ..shown import shown
from .checkpoint import Checkpoint
from .files import is_there
from .jsonfile import read_json_object
from .modules import Module
from .pieces import Wanted

__all__ = ["Splade", "read_layer_mix", "read_splade", "read_steps"]

_DENSE_ACTIVATIONS = {
    "Identity": Activation.NONE,
    "Tanh": Activation.TANH,
    "ReLU": Activation.RELU,
    "GELU": Activation.GELU_ERF,
    "SiLU": Activation.SILU,
}
_MOST_LAYERS = 4096


@record
class Splade:
    """How the scores of tokens become one sparse vector: of each, the largest over the tokens of a text."""

    twice: bool = False
    """Whether the logarithm is taken twice."""


def read_steps(
    modules: list[Module], source: Path, feature: str = "sentence_embedding"
) -> tuple[Dense | LayerNorm | Normalize, ...]:
    """What comes after pooling, or after the transformer on each token, as ``feature`` names it."""
    steps: list[Dense | LayerNorm | Normalize] = []
    for kind, path in modules:
        if kind == "Dense":
            steps.append(_dense(path, feature))
        elif kind == "LayerNorm":
            steps.append(_layer_norm(path, feature))
        elif kind == "Normalize":
            _check_feature_names(path / "config.json", feature, required=False)
            steps.append(Normalize())
        elif kind != "Dropout":  # which does nothing outside of training
            raise UnsupportedModelError(f"{source}: a module of type {shown(kind)} is not supported")
    return tuple(steps)


def read_splade(modules: list[Module], source: Path) -> Splade | None:
    """What follows a transformer with a head: nothing, or the pooling of SPLADE."""
    if not modules:
        return None
    kinds = [kind for kind, _ in modules]
    if kinds != ["SpladePooling"]:
        raise UnsupportedModelError(
            f"{source}: after a Transformer with a head a SpladePooling or nothing must come, got {shown(kinds)}"
        )
    settings = modules[0][1] / "config.json"
    config = read_json_object(settings)
    allowed = {"pooling_strategy": ("max",), "activation_function": ("relu", "log1p_relu")}
    for name, values in allowed.items():
        if config.get(name, values[0]) not in values:
            raise UnsupportedModelError(
                f"{settings}: {name} must be one of {values}, got {shown(config[name])}"
            )
    return Splade(twice=config.get("activation_function") == "log1p_relu")


def _check_feature_names(source: Path, feature: str, *, required: bool) -> dict[str, object]:
    """A module's configuration, when it works on this feature and on nothing else."""
    if not required and not is_there(source):
        return {}
    config = read_json_object(source)
    for name in ("module_input_name", "module_output_name"):
        if config.get(name) not in (None, feature):
            raise UnsupportedModelError(f"{source}: {name}={shown(config[name])} is not supported")
    return config


def _dense(folder: Path, feature: str) -> Dense:
    source = folder / "config.json"
    config = _check_feature_names(source, feature, required=True)
    residual = config.get("use_residual", False)
    if not isinstance(residual, bool):
        raise CheckpointError(f"{source}: use_residual must be true or false, got {shown(residual)}")
    name = config.get("activation_function")
    activation = _DENSE_ACTIVATIONS.get(name.rpartition(".")[2]) if isinstance(name, str) else None
    if activation is None or not str(name).startswith("torch.nn."):
        allowed = ", ".join(f"torch.nn...{known}" for known in _DENSE_ACTIVATIONS)
        raise UnsupportedModelError(
            f"{source}: activation_function must be one of {allowed}, got {shown(name)}"
        )
    size = (config.get("out_features"), config.get("in_features"))
    bias = config.get("bias", True)
    if not isinstance(bias, bool):
        raise CheckpointError(f"{source}: bias must be true or false, got {shown(bias)}")
    expected = {"linear.weight": size} | ({"linear.bias": size[:1]} if bias else {})
    projected = residual and size[0] != size[1]
    if projected:
        expected["residual.weight"] = size
    weights = _weights(folder, expected)
    weight = weights.read("linear.weight").float32()
    shift = weights.read("linear.bias").float32() if bias else None
    beside = weights.read("residual.weight").float32() if projected else None
    return Dense(weight, shift, activation, residual=residual, beside=beside)


def _layer_norm(folder: Path, feature: str) -> LayerNorm:
    source = folder / "config.json"
    size = (_check_feature_names(source, feature, required=True).get("dimension"),)
    weights = _weights(folder, {"norm.weight": size, "norm.bias": size})
    return LayerNorm(weights.read("norm.weight").float32(), weights.read("norm.bias").float32(), 1e-5)


def _weights(folder: Path, expected: Mapping[str, tuple[object, ...]]) -> Checkpoint:
    """The tensors of a module, which are these and have these shapes."""
    with Checkpoint(folder) as weights:
        if weights.shapes != expected:
            raise CheckpointError(
                f"{folder}: the tensors must be {shown(expected)}, got {shown(weights.shapes)}"
            )
        weights.load(Wanted(expected))
    return weights


def read_layer_mix(folder: Path) -> tuple[int, tuple[float, ...]]:
    """A WeightedLayerPooling: the first layer that counts, and the weights from there on, which add up to 1."""
    source = folder / "config.json"
    config = read_json_object(source)
    start, layers = config.get("layer_start"), config.get("num_hidden_layers")
    numbers = [value for value in (start, layers) if isinstance(value, int) and not isinstance(value, bool)]
    if len(numbers) < 2 or not 0 <= numbers[0] <= numbers[1] <= _MOST_LAYERS:
        raise CheckpointError(
            f"{source}: layer_start and num_hidden_layers must be numbers of layers, got {shown(start)} and "
            f"{shown(layers)}"
        )
    weights = _weights(folder, {"layer_weights": (numbers[1] + 1 - numbers[0],)})
    values = weights.read("layer_weights").float32().astype(float)
    total = float(values.sum())
    if total == 0.0:
        raise CheckpointError(f"{folder}: layer_weights must not add up to 0")
    return numbers[0], tuple((values / total).tolist())
