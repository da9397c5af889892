"""Wherever the tokenizers library fails, even by a panic, which is no ``Exception``, the error is a documented one."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import tokenizers
from polysemy import TokenizerError
from polysemy.text import extent
from polysemy.text.folder import read_tokenizer, special_ids
from polysemy.text.tokenizer import TextTokenizer
from tokenizer_folders import bert, clip, roberta, sentencepiece

KINDS: dict[str, tuple[Callable[..., Path], str]] = {
    "bert": (bert, ""),
    "roberta": (roberta, "roberta"),
    "clip": (clip, ""),
    "xlm-roberta": (sentencepiece, "xlm-roberta"),
    "t5": (sentencepiece, "t5"),
}


class Panic(BaseException):
    """As the one of the library: its class can't be imported."""


def static_functions() -> Iterator[object]:
    """Functions of the library's classes, which know no object."""
    for module in (tokenizers, tokenizers.models, tokenizers.normalizers, tokenizers.pre_tokenizers):
        for kind in vars(module).values():
            if isinstance(kind, type) and kind.__module__.startswith("tokenizers"):
                found = (getattr(kind, name) for name in vars(kind) if not name.startswith("_"))
                yield from (function for function in found if type(function) is type(len))


class Calls:
    """The profiler of a thread that lets the first call into the library at a place panic, and notes all places."""

    STATIC = frozenset(static_functions())

    def __init__(self, panics: str = "") -> None:
        self.panics = panics
        self.places: dict[str, None] = {}

    def __call__(self, frame: FrameType, event: str, function: Any) -> None:
        if event != "c_call" or not self._is_called(function):
            return
        place = f"{function.__qualname__} in {Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
        self.places[place] = None
        if place == self.panics:
            raise Panic(place)

    def _is_called(self, function: Any) -> bool:
        return type(getattr(function, "__self__", None)).__module__.startswith("tokenizers") or (
            type(function) is type(len) and function in self.STATIC
        )


def everything(folder: Path, model_type: str, kind: str) -> None:
    """All that is ever asked of a tokenizer."""
    if kind == "tokenizer.json":
        TextTokenizer.of_static(folder, max_positions=64)
    tokenizer = TextTokenizer.from_folder(
        folder, max_seq_length=12, max_positions=64, model_type=model_type, lowercase=True
    )
    special_ids(*read_tokenizer(folder, model_type), model_type)
    texts = ["the bank of the river", "bank " * 300, "", "b" * 1300]
    for reader in (tokenizer, tokenizer.unlimited(), pickle.loads(pickle.dumps(tokenizer))):
        for encoding in reader.encode(texts):
            reader.tokens_cut(encoding)
        reader.encode(texts[:1], spans=False)
        reader.encode([("the bank", "a river " * 300), ("river " * 300, "the " * 400)])
    ids = tokenizer.encode(texts)[0].ids
    tokenizer.decode(ids)
    tokenizer.decode(ids, skip_special=True)
    tokenizer.joined([tokenizer.token_of(number) for number in ids])
    tokenizer.prompt_tokens("query: ")
    tokenizer.single_token(tokenizer.token_of(ids[0]), "token")
    try:
        tokenizer.single_token("the bank of the river", "token")
    except ValueError as error:
        if not str(error).startswith("token: "):
            raise


@pytest.mark.parametrize("kind", [*KINDS, "tokenizer.json"])
def test_every_call_of_the_library_fails(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extent, "SHORT", 300)
    monkeypatch.setattr(extent, "_MOST", 600)
    make, name = KINDS.get(kind, (bert, ""))
    folder = make(tmp_path / "m", *([name] if name else []))
    model_type = name or make.__name__
    if kind == "tokenizer.json":
        tokenizer, _ = read_tokenizer(folder, model_type)
        tokenizer.enable_truncation(20)
        tokenizer.save(str(folder / "tokenizer.json"))
    seen = Calls()
    profiled(seen, folder, model_type, kind)
    assert len(seen.places) > 15
    escaped = []
    for place in seen.places:
        try:
            profiled(Calls(place), folder, model_type, kind)
        except TokenizerError:
            continue
        except Panic:
            escaped.append(place)
    assert not escaped, ", ".join(escaped)


def profiled(calls: Calls, folder: Path, model_type: str, kind: str) -> None:
    sys.setprofile(calls)
    try:
        everything(folder, model_type, kind)
    finally:
        sys.setprofile(None)
