"""The tokenizer wrapper: truncation, spans of the original text, both file forms, errors."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from polysemy.errors import TokenizerError
from polysemy.io.hub import resolve
from polysemy.text.tokenizer import TextTokenizer
from tiny_models import VOCAB, write_transformer
from tokenizers import Tokenizer, models, pre_tokenizers, processors


@pytest.fixture(scope="module")
def default() -> TextTokenizer:
    return TextTokenizer.from_folder(resolve(None).folder, max_seq_length=256, max_positions=512)


def tiny(folder: Path, **arguments: object) -> TextTokenizer:
    settings: dict[str, object] = {"max_seq_length": None, "max_positions": 20} | arguments
    return TextTokenizer.from_folder(folder, **settings)  # type: ignore[arg-type]


def test_stored_padding_and_truncation_are_replaced(default: TextTokenizer) -> None:
    """The default model's tokenizer.json pads and cuts to 128."""
    short, long = default.encode(["bank", "bank " * 200])
    assert len(short) == 3 and len(long) == 202


@pytest.mark.parametrize("words", [253, 254, 255, 256, 300, 5000])
def test_cut_tokens_are_counted(default: TextTokenizer, words: int) -> None:
    for spans in (True, False):
        one, two = default.encode(["river " * words, "bank"], spans=spans)
        assert len(one) == min(words + 2, 256)
        assert default.tokens_cut(one) == max(0, words - 254)
        assert default.tokens_cut(two) == 0


def test_fast_and_single_give_the_same_ids(default: TextTokenizer, texts: list[str]) -> None:
    full = [encoding.ids for encoding in default.encode(texts)]
    assert full == [encoding.ids for encoding in default.encode(texts, spans=False)]
    assert full[:50] == [default.encode([text])[0].ids for text in texts[:50]]


def test_spans_are_those_of_the_original(default: TextTokenizer) -> None:
    text = "Café 😀 naïve 𝔘𝔫𝔦 BANK. İstanbul 北京"
    encoding = default.encode([text])[0]
    pieces = [text[start:end] for start, end in encoding.offsets]
    assert pieces == ["", "Café", "😀", "naïve", "𝔘𝔫𝔦", "BANK", ".", "İstanbul", "北", "京", ""]


def test_spans_cover_every_letter(default: TextTokenizer, texts: list[str]) -> None:
    for text in texts:
        encoding = default.encode([text])[0]
        if default.tokens_cut(encoding):
            continue
        covered = {i for start, end in encoding.offsets for i in range(start, end)}
        missing = [c for i, c in enumerate(text) if c.isalnum() and i not in covered]
        assert not missing


