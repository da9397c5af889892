"""Modules, settings, tokenizers and vocabularies that mean no good."""

from __future__ import annotations

import base64
import copy
import json
import struct
from collections.abc import Iterator
from pathlib import Path

from folders import Build, put, put_json, tokenizer_json
from tiny_models import MODULES, POOLING_OLD, write_json
from tokenizer_folders import piece_model, varint

__all__ = ["modules", "settings", "tokenizers", "vocabularies"]

MIB = 1 << 20


def tokenizers() -> Iterator[tuple[str, Build]]:
    def changed(name: str, value: object) -> Build:
        return put_json("tokenizer.json", tokenizer_json() | {name: value})

    def model(**changes: object) -> Build:
        stored = tokenizer_json()
        return put_json("tokenizer.json", stored | {"model": stored["model"] | changes})

    def chain(*steps: object) -> dict[str, object]:
        return {"type": "Sequence", "normalizers": list(steps)}

    double = {"type": "Replace", "pattern": {"Regex": "."}, "content": "xx"}
    nested: dict[str, object] = {"type": "Lowercase"}
    for _ in range(60):
        nested = chain(nested)
    deep = b'{"type":"Sequence","normalizers":[' * 100_000
    token = tokenizer_json()["added_tokens"][0]
    many = {"id": "x", "ids": [1] * 100_000, "tokens": ["x"] * 100_000}
    yield "doubling", changed("normalizer", chain(*[double] * 32))
    yield "long chain", changed("normalizer", chain(*[{"type": "Lowercase"}] * 1000))
    yield "prepending", changed("normalizer", chain(*[{"type": "Prepend", "prepend": "x" * 1000}] * 30))
    yield (
        "inserting",
        changed("normalizer", {"type": "Replace", "pattern": {"String": ""}, "content": "x" * 90_000}),
    )
    yield "bytes of bytes", changed("pre_tokenizer", {"type": "Sequence", "pretokenizers": [
        {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": False}] * 40})  # fmt: skip
    yield "nested", changed("normalizer", nested)
    yield "too deeply nested", put("tokenizer.json", b'{"normalizer":' + deep)
    yield "a table of rubbish", changed("normalizer", {"type": "Precompiled", "precompiled_charsmap": "AAAA"})
    table = struct.pack("<I", 1 << 30) + bytes(100)
    yield (
        "a table that ends",
        changed(
            "normalizer", {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(table).decode()}
        ),
    )
    loop = struct.pack("<I", 1024) + struct.pack("<256I", *[1 << 10] * 256) + b"x" * 100_000 + b"\0"
    yield (
        "a table of growth",
        changed(
            "normalizer",
            chain(*[{"type": "Precompiled", "precompiled_charsmap": base64.b64encode(loop).decode()}] * 3),
        ),
    )
    for name, pattern in {
        "nested repeats": "((a{1,1000}){1,1000}){1,1000}",
        "backtracking": "(a+)+$",
        "no expression": "((((",
        "a class": "[\\p{L}&&[^a]]{0,99999}",
        "look behind": "(?<=a*)b",
    }.items():
        split = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
        yield f"expression: {name}", changed("pre_tokenizer", split)
    for number in (2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**64, -1, 1.5, "1"):
        yield f"an id of {number}", model(vocab=tokenizer_json()["model"]["vocab"] | {"bank": number})
        yield f"an added id of {number}", changed("added_tokens", [token | {"id": number, "content": "[X]"}])
    text = json.dumps(tokenizer_json())
    for key, once, twice in (
        ("normalizer", '"normalizer":', '"normalizer": null, "normalizer":'),
        ("a token", '"bank":', '"bank": 6, "bank":'),
        ("an escaped token", '"bank":', '"b\\u0061nk": 6, "bank":'),
    ):
        assert once in text
        yield f"{key} twice", put("tokenizer.json", text.replace(once, twice, 1).encode())
    yield "one key over and over", put("tokenizer.json", b'{"model":{' + b'"":0,' * (12 * MIB) + b'"":0}}')
    yield "ids twice", model(vocab=dict.fromkeys(tokenizer_json()["model"]["vocab"], 0))
    yield "no unknown token", model(unk_token="[NONE]")
    yield "no vocabulary", model(vocab={})
    yield "a list for a vocabulary", model(vocab=[["a", 1.0]])
    yield "an unknown model", model(type="Evil")
    yield "no letters in a word", model(max_input_chars_per_word=0)
    yield "many letters in a word", model(max_input_chars_per_word=2**64)
    yield "no prefix", model(continuing_subword_prefix="")
    yield "empty added tokens", changed("added_tokens", [token | {"content": ""}])
    yield (
        "many added tokens",
        changed("added_tokens", [token | {"id": 40 + i, "content": f"[{i}]"} for i in range(20_000)]),
    )
    yield "padding", changed("padding", {"strategy": {"Fixed": 10**12}, "direction": "Right", "pad_to_multiple_of": 0,
        "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"})  # fmt: skip
    yield (
        "truncation",
        changed(
            "truncation", {"max_length": 1, "strategy": "LongestFirst", "stride": 5, "direction": "Right"}
        ),
    )
    template = copy.deepcopy(tokenizer_json()["post_processor"])
    template["special_tokens"]["[CLS]"] = many
    yield "many tokens for one", changed("post_processor", template)
    template = copy.deepcopy(tokenizer_json()["post_processor"])
    template["single"] = template["single"][:1] * 100_000
    yield "many special tokens", changed("post_processor", template)
    template = copy.deepcopy(tokenizer_json()["post_processor"])
    template["special_tokens"]["[CLS]"]["ids"] = [2**31]
    yield (
        "a special token without row",
        put_json("tokenizer.json", tokenizer_json() | {"post_processor": template}),
    )
    yield "no post processor", changed("post_processor", None)
    yield "rubbish for a post processor", changed("post_processor", {"type": "Evil"})
    for kind in ("BPE", "Unigram", "WordLevel"):
        vocab: object = [["a", -1.0]] if kind == "Unigram" else {"a": 0}
        yield (
            f"a bare {kind}",
            put_json("tokenizer.json", {"model": {"type": kind, "vocab": vocab, "merges": [], "unk_id": 9}}),
        )
    yield (
        "a score that is no number",
        put(
            "tokenizer.json",
            b'{"model": {"type": "Unigram", "unk_id": 0, "vocab": [["a", 1e999], ["b", -1e308]]}}',
        ),
    )
    yield "merges of nothing", model(type="BPE", merges=[["x", "y"]])


def modules() -> Iterator[tuple[str, Build]]:
    def one(**changes: object) -> Build:
        return put_json("modules.json", [MODULES[0], {**MODULES[1], **changes}])

    def code(folder: Path) -> None:
        one(type="custom_st.Pooling")(folder)
        (folder / "custom_st.py").write_text("raise SystemExit('code of a model was run')")

    yield "code beside the model", code
    for path in (
        "..",
        "../..",
        "/etc",
        "/",
        "a/../..",
        "1_Pooling\0",
        "\ud800",
        "x" * 5000,
        "~",
        "",
        "1_Pooling/",
    ):
        yield f"a module in {path[:20]!r}", one(path=path)
    for kind in (
        "Pooling",
        "os.system",
        "sentence_transformers.models.Evil",
        "x" * 100_000,
        5,
        None,
        ["Pooling"],
    ):
        yield f"a module of type {str(kind)[:20]}", one(type=kind)
    yield "a million modules", put("modules.json", b"[" + b'{"type":"a","path":""},' * 40_000 + b"1]")
    yield "no modules", put_json("modules.json", [])
    yield "two transformers", put_json("modules.json", [MODULES[0], MODULES[0]])
    yield "no transformer", put_json("modules.json", [MODULES[1]])
    for i, pooling in enumerate(
        (
            {"pooling_mode": ["mean"] * 100_000},
            {"pooling_mode": "cls", "pooling_mode_mean_tokens": True},
            {"pooling_mode": {"mean": 1}},
            {"pooling_mode": None},
            {"pooling_mode": "x" * 100_000},
            {f"pooling_mode_{i}": False for i in range(10_000)},
            POOLING_OLD | {"include_prompt": "no"},
            {},
        )
    ):
        yield f"pooling {i}", put_json("1_Pooling/config.json", pooling)
    dense = [
        *MODULES[:2],
        {"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense"},
    ]
    for i, config in enumerate(
        (
            {
                "in_features": 24,
                "out_features": 2**62,
                "activation_function": "torch.nn.modules.activation.Tanh",
            },
            {"in_features": 24, "out_features": 8, "activation_function": "os.system"},
            {"in_features": [], "out_features": {}, "activation_function": "torch.nn.Tanh", "bias": "x"},
            {},
        )
    ):

        def build(folder: Path, config: object = config) -> None:
            put_json("modules.json", dense)(folder)
            put_json("2_Dense/config.json", config)(folder)

        yield f"dense {i}", build


def settings() -> Iterator[tuple[str, Build]]:
    for i, value in enumerate(
        (
            {"max_seq_length": "16"},
            {"max_seq_length": 2**63},
            {"max_seq_length": 9, "processing_kwargs": {"text": {"add_special_tokens": False}}},
            {"max_seq_length": 9, "processing_kwargs": {"audio": {"rate": 3}}},
            {"max_seq_length": 9, "processing_kwargs": {"text": {"max_length": 10}}},
            {"processing_kwargs": {"text": {"max_length": -1}}},
            {"processing_kwargs": "x"},
            {"transformer_task": "fill-mask"},
            {"do_lower_case": "yes"},
        )
    ):
        yield f"sentence settings {i}", put_json("sentence_bert_config.json", value)
    token = {"content": "[CLS]", "special": True}
    for i, value in enumerate(
        (
            {"model_max_length": "512"},
            {"model_max_length": -5},
            {"model_max_length": 2**200},
            {"truncation_side": "up"},
            {"tokenizer_class": ["x"]},
            {"tokenizer_class": "XLMRobertaTokenizer"},
            {"do_lower_case": 1},
            {"cls_token": "no token"},
            {"cls_token": ""},
            {"cls_token": "$A", "sep_token": "a:b"},
            {"cls_token": {"content": 5}},
            {"cls_token": "x" * 100_000},
            {"added_tokens_decoder": {str(2**40): token}},
            {"added_tokens_decoder": {"9" * 5000: token}},
            {"added_tokens_decoder": {"-1": token}},
            {"added_tokens_decoder": {"1": "x"}},
            {"added_tokens_decoder": {str(i): {"content": f"<{i}>"} for i in range(10_000)}},
            {"extra_special_tokens": {"a": 5}},
            {"additional_special_tokens": [[[]]]},
            {"auto_map": {"AutoTokenizer": ["evil.Tokenizer", None]}},
        )
    ):
        yield f"tokenizer settings {i}", put_json("tokenizer_config.json", value)
    for i, prompts in enumerate(
        (
            {"prompts": {"q": 5}},
            {"prompts": ["q"]},
            {"prompts": {}, "default_prompt_name": "q"},
            {"default_prompt_name": []},
        )
    ):
        yield f"prompts {i}", put_json("config_sentence_transformers.json", prompts)


def vocabularies() -> Iterator[tuple[str, Build]]:
    def instead(model_type: str, **files: bytes) -> Build:
        def build(folder: Path) -> None:
            for name in ("tokenizer.json", "vocab.txt", "tokenizer_config.json"):
                (folder / name).unlink()
            write_json(folder / "tokenizer_config.json", {"tokenizer_class": model_type})
            for name, content in files.items():
                (folder / name.replace("__", ".")).write_bytes(content)

        return build

    yield "vocab.txt of bytes", instead("BertTokenizer", vocab__txt=b"\xff\xfe\n" * 100)
    yield "vocab.txt of blanks", instead("BertTokenizer", vocab__txt=b"\n" * 100_000)
    yield "vocab.txt of 20 megabytes", instead("BertTokenizer", vocab__txt=b"x\n" * (10 * MIB))
    pairs = {
        "merges of one part": ({"a": 0}, b"ab\n"),
        "merges without tokens": ({"a": 0}, b"x y\n"),
        "ids beyond": ({"a": 2**31}, b""),
        "negative ids": ({"a": -1}, b""),
        "words for ids": ({"a": "b"}, b""),
        "no tokens": ({}, b""),
    }
    for name, (vocab, merges) in pairs.items():
        yield name, instead("RobertaTokenizer", vocab__json=json.dumps(vocab).encode(), merges__txt=merges)
    yield "merges are missing", instead("RobertaTokenizer", vocab__json=b"{}")
    models: dict[str, bytes] = {
        "nothing": b"",
        "text": b"no protocol buffer at all",
        "a length beyond": b"\x0a" + varint(1 << 40),
        "an endless number": b"\x0a" + b"\xff" * 1000,
        "a group": b"\x0b\x0c",
        "nested": b"\x0a\x02\x0a\x02",
        "no UTF-8": b"\x0a\x03\x0a\x01\xff",
        "a NaN": piece_model([("a", float("nan"), 1)]),
        "an infinite score": piece_model([("a", float("-inf"), 1)]),
        "BPE": piece_model([("a", 0.0, 1)], kind=2),
        "no kind": piece_model([("a", 0.0, 1)], kind=99),
        "an unknown piece beyond": piece_model([("a", 0.0, 1)], unknown=10**9),
        "empty pieces": piece_model([("", 0.0, 1)] * 100),
        "pieces twice": piece_model([("a", 0.0, 4)] * 100),
        "a table of rubbish": piece_model([("a", 0.0, 1)] * 9, charsmap=b"\xff" * 50),
        "a table of nothing": piece_model([("a", 0.0, 1)] * 9, charsmap=b"\0"),
    }
    for name, content in models.items():
        yield f"spiece.model: {name}", instead("T5Tokenizer", spiece__model=content)
        yield f"spm.model: {name}", instead("DebertaV2Tokenizer", spm__model=content)
