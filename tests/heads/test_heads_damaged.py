"""Damaged folders with heads and modules: one clear exception each."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from head_models import Built, build
from polysemy import CrossEncoder, Encoder, FillMask, QuestionAnswerer, SparseEncoder, TokenClassifier
from polysemy.errors import PolysemyError
from safetensors.numpy import load_file, save_file
from tiny_models import MODULES, write_sentence_model, write_transformer

Checkpoint = Callable[[str, str], Built]
Change = Callable[[Path], None]

HEADS: dict[str, tuple[Any, list[str]]] = {
    "SequenceClassification": (CrossEncoder, ["bert.pooler.dense", "classifier"]),
    "TokenClassification": (TokenClassifier, ["classifier"]),
    "MaskedLM": (FillMask, ["cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm"]),
    "QuestionAnswering": (QuestionAnswerer, ["qa_outputs"]),
}


def tensors(edit: Callable[[dict[str, Any]], None]) -> Change:
    def change(folder: Path) -> None:
        values = load_file(folder / "model.safetensors")
        edit(values)
        save_file(values, folder / "model.safetensors")

    return change


def config(**fields: Any) -> Change:
    def change(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | fields))

    return change


def file(name: str, value: Any) -> Change:
    def change(folder: Path) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(value if isinstance(value, str) else json.dumps(value))

    return change


def removed(name: str) -> Change:
    return lambda folder: (folder / name).unlink(missing_ok=True)


def both(first: Change, second: Change) -> Change:
    def change(folder: Path) -> None:
        first(folder)
        second(folder)

    return change


def _weights(name: str) -> dict[str, Change]:
    def nan(values: dict[str, Any]) -> None:
        values[f"{name}.weight"].flat[0] = np.nan

    def wide(values: dict[str, Any]) -> None:
        values[f"{name}.weight"] = np.concatenate([values[f"{name}.weight"]] * 2)

    def flat(values: dict[str, Any]) -> None:
        values[f"{name}.weight"] = values[f"{name}.weight"].reshape(-1)[:1]

    def whole(values: dict[str, Any]) -> None:
        values[f"{name}.bias"] = np.zeros(len(values[f"{name}.bias"]), dtype=np.int64)

    return {
        "without-weight": tensors(lambda values: values.pop(f"{name}.weight")),
        "without-bias": tensors(lambda values: values.pop(f"{name}.bias")),
        "nan": tensors(nan),
        "wide": tensors(wide),
        "flat": tensors(flat),
        "integers": tensors(whole),
    }


_SETTINGS: dict[str, Change] = {
    "labels-with-a-gap": config(id2label={"0": "a", "2": "b"}),
    "labels-of-numbers": config(id2label={"0": 1, "1": 2}),
    "labels-no-object": config(id2label=["a"]),
    "one-label-more": config(id2label={str(i): "x" for i in range(9)}),
    "architectures-of-another": config(architectures=["BertForNextSentencePrediction"]),
    "architectures-no-list": config(architectures="Bert"),
}
_CROSS: dict[str, Change] = {
    "foreign-activation": config(sentence_transformers={"activation_fn": "evil.Sigmoid"}),
    "unknown-activation": config(sbert_ce_default_activation_function="torch.nn.modules.loss.MSELoss"),
    "settings-no-object": config(sentence_transformers=3),
    "a-pooling": file("modules.json", MODULES),
    "modules-empty": file("modules.json", []),
    "modules-broken": file("modules.json", "[{"),
    "no-tokenizer": both(removed("tokenizer.json"), removed("vocab.txt")),
}
_TRANSFORMER = {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.MLMTransformer"}
_SPLADE = {
    "idx": 1,
    "name": "1",
    "path": "1",
    "type": "sentence_transformers.sparse_encoder.models.SpladePooling",
}


def _splade(settings: Any) -> Change:
    def change(folder: Path) -> None:
        file("modules.json", [_TRANSFORMER, _SPLADE])(folder)
        file("1/config.json", settings)(folder)

    return change


_other_task = file("sentence_bert_config.json", {"transformer_task": "feature-extraction"})
_SPARSE: dict[str, Change] = {
    "sums": _splade({"pooling_strategy": "sum"}),
    "other-activation": _splade({"activation_function": "gelu"}),
    "settings-missing": file("modules.json", [_TRANSFORMER, _SPLADE]),
    "settings-no-object": _splade([]),
    "two-poolings": file("modules.json", [_TRANSFORMER, _SPLADE, _SPLADE]),
    "other-task": both(_splade({}), _other_task),
}
_DAMAGES = (
    [(head, f"{name}-{case}", change) for head, (_, names) in HEADS.items() for name in names
     for case, change in _weights(name).items()]
    + [(head, case, change) for head in ("SequenceClassification", "TokenClassification")
       for case, change in _SETTINGS.items()]
    + [("SequenceClassification", case, change) for case, change in _CROSS.items()]
    + [("Sparse", case, change) for case, change in _SPARSE.items()]
)  # fmt: skip


@pytest.mark.parametrize(("head", "case", "change"), _DAMAGES, ids=[f"{h}-{c}" for h, c, _ in _DAMAGES])
def test_one_clear_exception(
    head: str, case: str, change: Change, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    kind = SparseEncoder if head == "Sparse" else HEADS[head][0]
    sound = checkpoint("bert", "MaskedLM" if head == "Sparse" else head).folder
    folder = shutil.copytree(sound, tmp_path / "m")
    kind(folder)
    change(folder)
    with pytest.raises(PolysemyError) as error:
        kind(folder)
    assert "\n" not in str(error.value) and len(str(error.value)) < 1500 and error.value.__cause__ is None


def test_there_are_sixty() -> None:
    assert len(_DAMAGES) + len(ROUTERS) >= 60


def _router(structure: Any, types: Any = None, parameters: Any = None) -> Change:
    entry = {"idx": 0, "name": "0", "path": "r", "type": "sentence_transformers.models.Router"}

    def change(folder: Path) -> None:
        file("modules.json", [entry, *MODULES[1:]])(folder)
        file("r/router_config.json", {"types": types, "structure": structure, "parameters": parameters})(
            folder
        )

    return change


_TYPES = {"q": "sentence_transformers.models.Transformer"}
ROUTERS: dict[str, Change] = {
    "no-structure": _router(None, _TYPES),
    "structure-empty": _router({}, _TYPES),
    "structure-of-text": _router({"query": "q"}, _TYPES),
    "types-missing": _router({"query": ["q"]}),
    "unknown-module": _router({"query": ["x"]}, _TYPES),
    "outside": _router({"query": ["../q"]}, {"../q": _TYPES["q"]}),
    "itself": _router({"query": ["r"]}, {"r": "sentence_transformers.models.Router"}),
    "foreign-code": _router({"query": ["q"]}, {"q": "evil.Transformer"}),
    "default-unknown": _router({"query": ["q"]}, _TYPES, {"default_route": "x"}),
    "mappings": _router({"query": ["q"]}, _TYPES, {"route_mappings": {"a": "b"}}),
    "folder-missing": _router({"query": ["q"]}, _TYPES),
    "no-modules": _router({"query": []}, _TYPES),
    "layer-norm-missing": file(
        "modules.json",
        [*MODULES[:2], {"idx": 2, "path": "n", "type": "sentence_transformers.models.LayerNorm"}],
    ),
    "layer-weights-missing": file(
        "modules.json",
        [MODULES[0], {"path": "w", "type": "sentence_transformers.models.WeightedLayerPooling"}, MODULES[1]],
    ),
}


@pytest.mark.parametrize("case", ROUTERS)
def test_modules(case: str, tmp_path: Path) -> None:
    folder = write_sentence_model(tmp_path / "m")
    Encoder.from_pretrained(folder)
    ROUTERS[case](folder)
    with pytest.raises(PolysemyError) as error:
        Encoder.from_pretrained(folder)
    assert "\n" not in str(error.value) and len(str(error.value)) < 1500 and error.value.__cause__ is None


def test_an_encoder_without_a_head(tmp_path: Path) -> None:
    folder = write_transformer(tmp_path / "m")
    for kind in (CrossEncoder, TokenClassifier, FillMask, QuestionAnswerer):
        with pytest.raises(PolysemyError, match="no usable head"):
            kind(folder)
    qwen = build("bert", "MaskedLM", tmp_path / "q").folder
    config(architectures=["BertModel"])(qwen)
    with pytest.raises(PolysemyError, match="architectures"):
        FillMask(qwen)