def test_byte_tokenizer_spans() -> None:
    """A character of several bytes is several tokens with the same span."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    raw = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.post_processor = processors.ByteLevel(trim_offsets=True)
    encoding = TextTokenizer(raw, 50).encode(["a😀é"])[0]
    assert encoding.offsets == [(0, 1), *[(1, 2)] * 4, *[(2, 3)] * 2]


@pytest.mark.parametrize(
    ("max_seq_length", "stored", "expected"),
    [
        (None, 512, 20),
        (7, 512, 7),
        (30, 8, 20),
        (None, 9, 9),
        (None, 1e30, 20),
        (None, 10**30, 20),
        (None, None, 20),
    ],
)
def test_max_length(tmp_path: Path, max_seq_length: int | None, stored: object, expected: int) -> None:
    folder = write_transformer(tmp_path / "m")
    (folder / "tokenizer_config.json").write_text(json.dumps({"model_max_length": stored}))
    assert tiny(folder, max_seq_length=max_seq_length).max_length == expected


def test_left_truncation(tmp_path: Path) -> None:
    folder = write_transformer(tmp_path / "m")
    (folder / "tokenizer_config.json").write_text(json.dumps({"truncation_side": "left"}))
    encoding = tiny(folder, max_seq_length=4).encode(["a b c x"])[0]
    assert encoding.tokens == ["[CLS]", "c", "x", "[SEP]"]


def test_too_short_a_limit(tmp_path: Path) -> None:
    folder = write_transformer(tmp_path / "m")
    assert tiny(folder, max_seq_length=2).encode(["a"])[0].tokens == ["[CLS]", "[SEP]"]
    with pytest.raises(TokenizerError, match="max_length must be at least 2"):
        tiny(folder, max_seq_length=1)


def test_vocab_file_equals_transformers(texts: list[str], tmp_path: Path) -> None:
    """Built from vocab.txt alone, the tokenizer gives what the published tokenizer.json gives."""
    source = resolve(None).folder
    for name in ("vocab.txt", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((source / name).read_bytes())
    built = TextTokenizer.from_folder(tmp_path, max_seq_length=256, max_positions=512)
    published = TextTokenizer.from_folder(source, max_seq_length=256, max_positions=512)
    texts = [*texts, "[CLS] a [SEP] b [sep] [mask] [MASK][UNK]"]
    for ours, theirs in zip(built.encode(texts), published.encode(texts), strict=True):
        assert ours.ids == theirs.ids and ours.offsets == theirs.offsets


def test_cased_vocab(tmp_path: Path) -> None:
    folder = write_transformer(tmp_path / "m")
    (folder / "vocab.txt").write_text("\n".join([*VOCAB, "Bank", "A"]) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": False}))
    cased = tiny(folder)
    assert cased.encode(["Bank bank"])[0].tokens[1:-1] == ["Bank", "bank"] and not cased.uncased
    lowered = tiny(folder, lowercase=True)
    assert lowered.encode(["Bank bank"])[0].tokens[1:-1] == ["bank", "bank"] and lowered.uncased


@pytest.mark.parametrize(
    ("settings", "tokens"),
    [
        ({}, ["cafe", "\u5317", "\u4eac"]),
        ({"strip_accents": False}, ["caf\u00e9", "\u5317", "\u4eac"]),
        ({"do_lower_case": False}, ["Caf\u00e9", "\u5317", "\u4eac"]),
        ({"do_lower_case": False, "strip_accents": True}, ["Cafe", "\u5317", "\u4eac"]),
        ({"tokenize_chinese_chars": False}, ["cafe", "\u5317\u4eac"]),
    ],
)
def test_settings_of_a_vocab_file(tmp_path: Path, settings: dict[str, object], tokens: list[str]) -> None:
    folder = write_transformer(tmp_path / "m")
    words = ["cafe", "caf\u00e9", "Cafe", "Caf\u00e9", "\u5317", "\u4eac", "\u5317\u4eac"]
    (folder / "vocab.txt").write_text("\r\n".join([*VOCAB, *words]) + "\r\n", "utf-8", newline="")
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    assert tiny(folder).encode(["Caf\u00e9 \u5317\u4eac"])[0].tokens[1:-1] == tokens


@pytest.mark.parametrize("content", [b"", b"{}", b"garbage", b'{"model": {"type": "Evil"}}', b"\xff\xfe"])
def test_unreadable_tokenizer(tmp_path: Path, content: bytes) -> None:
    folder = write_transformer(tmp_path / "m")
    (folder / "tokenizer.json").write_bytes(content)
    with pytest.raises(TokenizerError, match=r"tokenizer\.json is not a usable tokenizer"):
        tiny(folder)


def test_no_tokenizer(tmp_path: Path) -> None:
    folder = write_transformer(tmp_path / "m")
    (folder / "vocab.txt").unlink()
    with pytest.raises(TokenizerError, match=r"neither tokenizer\.json nor vocab\.txt"):
        tiny(folder)


def test_vocab_without_special_tokens(tmp_path: Path) -> None:
    folder = write_transformer(tmp_path / "m")
    (folder / "vocab.txt").write_text("a\nb\n[CLS]\n")
    with pytest.raises(TokenizerError, match=r"lacks the special tokens \['\[UNK\]', '\[SEP\]', '\[PAD\]'\]"):
        tiny(folder)


def test_vocab_of_bytes(tmp_path: Path) -> None:
    folder = write_transformer(tmp_path / "m")
    (folder / "vocab.txt").write_bytes(b"\xff\xfe\n")
    with pytest.raises(TokenizerError, match="not valid UTF-8"):
        tiny(folder)


@pytest.mark.parametrize("texts", [["\ud800"], ["a", "b\udfff"]])
def test_lone_surrogate(default: TextTokenizer, texts: list[str]) -> None:
    with pytest.raises(TokenizerError, match="a text can't be tokenized"):
        default.encode(texts)


@pytest.mark.parametrize("token", ["bank", "Bank", " bank ", "##s", "[CLS]"])
def test_single_token(tmp_path: Path, token: str) -> None:
    number = VOCAB.index({"Bank": "bank", " bank ": "bank"}.get(token, token))
    assert tiny(write_transformer(tmp_path / "m")).single_token(token, "x") == number


@pytest.mark.parametrize(
    ("token", "message"),
    [
        ("", "x: '' is not one token but 0: []"),
        ("banks", "x: 'banks' is not one token but 2: ['bank', '##s']"),
        ("a " * 50, f"x: '{('a ' * 50)[:57]}...' is not one token but 50: ["),
    ],
)
def test_not_a_single_token(tmp_path: Path, token: str, message: str) -> None:
    """Also where the model would read only one token of the text."""
    for limit in (3, 20):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}") as caught:
            tiny(write_transformer(tmp_path / "m"), max_seq_length=limit).single_token(token, "x")
        assert len(str(caught.value)) < 300


def test_token_types_of_a_single_text() -> None:
    """The encoder gives every token type 0, which must be what the tokenizer means."""
    raw = Tokenizer(models.WordPiece({"a": 0, "[U]": 1, "[S]": 2}, unk_token="[U]"))
    raw.post_processor = processors.TemplateProcessing(single="$A:1 [S]:1", special_tokens=[("[S]", 2)])
    with pytest.raises(TokenizerError, match="token types other than 0"):
        TextTokenizer(raw, 10)


def test_a_tokenizer_that_fails() -> None:
    raw = Tokenizer(models.WordPiece({"a": 0, "A": 1}, unk_token="[UNK]"))
    tokenizer = TextTokenizer(raw, 10)
    with pytest.raises(TokenizerError, match="a text can't be tokenized"):
        tokenizer.encode(["b"])
    with pytest.raises(TokenizerError, match="a text can't be tokenized"):
        TextTokenizer(Tokenizer(models.WordPiece({"a": 0}, unk_token="[UNK]")), 10)


class Panic(BaseException):
    """As the library's, which is no Exception."""


class Panicking:
    """A tokenizer whose batches need threads that can't be started, and that fails for one text in any case."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer

    def __getattr__(self, name: str) -> object:
        return getattr(self._tokenizer, name)

    def encode_batch(self, *arguments: object, **options: object) -> None:
        raise Panic("ThreadPoolBuildError")

    encode_batch_fast = encode_batch

    def encode(self, text: str, *arguments: object, **options: object) -> object:
        if text == "river":
            raise Panic("a bug")
        return self._tokenizer.encode(text, *arguments, **options)


@pytest.mark.parametrize("spans", [True, False])
def test_panics(default: TextTokenizer, spans: bool) -> None:
    """Without threads the texts are tokenized one by one; a panic is an ordinary exception."""
    raw = Tokenizer.from_file(str(resolve(None).folder / "tokenizer.json"))
    panicking = TextTokenizer(Panicking(raw), 256)  # type: ignore[arg-type]
    texts = ["bank", ("money", "loan"), "water"]
    got = [encoding.ids for encoding in panicking.encode(texts, spans=spans)]
    assert got == [encoding.ids for encoding in default.encode(texts)]
    with pytest.raises(TokenizerError, match="a text can't be tokenized: a bug"):
        panicking.encode(["bank", "river"], spans=spans)
