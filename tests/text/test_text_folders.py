"""Tokenizers of every kind of folder: ids, offsets and token types are those of transformers."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import tokenizer_folders as make
from polysemy.errors import TokenizerError, UnsupportedModelError
from polysemy.text.library import library
from polysemy.text.tokenizer import TextTokenizer
from tokenizer_folders import ODD, TEXTS, write_json
from transformers import AutoTokenizer

# Its package also has a function of this name, in the place of the module where others have asked for it before.
convert_slow_tokenizer = import_module("transformers.convert_slow_tokenizer")


@pytest.fixture(autouse=True)
def _no_sentencepiece(monkeypatch: pytest.MonkeyPatch) -> None:
    """transformers asks for the sentencepiece package, but reads its files with protobuf alone."""
    monkeypatch.setattr(convert_slow_tokenizer, "requires_backends", lambda *_: None)


def ours(folder: Path, model_type: str = "", length: int = 1000) -> TextTokenizer:
    model_type = model_type or json.loads((folder / "config.json").read_text())["model_type"]
    return TextTokenizer.from_folder(folder, max_seq_length=None, max_positions=length, model_type=model_type)


def check(folder: Path) -> None:
    theirs: Any = AutoTokenizer.from_pretrained(folder)
    texts = [*ODD, *TEXTS]
    expected = theirs(texts, return_offsets_mapping=True)
    for i, encoding in enumerate(ours(folder).encode(texts)):
        assert encoding.ids == expected["input_ids"][i], (texts[i], encoding.tokens)
        assert encoding.offsets == [tuple(pair) for pair in expected["offset_mapping"][i]], texts[i]


def added(content: str, **flags: bool) -> dict[str, object]:
    return {"content": content, "lstrip": False, "rstrip": False, "normalized": False, "single_word": False,
            "special": True} | flags  # fmt: skip


SETTINGS: list[dict[str, object] | None] = [
    None,
    {},
    {"do_lower_case": False},
    {"do_lower_case": False, "strip_accents": True},
    {"strip_accents": False, "tokenize_chinese_chars": False},
    {"cls_token": "money", "sep_token": "river"},
    {"mask_token": "[MASK]", "additional_special_tokens": ["bank", "[E1]"]},
    {
        "added_tokens_decoder": {
            "30600": added("[E1]"),
            "30523": added("Bank", special=False, normalized=True),
        }
    },
    {"added_tokens_decoder": {"103": added("[MASK]", lstrip=True)}, "mask_token": "[MASK]"},
    {"split_special_tokens": True},
    {"tokenizer_class": "PreTrainedTokenizerFast"},
    {"tokenizer_class": "ElectraTokenizerFast", "do_lower_case": False},
]


@pytest.mark.parametrize("settings", SETTINGS[:10])
@pytest.mark.parametrize("model_type", ["bert", "electra", "distilbert"])
def test_vocab_txt(tmp_path: Path, model_type: str, settings: dict[str, object] | None) -> None:
    check(make.bert(tmp_path, model_type, settings))


@pytest.mark.parametrize("settings", SETTINGS)
def test_tokenizer_json_and_its_settings(tmp_path: Path, settings: dict[str, object] | None) -> None:
    made: Any = AutoTokenizer.from_pretrained(make.bert(tmp_path / "made"))
    folder = make.base(tmp_path / "m", "bert", settings)
    made.backend_tokenizer.save(str(folder / "tokenizer.json"))
    check(folder)


OTHERS: dict[str, Any] = {"roberta": make.roberta, "mpnet": make.mpnet}


@pytest.mark.parametrize("form", ["vocab", "json"])
def test_special_tokens_map_and_added_tokens(tmp_path: Path, form: str) -> None:
    folder = make.bert(tmp_path / "m", settings={"cls_token": "water"})
    if form == "json":
        made: Any = AutoTokenizer.from_pretrained(make.bert(tmp_path / "made"))
        made.backend_tokenizer.save(str(folder / "tokenizer.json"))
    write_json(folder / "special_tokens_map.json", {"cls_token": "money", "sep_token": added("river")})
    write_json(folder / "added_tokens.json", {"[E1]": 30523, "Naïve": 30522})
    check(folder)


@pytest.mark.parametrize("form", ["older", "json"])
@pytest.mark.parametrize(
    "kind", ["roberta", "mpnet", "xlm-roberta", "camembert", "albert", "t5", "deberta-v2"]
)
def test_such_files_beside_other_vocabularies(tmp_path: Path, kind: str, form: str) -> None:
    def made_in(folder: Path) -> Path:
        return make.sentencepiece(folder, kind) if kind not in OTHERS else OTHERS[kind](folder)

    folder = made_in(tmp_path / "m")
    count = len(AutoTokenizer.from_pretrained(made_in(tmp_path / "same")))
    if form == "json":
        made: Any = AutoTokenizer.from_pretrained(made_in(tmp_path / "made"))
        made.backend_tokenizer.save(str(folder / "tokenizer.json"))
    write_json(folder / "special_tokens_map.json", {"mask_token": added("[E9]", lstrip=True)})
    write_json(folder / "added_tokens.json", {"[E1]": count + 1, "Na\u00efve": count, "[E9]": count + 2})
    check(folder)


def test_added_tokens_decoder_counts_alone(tmp_path: Path) -> None:
    """Where it is, the two older files are leftovers."""
    settings = {"cls_token": "water", "added_tokens_decoder": {"30522": added("[E1]")}}
    folder = make.bert(tmp_path / "m", settings=settings)
    write_json(folder / "special_tokens_map.json", {"cls_token": "money"})
    write_json(folder / "added_tokens.json", {"😀": 30523})
    check(folder)


@pytest.mark.parametrize(
    "settings",
    [None, {"do_lower_case": False}, {"mask_token": {"__type": "AddedToken"} | added("<mask>", lstrip=True)}],
)
def test_mpnet(tmp_path: Path, settings: dict[str, object] | None) -> None:
    check(make.mpnet(tmp_path, settings=settings))


ROBERTA = [
    None,
    {"add_prefix_space": True},
    {"trim_offsets": False},
    {"mask_token": {"__type": "AddedToken"} | added("<mask>", lstrip=True)},
    {"cls_token": "</s>", "sep_token": "<s>"},
    {
        "added_tokens_decoder": {"4": added("<mask>", lstrip=True), "1500": added("[E1]")},
        "mask_token": "<mask>",
    },
]


@pytest.mark.parametrize("settings", ROBERTA)
def test_vocab_json_and_merges(tmp_path: Path, settings: dict[str, object] | None) -> None:
    check(make.roberta(tmp_path, settings=settings))


@pytest.mark.parametrize("settings", ROBERTA)
def test_byte_level_tokenizer_json(tmp_path: Path, settings: dict[str, object] | None) -> None:
    made: Any = AutoTokenizer.from_pretrained(make.roberta(tmp_path / "made"))
    folder = make.base(tmp_path / "m", "roberta", settings)
    made.backend_tokenizer.save(str(folder / "tokenizer.json"))
    check(folder)


def test_clip(tmp_path: Path) -> None:
    check(make.clip(tmp_path))


@pytest.mark.parametrize("model_type", ["xlm-roberta", "camembert", "albert", "t5", "deberta-v2"])
@pytest.mark.parametrize(
    "settings", [None, {"do_lower_case": False, "keep_accents": True}, {"mask_token": "[E1]"}]
)
def test_sentencepiece(tmp_path: Path, model_type: str, settings: dict[str, object] | None) -> None:
    check(make.sentencepiece(tmp_path, model_type, settings))


@pytest.mark.parametrize("model_type", ["xlm-roberta", "camembert", "albert", "t5"])
def test_replacements_of_sentencepiece(tmp_path: Path, model_type: str) -> None:
    folder = make.sentencepiece(tmp_path, model_type, charsmap=make.charsmap("\ufb01", "fi"))
    check(folder)
    one, two = ours(folder).encode(["\ufb01nd", "find"])
    assert one.ids == two.ids


def test_class_names_win_over_the_family(tmp_path: Path) -> None:
    check(make.mpnet(tmp_path / "m", "bert", {"tokenizer_class": "MPNetTokenizer"}))


@pytest.mark.parametrize("kind", [2, 3, 4])
def test_other_models_of_sentencepiece(tmp_path: Path, kind: int) -> None:
    folder = make.sentencepiece(tmp_path, "t5")
    (folder / "spiece.model").write_bytes(make.piece_model([("a", 0.0, 1)], kind=kind))
    with pytest.raises(UnsupportedModelError, match=r"Make a tokenizer\.json of it once"):
        ours(folder)


def test_a_model_file_cut_everywhere(tmp_path: Path) -> None:
    folder = make.sentencepiece(tmp_path, "t5")
    data = make.piece_model([("<pad>", 0.0, 3), ("</s>", 0.0, 3), ("<unk>", 0.0, 2), ("a", -1.0, 1)])
    borders, readable = {0}, set()
    while (end := max(borders)) < len(data):
        assert data[end + 1] < 128, "the length of a field is one byte here"
        borders.add(end + 2 + data[end + 1])
    for length in range(len(data) + 1):
        (folder / "spiece.model").write_bytes(data[:length])
        with suppress(TokenizerError):
            assert ours(folder).encode(["a"])[0].ids
            readable.add(length)
    assert len(data) in readable and readable <= borders, "what ends between two fields may be a model"


@pytest.mark.parametrize(
    ("model_type", "file"),
    [("bert", "spiece.model"), ("qwen3", "vocab.json"), ("roberta", "vocab.txt"), ("", "tokenizer.model")],
)
def test_files_of_another_kind(tmp_path: Path, model_type: str, file: str) -> None:
    folder = make.base(tmp_path, model_type, None)
    (folder / file).write_bytes(b"{}")
    with pytest.raises(TokenizerError, match=r"has no tokenizer\.json.*call save_pretrained"):
        ours(folder, model_type)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model_max_length": "512"}, "model_max_length must be a positive number, got '512'"),
        ({"model_max_length": True}, "model_max_length must be a positive number"),
        ({"model_max_length": 0}, "model_max_length must be a positive number"),
        ({"truncation_side": "middle"}, "truncation_side must be left or right"),
        ({"do_lower_case": "no"}, "do_lower_case must be true or false, got 'no'"),
        ({"strip_accents": 1}, "strip_accents must be true or false"),
        ({"cls_token": 5}, "cls_token must be a token"),
        ({"cls_token": {"text": "x"}}, "cls_token must be a token"),
        ({"cls_token": added("money", lstrip=True) | {"rstrip": 3}}, "cls_token must be a token"),
        ({"cls_token": "nobody has it"}, "lacks the special tokens"),
        ({"added_tokens_decoder": []}, "must be an object of tokens by id"),
        ({"added_tokens_decoder": {"x": added("x")}}, "must be an object of tokens by id"),
        ({"added_tokens_decoder": {"1": None}}, "must be an object of tokens by id"),
        ({"additional_special_tokens": "x"}, "additional_special_tokens must be a list of tokens"),
        ({"tokenizer_class": 3}, "tokenizer_class must be a string"),
    ],
)
def test_settings_that_mean_nothing(tmp_path: Path, settings: dict[str, object], message: str) -> None:
    folder = make.bert(tmp_path, settings=settings)
    with pytest.raises(TokenizerError, match=message):
        TextTokenizer.from_folder(folder, max_seq_length=9, max_positions=9, model_type="bert")


REPLACE = {"type": "Replace", "pattern": {"Regex": "."}, "content": "xx"}


@pytest.mark.parametrize(
    "normalizer",
    [
        {"type": "Sequence", "normalizers": [REPLACE] * 32},
        {"type": "Sequence", "normalizers": [{"type": "Sequence", "normalizers": [REPLACE] * 8}] * 8},
        {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "x" * 99}] * 20},
        {"type": "Sequence", "normalizers": [{"type": "Lowercase"}] * 100},
        {"type": "Replace", "pattern": {"String": "a"}, "content": "x" * 2000},
        {"type": "Replace", "pattern": {"String": ""}, "content": "x" * 2000},
        {
            "type": "Sequence",
            "normalizers": [{"type": "Replace", "pattern": {"Regex": "(?=.)"}, "content": "x"}] * 40,
        },
        {"type": "Sequence", "normalizers": [{"type": "ByteLevel"}] * 40},
    ],
)
def test_normalizers_that_grow(tmp_path: Path, normalizer: dict[str, object]) -> None:
    """Each of them stays below 100 KB, and makes a short text longer than the machine has memory."""
    made: Any = AutoTokenizer.from_pretrained(make.bert(tmp_path))
    stored = json.loads(made.backend_tokenizer.to_str())
    write_json(tmp_path / "tokenizer.json", stored | {"normalizer": normalizer})
    with pytest.raises(TokenizerError, match="must not make a text more than 1,000 times longer"):
        ours(tmp_path)


def test_stored_padding_is_not_carried_out(tmp_path: Path) -> None:
    made: Any = AutoTokenizer.from_pretrained(make.bert(tmp_path))
    stored = json.loads(made.backend_tokenizer.to_str())
    stored["padding"] = {"strategy": {"Fixed": 10**12}, "direction": "Right", "pad_to_multiple_of": None,
                         "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"}  # fmt: skip
    write_json(tmp_path / "tokenizer.json", stored)
    assert len(ours(tmp_path).encode(["bank"])[0]) == 3


def test_a_panic_is_an_error(tmp_path: Path) -> None:
    """The library panics for a tokenizer whose special tokens have ids that no token has."""
    made: Any = AutoTokenizer.from_pretrained(make.bert(tmp_path))
    stored = json.loads(made.backend_tokenizer.to_str())
    stored["added_tokens"] = [{"id": 2**33, "content": "x"} | added("x")]
    write_json(tmp_path / "tokenizer.json", stored)
    with pytest.raises(TokenizerError, match=r"tokenizer\.json is not a usable tokenizer"):
        ours(tmp_path)


def test_a_folder_that_is_no_utf8(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    made: Any = AutoTokenizer.from_pretrained(make.bert(tmp_path / "made"))
    make.base(folder, "bert", None)
    (folder / "tokenizer.json").write_text(made.backend_tokenizer.to_str(), "utf-8")
    assert ours(folder).encode(["bank"])[0].tokens == ["[CLS]", "bank", "[SEP]"]


def test_library_keeps_what_is_no_failure_of_a_tokenizer() -> None:
    for kind in (KeyboardInterrupt, SystemExit, MemoryError):
        with pytest.raises(kind), library("x"):
            raise kind
    with pytest.raises(TokenizerError, match=r"^x: "), library("x"):
        raise BaseException("panicked")
