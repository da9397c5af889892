"""sentence-transformers folders, in both forms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from polysemy import Activation, Pooling
from polysemy.errors import CheckpointError, UnsupportedModelError
from polysemy.io.sentence import read_sentence_folder
from polysemy.model.steps import Dense, Normalize
from safetensors.numpy import save_file
from tiny_models import MODULES, write_json, write_sentence_model, write_transformer

FLAGS = {
    "cls_token": Pooling.CLS,
    "max_tokens": Pooling.MAX,
    "mean_tokens": Pooling.MEAN,
    "mean_sqrt_len_tokens": Pooling.MEAN_SQRT_LEN,
    "weightedmean_tokens": Pooling.WEIGHTED_MEAN,
    "lasttoken": Pooling.LAST_TOKEN,
}
NEW_MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.base.modules.transformer.Transformer"},
    {
        "idx": 1,
        "name": "1",
        "path": "1_Pooling",
        "type": "sentence_transformers.sentence_transformer.modules.pooling.Pooling",
    },
    {
        "idx": 2,
        "name": "2",
        "path": "2_Normalize",
        "type": "sentence_transformers.base.modules.normalize.Normalize",
    },
]
DENSE = {"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense"}


def test_plain_folder_has_no_pooling(tmp_path: Path) -> None:
    folder = write_transformer(tmp_path / "m")
    read = read_sentence_folder(folder)
    assert read.head is None and read.transformer == folder


@pytest.mark.parametrize("modules", [MODULES, NEW_MODULES])
def test_both_forms_of_module_types(tmp_path: Path, modules: list[dict[str, object]]) -> None:
    head = read_sentence_folder(write_sentence_model(tmp_path / "m", modules=modules)).head
    assert head is not None and head.modes == (Pooling.MEAN,) and head.steps == (Normalize(),)
    head = read_sentence_folder(write_sentence_model(tmp_path / "n", modules=modules[:2])).head
    assert head is not None and not head.normalize


@pytest.mark.parametrize(("flag", "mode"), FLAGS.items())
def test_old_pooling(tmp_path: Path, flag: str, mode: Pooling) -> None:
    pooling = {f"pooling_mode_{name}": name == flag for name in FLAGS}
    head = read_sentence_folder(write_sentence_model(tmp_path / "m", pooling=pooling)).head
    assert head is not None and head.modes == (mode,)


def test_old_pooling_with_several_modes(tmp_path: Path) -> None:
    pooling = {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": True}
    head = read_sentence_folder(write_sentence_model(tmp_path / "m", pooling=pooling)).head
    assert head is not None and head.modes == (Pooling.CLS, Pooling.MEAN)


@pytest.mark.parametrize(
    ("value", "modes"),
    [
        ("mean", (Pooling.MEAN,)),
        ("lasttoken", (Pooling.LAST_TOKEN,)),
        ("mean_sqrt_len_tokens", (Pooling.MEAN_SQRT_LEN,)),
        (["max", "weightedmean"], (Pooling.MAX, Pooling.WEIGHTED_MEAN)),
    ],
)
def test_new_pooling(tmp_path: Path, value: object, modes: tuple[Pooling, ...]) -> None:
    pooling = {"embedding_dimension": 24, "pooling_mode": value, "include_prompt": False}
    head = read_sentence_folder(write_sentence_model(tmp_path / "m", pooling=pooling)).head
    assert head is not None and head.modes == modes and not head.include_prompt


@pytest.mark.parametrize(
    ("pooling", "error", "message"),
    [
        ({}, CheckpointError, "names no pooling mode"),
        ({"pooling_mode_mean_tokens": False}, CheckpointError, "names no pooling mode"),
        (
            {"pooling_mode_mean_tokens": "no"},
            CheckpointError,
            "'pooling_mode_mean_tokens' must be true or false",
        ),
        ({"pooling_mode": "attention"}, UnsupportedModelError, "pooling must be one of"),
        ({"pooling_mode": []}, UnsupportedModelError, "at least one"),
        (
            {"pooling_mode_new_tokens": True},
            UnsupportedModelError,
            "'pooling_mode_new_tokens' is not supported",
        ),
        ({"pooling_mode": "mean", "include_prompt": 1}, CheckpointError, "include_prompt"),
    ],
)
def test_a_pooling_is_never_guessed(
    tmp_path: Path, pooling: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        read_sentence_folder(write_sentence_model(tmp_path / "m", pooling=pooling))


@pytest.mark.parametrize(
    ("modules", "error"),
    [
        ([], CheckpointError),
        ({"0": "x"}, CheckpointError),
        ([3], CheckpointError),
        ([{"type": "x.Transformer"}], CheckpointError),
        ([{"type": "x.Transformer", "path": "../other"}], CheckpointError),
        ([{"type": "x.Transformer", "path": "/etc"}], CheckpointError),
        ([{"type": "x.Transformer", "path": ".."}], CheckpointError),
        ([{"type": "x.Transformer", "path": "a" * 300}], CheckpointError),
        (MODULES[1:], UnsupportedModelError),
        ([MODULES[0], MODULES[2]], UnsupportedModelError),
        ([MODULES[0], MODULES[0], MODULES[1]], UnsupportedModelError),
        ([*MODULES, {"type": "sentence_transformers.models.CNN", "path": "3_CNN"}], UnsupportedModelError),
    ],
)
def test_other_modules(tmp_path: Path, modules: list[dict[str, object]], error: type[Exception]) -> None:
    folder = write_sentence_model(tmp_path / "m")
    write_json(folder / "modules.json", modules)
    with pytest.raises(error, match=r"modules\.json"):
        read_sentence_folder(folder)


def dense(folder: Path, bias: bool = True, **changes: object) -> Path:
    write_sentence_model(folder, modules=[*MODULES[:2], DENSE])
    config = {"in_features": 24, "out_features": 5, "bias": bias} | {
        "activation_function": "torch.nn.modules.activation.Tanh"
    }
    write_json(folder / "2_Dense" / "config.json", config | changes)
    tensors = {"linear.weight": np.ones((5, 24), np.float32)}
    if bias:
        tensors["linear.bias"] = np.ones(5, np.float32)
    save_file(tensors, folder / "2_Dense" / "model.safetensors")
    return folder


@pytest.mark.parametrize("bias", [True, False])
def test_dense(tmp_path: Path, bias: bool) -> None:
    head = read_sentence_folder(dense(tmp_path / "m", bias)).head
    assert head is not None and head.dim(24) == 5 and not head.normalize
    assert isinstance(head.steps[0], Dense) and head.steps[0].activation is Activation.TANH


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (
            {"activation_function": "torch.nn.modules.activation.Mish"},
            UnsupportedModelError,
            "activation_function",
        ),
        ({"activation_function": "evil.Tanh"}, UnsupportedModelError, "activation_function"),
        ({"activation_function": None}, UnsupportedModelError, "activation_function"),
        ({"use_residual": 1}, CheckpointError, "use_residual"),
        ({"use_residual": True}, CheckpointError, "residual.weight"),
        ({"module_input_name": "token_embeddings"}, UnsupportedModelError, "module_input_name"),
        ({"in_features": 25}, CheckpointError, "the tensors must be"),
        ({"out_features": "5"}, CheckpointError, "the tensors must be"),
    ],
)
def test_other_dense(
    tmp_path: Path, changes: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        read_sentence_folder(dense(tmp_path / "m", **changes))


def test_settings(tmp_path: Path) -> None:
    read = read_sentence_folder(
        write_sentence_model(tmp_path / "m", settings={"max_seq_length": 7, "do_lower_case": True})
    )
    assert read.max_seq_length == 7 and read.lowercase
    new = {"transformer_task": "feature-extraction", "module_output_name": "token_embeddings"}
    read = read_sentence_folder(write_sentence_model(tmp_path / "n", settings=new))
    assert read.max_seq_length is None and not read.lowercase


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"max_seq_length": 0}, CheckpointError),
        ({"max_seq_length": "12"}, CheckpointError),
        ({"max_seq_length": True}, CheckpointError),
        ({"do_lower_case": "no"}, CheckpointError),
        ({"transformer_task": "fill-mask"}, UnsupportedModelError),
        ({"module_output_name": "token_ids"}, UnsupportedModelError),
        ({"processing_kwargs": {"text": {"add_special_tokens": False}}}, UnsupportedModelError),
        ({"processing_kwargs": 3}, CheckpointError),
    ],
)
def test_other_settings(tmp_path: Path, settings: dict[str, object], error: type[Exception]) -> None:
    with pytest.raises(error, match=r"sentence_bert_config\.json"):
        read_sentence_folder(write_sentence_model(tmp_path / "m", settings=settings))


def test_prompts(tmp_path: Path) -> None:
    prompts = {"prompts": {"query": "query: ", "document": ""}, "default_prompt_name": "query"}
    read = read_sentence_folder(
        write_sentence_model(tmp_path / "m", prompts=prompts | {"similarity_fn_name": "cosine"})
    )
    assert read.prompts == prompts["prompts"]
    assert (read.default_prompt, read.similarity) == ("query", "cosine")


@pytest.mark.parametrize(
    "prompts",
    [
        {"prompts": ["a"]},
        {"prompts": {"q": 3}},
        {"prompts": {}, "default_prompt_name": "q"},
        {"default_prompt_name": 3},
        {"truncate_dim": 0},
        {"truncate_dim": True},
        {"truncate_dim": "8"},
    ],
)
def test_malformed_prompts(tmp_path: Path, prompts: dict[str, object]) -> None:
    with pytest.raises(CheckpointError, match=r"config_sentence_transformers\.json"):
        read_sentence_folder(write_sentence_model(tmp_path / "m", prompts=prompts))


def test_transformer_in_a_folder_of_its_own(tmp_path: Path) -> None:
    modules = [{**MODULES[0], "path": "0_Transformer"}, *MODULES[1:]]
    folder = write_sentence_model(tmp_path / "m", modules=modules)
    assert read_sentence_folder(folder).transformer == folder / "0_Transformer"


@pytest.mark.parametrize(
    "kind", ["custom_st.Pooling", "Pooling", "sentence_transformers_x.models.Pooling", ""]
)
def test_modules_of_another_package(tmp_path: Path, kind: str) -> None:
    """A module is what its package makes of it, and code beside a model is never run."""
    folder = write_sentence_model(tmp_path / "m", modules=[MODULES[0], {**MODULES[1], "type": kind}])
    (folder / "custom_st.py").write_text("raise SystemExit")
    with pytest.raises(UnsupportedModelError, match="must be one of sentence_transformers, got"):
        read_sentence_folder(folder)


@pytest.mark.parametrize("path", ["..", "../x", "/etc", "a/b", "a\\b", ".hidden", "x" * 101, "\u0661", "a\n"])
def test_modules_stay_in_the_folder(tmp_path: Path, path: str) -> None:
    folder = write_sentence_model(tmp_path / "m", modules=[MODULES[0], {**MODULES[1], "path": path}])
    with pytest.raises(CheckpointError, match="a module's path must be a folder beside it"):
        read_sentence_folder(folder)


def test_many_modules(tmp_path: Path) -> None:
    folder = write_sentence_model(tmp_path / "m", modules=MODULES[:2] + MODULES[2:] * 31)
    with pytest.raises(CheckpointError, match="at most 32 modules, got 33"):
        read_sentence_folder(folder)


@pytest.mark.parametrize(
    ("pooling", "message"),
    [
        ({"pooling_mode": "cls", "pooling_mode_mean_tokens": True}, "contradict each other"),
        ({"pooling_mode": ["cls", "max"], "pooling_mode_cls_token": True}, "contradict each other"),
        ({"pooling_mode": ["mean"] * 17}, "at most 16 modes, got 17"),
    ],
)
def test_contradicting_pooling(tmp_path: Path, pooling: dict[str, object], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        read_sentence_folder(write_sentence_model(tmp_path / "m", pooling=pooling))


def test_both_forms_of_pooling_that_agree(tmp_path: Path) -> None:
    pooling = {"pooling_mode": "cls", "pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}
    head = read_sentence_folder(write_sentence_model(tmp_path / "m", pooling=pooling)).head
    assert head is not None and head.modes == (Pooling.CLS,)


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"max_seq_length": 9, "processing_kwargs": {"text": {"max_length": 10}}}, CheckpointError),
        (
            {"max_seq_length": 9, "processing_kwargs": {"text": {"add_special_tokens": False}}},
            UnsupportedModelError,
        ),
        ({"max_seq_length": 9, "processing_kwargs": {"image": {"size": 3}}}, UnsupportedModelError),
        ({"max_seq_length": 9, "processing_kwargs": [1]}, CheckpointError),
    ],
)
def test_settings_beside_max_seq_length(
    tmp_path: Path, settings: dict[str, object], error: type[Exception]
) -> None:
    with pytest.raises(error, match="processing_kwargs"):
        read_sentence_folder(write_sentence_model(tmp_path / "m", settings=settings))


@pytest.mark.parametrize(
    "name", ["modules.json", "config_sentence_transformers.json", "sentence_bert_config.json"]
)
def test_links_that_lead_nowhere(tmp_path: Path, name: str) -> None:
    """Their content is missing, it isn't left out."""
    folder = write_sentence_model(tmp_path / "m")
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to("nowhere")
    with pytest.raises(CheckpointError, match=f"{name} is missing"):
        read_sentence_folder(folder)


