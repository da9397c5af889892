"""Long texts that the library reads whole: other threads run, Ctrl-C works, memory that is not there is said."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from campaigns.common import python
from polysemy.errors import TokenizerError
from polysemy.text import calls
from polysemy.text.tokenizer import TextTokenizer
from tokenizer_folders import roberta, sentencepiece

EMOJI = "\U0001f642\U0001f3e6"
# A kind that is read whole: a letter with thousands of marks, one unknown token.
MARKS = "\u0301\u0327"
MAKE = """
import pathlib, sys, tempfile
from polysemy.text.tokenizer import TextTokenizer
from tokenizer_folders import sentencepiece
folder = sentencepiece(pathlib.Path(tempfile.mkdtemp()) / "m", "xlm-roberta")
tokenizer = TextTokenizer.from_folder(folder, max_seq_length=None, max_positions=16, model_type="xlm-roberta")
text = "\u0301\u0327" * 400_000
"""


@pytest.fixture
def tokenizer(tmp_path: Path) -> TextTokenizer:
    folder = sentencepiece(tmp_path / "m", "xlm-roberta")
    return TextTokenizer.from_folder(folder, max_seq_length=None, max_positions=16, model_type="xlm-roberta")


@pytest.fixture
def steps() -> Iterator[list[int]]:
    """Counts how often another thread has had a turn."""
    counted, ended = [0], threading.Event()

    def count() -> None:
        while not ended.wait(0.002):
            counted[0] += 1

    thread = threading.Thread(target=count)
    thread.start()
    yield counted
    ended.set()
    thread.join()


@pytest.mark.parametrize("num_threads", [1, 2])
@pytest.mark.parametrize("texts", [[MARKS * 100_000], ["a", MARKS * 60_000, "bank " * 5]])
@pytest.mark.parametrize("main", [True, False])
def test_other_threads_run(
    tokenizer: TextTokenizer, steps: list[int], texts: list[str], num_threads: int, main: bool
) -> None:
    expected = [tokenizer._tokenizer.encode(text).ids for text in texts]
    found: list[list[int]] = []

    def read() -> None:
        steps[0] = 0
        found.extend(encoding.ids for encoding in tokenizer.encode(texts, num_threads=num_threads))

    if main:
        read()
    else:
        thread = threading.Thread(target=read)
        thread.start()
        thread.join()
    assert found == expected
    assert steps[0] > 5  # one or two where the interpreter is locked


def test_interrupted() -> None:
    """The next call works, and so does the end of the interpreter while the text is still read."""
    code = f"""{MAKE}
import os, signal, threading
signal.signal(signal.SIGINT, signal.default_int_handler)  # else ignored in what a shell runs in the background
expected = tokenizer.encode([text[:10]])[0].ids
def readers():
    return sum(thread.name == "polysemy-texts" for thread in threading.enumerate())
def interrupt(before):
    while readers() == before:
        pass
    os.kill(os.getpid(), signal.SIGINT)
for _ in range(3):
    threading.Thread(target=interrupt, args=(readers(),)).start()
    try:
        tokenizer.encode([text])
    except KeyboardInterrupt:
        print("interrupted")
    assert tokenizer.encode([text[:10]])[0].ids == expected
"""
    done = python(code)
    assert (done.stdout, done.stderr, done.returncode) == ("interrupted\n" * 3, "", 0)


LINUX = pytest.mark.skipif(
    sys.platform != "linux", reason="limits and peaks of memory are read as Linux has them"
)


@LINUX
@pytest.mark.parametrize("side", ["right", "left"])
def test_memory_that_is_not_there(side: str) -> None:
    """The library would end the process."""
    code = f"""{MAKE}
import resource
tokenizer = TextTokenizer(tokenizer._tokenizer, 16, side={side!r})
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + 300_000_000,) * 2)
expected = tokenizer.encode([text[:10]])[0].ids
for texts in ([text], [text, "a"], ["bank", text[:70_000], text]):
    try:
        tokenizer.encode(texts, num_threads=2)
    except MemoryError as error:
        print(error)
assert tokenizer.encode([text[:10]])[0].ids == expected
"""
    done = python(code)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 3
    assert all("characters of a text may need" in line for line in lines), lines


def test_no_more_threads(tokenizer: TextTokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    text = MARKS * 40_000
    expected = tokenizer.encode([text])[0].ids
    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert tokenizer.encode([text])[0].ids == expected


@pytest.mark.parametrize("texts", [["\ud800" * 70_000], ["a", "bank" * 20_000 + "\udfff"]])
def test_what_is_wrong_is_said(tokenizer: TextTokenizer, texts: list[str]) -> None:
    with pytest.raises(TokenizerError, match="a text can't be tokenized"):
        tokenizer.encode(texts)


@LINUX
def test_as_much_memory_as_the_library_takes(tmp_path: Path) -> None:
    """The bound that is asked for holds for kinds of texts and tokenizers that take the most."""
    code = """
import os, pathlib, sys
from tokenizers import Tokenizer
tokenizer, text = Tokenizer.from_file(sys.argv[1]), pathlib.Path(sys.argv[2]).read_text()
def peak():
    return int(pathlib.Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) * 1024
before = peak()
(encoding,) = tokenizer.encode_batch([text])
print((peak() - before) / len(text.encode()))
"""
    found = {}
    for name, make in {"roberta": roberta, "xlm-roberta": sentencepiece}.items():
        folder = make(tmp_path / name, name)
        made = TextTokenizer.from_folder(folder, max_seq_length=None, max_positions=512, model_type=name)
        made._tokenizer.save(str(tmp_path / "tokenizer.json"))
        for part in ["a b ", "z", "bank of ", "\ufdfa", EMOJI, "\u6211"]:
            (tmp_path / "text").write_text(part * (300_000 // len(part.encode())))
            done = python(
                code, str(tmp_path / "tokenizer.json"), str(tmp_path / "text"), RAYON_NUM_THREADS="1"
            )
            assert done.returncode == 0, done.stderr
            found[name, part] = float(done.stdout)
    assert 100 < max(found.values()) < calls._BYTES_PER_BYTE, found
