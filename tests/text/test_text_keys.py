"""Keys that an object of tokenizer.json has twice: the library would take the last one."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from polysemy import TokenizerError, _core
from polysemy.text.tokenizer import TextTokenizer
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers


def stored() -> str:
    tokenizer = Tokenizer(models.WordPiece({"[UNK]": 0, "river": 1, "bank": 2}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return str(tokenizer.to_str())


TWICE = {
    "version": ('{"version"', '{"version":"1.0" , "version"'),
    "normalizer": ('"normalizer":', '"normalizer":null,"normalizer":'),
    "type": ('{"type":"Lowercase"', '{"type":"NFD","type":"Lowercase"'),
    "vocab": ('"vocab":', '"vocab":{"[UNK]":0},"vocab":'),
    "bank": ('"bank":2', '"bank":2,"bank":1'),
    "river": ('"river":1', '"river":1,"r\\u0069v\\u0065r" : 2'),
}


def read(folder: Path, text: str) -> TextTokenizer:
    (folder / "tokenizer.json").write_text(text, "utf-8")
    return TextTokenizer.of_static(folder, max_positions=64)


@pytest.mark.parametrize("key", TWICE)
def test_a_key_twice(key: str, tmp_path: Path) -> None:
    text = stored().replace(*TWICE[key], 1)
    assert Tokenizer.from_str(text), "the library takes it"
    with pytest.raises(
        TokenizerError, match=rf"tokenizer\.json .*the key '{key}' occurs twice in one object"
    ):
        read(tmp_path, text)


def test_many_keys() -> None:
    """Of long objects, too, in which one comes twice far apart, or over and over."""
    names = [f"k{i}" for i in range(600_000)]
    for place in (1, 262_144, 599_999):
        doubled = "{" + ",".join(f'"{name}":0' for name in [*names, names[place]]) + "}"
        assert _core.repeated_key(doubled.encode()) == names[place].encode()
    assert _core.repeated_key(("[{" + ",".join(f'"{name}":0' for name in names) + "}]").encode()) is None
    assert _core.repeated_key(b"{" + b'"":0,' * 10**6) == b""


def test_keys_once(tmp_path: Path) -> None:
    """Of one object, not of one in another, nor of strings that look like keys."""
    tokenizer = read(tmp_path, stored().replace('"river":1', '"type":1,"bank\\":":3', 1))
    assert tokenizer.encode(["Bank type"])[0].ids == [2, 1]


def value(draw: random.Random, depth: int) -> str:
    """JSON with few keys, in several spellings."""
    space = draw.choice(["", " ", "\n\t"])
    if depth == 0 or draw.random() < 0.2:
        return draw.choice(
            ["1", "null", '""', '"a"', '"a\\":"', '"{"', '"\\\\"', "-0.5e3", '"\u00e9:"', "[]", "{}"]
        )
    values = [value(draw, depth - 1) for _ in range(draw.randint(0, 4))]
    if draw.random() < 0.4:
        return f"[{space}{f',{space}'.join(values)}]"
    spellings = [
        "a", "\\u0061", "\\u0041", "A", "\u00e9", "\\u00E9", "\\ud83d\\ude42", "\U0001f642", "\\n", "\\u000a", "",
        "\\/", "/", "b", "c", "d", "e", "\\ud83d", "\\ud83dx", "\\\\u0061", '\\"', "\\u20ac", "\u20ac",
    ]  # fmt: skip
    return "{" + f",{space}".join(f'"{draw.choice(spellings)}"{space}:{space}{v}' for v in values) + "}"


def keys_twice(text: str) -> set[str]:
    twice: set[str] = set()

    def hook(pairs: list[tuple[str, object]]) -> None:
        keys = [key for key, _ in pairs]
        twice.update(key for key in keys if keys.count(key) > 1)

    json.loads(text, object_pairs_hook=hook)
    return twice


def test_as_python_reads_it() -> None:
    draw = random.Random(5)
    found = 0
    for _ in range(5000):
        text = value(draw, draw.randint(0, 5))
        key, twice = _core.repeated_key(text.encode("utf-8")), keys_twice(text)
        assert (key is not None) == bool(twice), text
        assert key is None or key in {k.encode("utf-8", "surrogatepass") for k in twice}, text
        found += key is not None
    assert 500 < found < 4000


def test_what_is_no_json() -> None:
    """Is refused by who reads it; here nothing is read beyond its end."""
    draw = random.Random(6)
    for _ in range(5000):
        text = bytearray(value(draw, 4).encode("utf-8"))
        for _ in range(draw.randint(1, 3)):
            place = draw.randrange(len(text) + 1)
            text[place : place + draw.randint(0, 9)] = draw.choice(
                [
                    b"",
                    b'"',
                    b"{",
                    b"}",
                    b"[",
                    b"]",
                    b"\\",
                    b"\\u",
                    b"\\ud83d\\u",
                    b'{"a":1,"a":',
                    b"\xff",
                    b"\x00",
                ]
            )
        _core.repeated_key(bytes(text))
    for text in (
        b"",
        b'"',
        b'"\\',
        b'{"a',
        b'{"a"',
        b'{"a" ',
        b"]",
        b"}" * 9,
        b"[" * 10**6,
        b'{"a":' * 10**6,
    ):
        assert _core.repeated_key(text) is None
    assert _core.repeated_key(b'{"\\ud8":1,"\\ud8":2,"\\') is None
    assert _core.repeated_key(b'{"\\u":1,"\\u":2}') is not None