@pytest.mark.parametrize("write", [write_transformer, write_sentence_model])
def test_a_route_without_a_router(tmp_path: Path, write: Any) -> None:
    folder = write(tmp_path / "m")
    with pytest.raises(UnsupportedModelError, match=r"route must be None for a .* Router, got 'query'"):
        read_sentence_folder(folder, route="query")


def router(folder: Path, **changes: object) -> Path:
    entry = {"idx": 0, "name": "0", "path": "r", "type": "sentence_transformers.models.Router"}
    write_sentence_model(folder, modules=[entry, *MODULES[1:]])
    config: dict[str, object] = {
        "types": {"q": "sentence_transformers.models.Transformer", "d": MODULES[0]["type"]},
        "structure": {"query": ["q"], "document": ["d"]},
        "parameters": {"default_route": "document"},
    }
    write_json(folder / "r" / "router_config.json", config | changes)
    return folder


def test_routes(tmp_path: Path) -> None:
    folder = router(tmp_path / "m")
    assert read_sentence_folder(folder).transformer == folder / "r" / "d"
    assert read_sentence_folder(folder, route="query").transformer == folder / "r" / "q"


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"parameters": {"default_route": ["query"]}}, UnsupportedModelError, r"one of .*, got \['query'\]"),
        ({"parameters": {"default_route": {"a": 1}}}, UnsupportedModelError, r"one of .*, got \{'a': 1\}"),
        ({"parameters": [3]}, CheckpointError, r"parameters must be an object, got \[3\]"),
        ({"types": [4]}, CheckpointError, r"types must be an object, got \[4\]"),
    ],
)
def test_malformed_routes(
    tmp_path: Path, changes: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        read_sentence_folder(router(tmp_path / "m", **changes))
