"""Folders with a tokenizer of every kind, trained on the tests' own texts."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from polysemy.io.hub import resolve
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

# How Qwen 2 and 3 split words.
QWEN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
TEXTS = (Path(__file__).parent / "data" / "texts.txt").read_text("utf-8").split("\n")[:-1]
ODD = [
    "", " ", "\t\n", "  two  spaces  ", "a" * 300, "😀👩‍👩‍👧‍👦", "Ünïcödé ＦＵＬＬ ½ ﬁ ﷺ", "İstanbul ıI ß",
    "北京 is 京北", "कित किताब",
    "\u200bzero\u200dwidth\ufeff", "\x00\x01\x7f control", "mixed Кириллица λόγος עברית العربية",
    "[CLS] a [SEP] b [MASK][UNK] [PAD]", "<s> a </s> <mask> <pad><unk>", " <mask> x", "[E1] [E1]x <extra_id_5> b",
    "<|startoftext|> x <|endoftext|>", "``quoted'' \"it's\"", "▁under ▁", "1,000 9, 3.14", "e\u0301 é", "don't",
    "\u3000wide\u3000",
]  # fmt: skip


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False), "utf-8")


def base(folder: Path, model_type: str, settings: Mapping[str, object] | None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "config.json", {"model_type": model_type})
    if settings is not None:
        write_json(folder / "tokenizer_config.json", settings)
    return folder


def bert(folder: Path, model_type: str = "bert", settings: Mapping[str, object] | None = None) -> Path:
    base(folder, model_type, settings)
    (folder / "vocab.txt").write_bytes((resolve(None).folder / "vocab.txt").read_bytes())
    return folder


def mpnet(folder: Path, model_type: str = "mpnet", settings: Mapping[str, object] | None = None) -> Path:
    lines = (resolve(None).folder / "vocab.txt").read_text("utf-8").split("\n")[:-1]
    base(folder, model_type, settings)
    (folder / "vocab.txt").write_text("\n".join(["<s>", "<pad>", "</s>", *lines, "<mask>"]) + "\n", "utf-8")
    return folder


@lru_cache(maxsize=1)
def trained_bpe() -> str:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trainer = trainers.BpeTrainer(
        vocab_size=1500,
        special_tokens=special,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    return tokenizer.to_str()


def roberta(folder: Path, model_type: str = "roberta", settings: Mapping[str, object] | None = None) -> Path:
    model = json.loads(trained_bpe())["model"]
    base(folder, model_type, settings)
    write_json(folder / "vocab.json", model["vocab"])
    pairs = [" ".join(pair) for pair in model["merges"]]
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *pairs]) + "\n", "utf-8")
    return folder


@lru_cache(maxsize=1)
def trained_clip() -> str:
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=1500, show_progress=False, initial_alphabet=alphabet, end_of_word_suffix="</w>",
        special_tokens=["<|startoftext|>", "<|endoftext|>", *(f"{c}</w>" for c in alphabet)],
    )  # fmt: skip
    tokenizer.train_from_iterator(TEXTS, trainer)
    return tokenizer.to_str()


def clip(
    folder: Path, model_type: str = "clip_text_model", settings: Mapping[str, object] | None = None
) -> Path:
    model = json.loads(trained_clip())["model"]
    base(folder, model_type, {"tokenizer_class": "CLIPTokenizer"} | dict(settings or {}))
    write_json(folder / "vocab.json", model["vocab"])
    pairs = [" ".join(pair) for pair in model["merges"]]
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *pairs]) + "\n", "utf-8")
    return folder


@lru_cache(maxsize=1)
def trained_pieces() -> list[tuple[str, float]]:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]
    )
    tokenizer.train_from_iterator(TEXTS, trainers.UnigramTrainer(vocab_size=1200, show_progress=False))
    vocab = json.loads(tokenizer.to_str())["model"]["vocab"]
    return [(str(piece), float(score)) for piece, score in vocab]


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number: int, value: bytes | int) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def piece_model(
    pieces: Iterable[tuple[str, float, int]], *, unknown: int = 0, charsmap: bytes = b"", kind: int = 1
) -> bytes:
    """A SentencePiece model file. A piece has a text, a score, and a type: 1 normal, 2 unknown, 3 control, 4 user's."""
    out = b""
    for text, score, role in pieces:
        out += field(
            1, field(1, text.encode()) + varint(2 << 3 | 5) + struct.pack("<f", score) + field(3, role)
        )
    trainer = field(3, kind) + (field(40, unknown) if unknown else b"")
    return (
        out + field(2, trainer) + field(3, field(1, b"nmt_nfkc") + (field(2, charsmap) if charsmap else b""))
    )


def charsmap(key: str, value: str) -> bytes:
    """SentencePiece's table with one replacement.

    A tree of 32-bit units: at each step the place is xored with the offset of a unit (from bit 10 on) and with a
    byte of the key, which must be the unit's label. Bit 8 says that a value stands at the next place.
    """
    data = key.encode()
    units = [0] * 256 * (len(data) + 2)
    place, unit = 0, 0
    for depth, byte in enumerate(data, 1):
        units[unit] |= (place ^ 256 * depth) << 10
        place = 256 * depth
        unit = place = place ^ byte
        units[unit] = byte
    end = 256 * (len(data) + 1)
    units[unit] |= (place ^ end) << 10 | 1 << 8
    units[end] = 1 << 31
    tree = struct.pack(f"<{len(units)}I", *units)
    return struct.pack("<I", len(tree)) + tree + value.encode() + b"\0"


def counted(words: list[object]) -> list[object]:
    """Words by their order alone, since those of the end of a text are not counted from its beginning."""
    return [words.index(word) for word in words]


def sentencepiece(
    folder: Path, model_type: str, settings: Mapping[str, object] | None = None, charsmap: bytes = b""
) -> Path:
    first, unknown, name = {
        "xlm-roberta": (["<unk>", "<s>", "</s>"], 0, "sentencepiece.bpe.model"),
        "camembert": (["<unk>", "<s>", "</s>"], 0, "sentencepiece.bpe.model"),
        "albert": (["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"], 1, "spiece.model"),
        "t5": (["<pad>", "</s>", "<unk>"], 2, "spiece.model"),
        "deberta-v2": (["[PAD]", "[CLS]", "[SEP]", "[UNK]"], 3, "spm.model"),
    }[model_type]
    head = [(token, 0.0, 2 if i == unknown else 3) for i, token in enumerate(first)]
    rest = [(piece, score, 1) for piece, score in trained_pieces() if piece not in {*first, "<unk>"}]
    base(folder, model_type, settings)
    model = piece_model([*head, ("[E2]", 0.0, 4), *rest], unknown=unknown, charsmap=charsmap)
    (folder / name).write_bytes(model)
    return folder
