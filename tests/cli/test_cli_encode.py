"""`polysemy encode`: what it writes, and that it never leaves half of it."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Sized
from pathlib import Path

import numpy as np
import pytest
from cli_texts import COMMAND, TEXTS, Run, only
from polysemy import Encoder
from polysemy.cli.lines import open_texts
from polysemy.cli.parser import PRECISIONS
from polysemy.model import precision
from tiny_models import write_sentence_model, write_transformer


def test_encode_to_numpy(run: Run, model: Path, source: Path, tmp_path: Path) -> None:
    out = tmp_path / "v.npy"
    assert run("encode", source, "-o", out, "--model", model) == (0, "", "")
    vectors = np.load(out)
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors, Encoder.from_pretrained(model).encode(TEXTS))
    assert only(tmp_path, "texts.txt", "v.npy")


@pytest.mark.parametrize(("ending", "parse"), [("jsonl", json.loads), ("txt", str.split)])
def test_text_formats_hold_every_bit(
    run: Run, model: Path, source: Path, tmp_path: Path, ending: str, parse: Callable[[str], list[object]]
) -> None:
    out = tmp_path / f"v.{ending}"
    assert run("encode", source, "-o", out, "--model", model)[0] == 0
    rows = [[float(str(value)) for value in parse(line)] for line in out.read_text("ascii").splitlines()]
    expected = Encoder.from_pretrained(model).encode(TEXTS)
    np.testing.assert_array_equal(np.array(rows, dtype=np.float32), expected)


def test_precision(run: Run, model: Path, source: Path, tmp_path: Path) -> None:
    assert (*precision.PRECISIONS, precision.AUTO) == PRECISIONS
    for name in PRECISIONS:
        out = tmp_path / f"{name}.npy"
        assert run("encode", source, "-o", out, "--model", model, "--precision", name) == (0, "", "")
        expected = Encoder.from_pretrained(model, precision=name).encode(TEXTS)
        np.testing.assert_array_equal(np.load(out), expected)
    assert (np.load(tmp_path / "int8.npy") != np.load(tmp_path / "float32.npy")).any()


def test_options_of_encode_are_those_of_the_library(
    run: Run, model: Path, source: Path, tmp_path: Path
) -> None:
    out = tmp_path / "v.npy"
    options = ["--no-normalize", "--truncate-dim", 5, "--threads", 2, "--batch-tokens", 8]
    assert run("encode", source, "-o", out, "--model", model, *options)[0] == 0
    expected = Encoder.from_pretrained(model).encode(TEXTS, normalize=False, truncate_dim=5)
    np.testing.assert_array_equal(np.load(out), expected)
    assert abs(np.linalg.norm(expected[0]) - 1) > 1e-3


def test_prompt(run: Run, tmp_path: Path, source: Path) -> None:
    prompted = write_sentence_model(tmp_path / "m", prompts={"prompts": {"query": "the river "}})
    out = tmp_path / "v.npy"
    assert run("encode", source, "-o", out, "--model", prompted, "--prompt", "query")[0] == 0
    expected = Encoder.from_pretrained(prompted).encode(["the river " + text for text in TEXTS])
    np.testing.assert_array_equal(np.load(out), expected)
    status, _, err = run("encode", source, "-o", out, "--model", prompted, "--prompt", "nosuch")
    assert status == 1 and "prompt_name must be one of ['query'], got 'nosuch'" in err


def encode_through_pipes(model: Path, *arguments: str, data: bytes) -> subprocess.CompletedProcess[bytes]:
    command = [*COMMAND, "encode", "-", "--model", str(model), *arguments]
    return subprocess.run(command, input=data, capture_output=True, check=False, timeout=120)


def test_standard_input_to_standard_output(model: Path) -> None:
    done = encode_through_pipes(model, data="\n".join(TEXTS).encode())
    assert done.returncode == 0 and done.stderr == b""
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    expected = Encoder.from_pretrained(model).encode(TEXTS)
    np.testing.assert_array_equal(np.array(rows, dtype=np.float32), expected)
    for name in ("-", "/dev/stdout"):
        done = encode_through_pipes(model, "-o", name, "--format", "npy", data="\n".join(TEXTS).encode())
        np.testing.assert_array_equal(np.load(io.BytesIO(done.stdout)), expected)


@pytest.mark.parametrize("kind", ["npy", "jsonl"])
def test_no_texts(run: Run, model: Path, tmp_path: Path, kind: str) -> None:
    source, out = tmp_path / "none", tmp_path / f"v.{kind}"
    source.touch()
    assert run("encode", source, "-o", out, "--model", model)[0] == 0
    assert out.read_text() == "" if kind == "jsonl" else np.load(out).shape == (0, 24)


@pytest.mark.parametrize(
    ("data", "texts"),
    [
        (b"", []),
        (b"\n", [""]),
        (b"a", ["a"]),
        (b"a\n\nb\n", ["a", "", "b"]),
        (b"a\r\nb\r\n", ["a", "b"]),
        (b"a\rb\n", ["a\rb"]),
        (b"\xef\xbb\xbfa\nb", ["a", "b"]),
        ("a\u2028b\x0cc\x85d\n".encode(), ["a\u2028b\x0cc\x85d"]),
        (b" a \n", [" a "]),
    ],
)
def test_what_a_line_is(tmp_path: Path, data: bytes, texts: list[str]) -> None:
    path = tmp_path / "f"
    path.write_bytes(data)
    opened = open_texts(str(path))
    assert isinstance(opened, Sized) and len(opened) == len(texts) and list(opened) == texts
    pipe = tmp_path / "pipe"  # what can be read only once
    os.mkfifo(pipe)
    with subprocess.Popen(["sh", "-c", f'cat "{path}" > "{pipe}"']):
        assert [*open_texts(str(pipe))] == texts


def test_a_long_text_is_told_once(run: Run, model: Path, tmp_path: Path) -> None:
    source, out = tmp_path / "long.txt", tmp_path / "v.npy"
    source.write_text("bank " * 30 + "\nbank\n" + "river " * 40 + "\n")
    status, stdout, err = run("encode", source, "-o", out, "--model", model)
    assert (status, stdout) == (0, "")
    assert err == (
        "polysemy: warning: encode: 2 of 3 texts were longer than max_seq_length=12 tokens; "
        "50 tokens were left out\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nosuch.txt", "-o", "v.npy"], "nosuch.txt: No such file or directory"),
        (["texts.txt", "-o", "v.foo"], "v.foo: the ending must be one of .npy, .jsonl, .txt"),
        (["texts.txt", "-o", "no/v.npy"], "no/v.npy: the output's folder does not exist"),
        (["texts.txt", "-o", "dir.npy"], "dir.npy: is a folder; the output must be a file"),
        (["texts.txt", "-o", "texts.txt"], "texts.txt: the output would take the place of the input"),
        (["texts.txt", "-o", "v.npy", "--truncate-dim", "25"], "--truncate-dim must be at most 24 here"),
        (["bad.txt", "-o", "v.npy"], "bad.txt: line 2 is not UTF-8 (invalid start byte at byte 3)"),
        (["texts.txt", "-o", "v.npy", "--model", "./nosuch"], "'./nosuch' is no folder"),
        (["texts.txt", "-o", "v.npy", "--model", "plain"], "'plain' does not say how to pool its tokens"),
    ],
)
def test_encode_says_what_is_wrong(
    run: Run,
    model: Path,
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dir.npy").mkdir()
    (tmp_path / "bad.txt").write_bytes(b"good\nbad\xff\n")
    write_transformer(tmp_path / "plain")
    before = {path.name for path in tmp_path.iterdir()}
    more = [] if "--model" in arguments else ["--model", str(model)]
    status, out, err = run("encode", *arguments, *more)
    assert (status, out) == (1, "")
    assert err.startswith("polysemy: error: ") and message in err and "Traceback" not in err
    assert only(tmp_path, *before)


@pytest.mark.parametrize("option", ["--threads", "--batch-tokens", "--truncate-dim"])
@pytest.mark.parametrize("value", ["0", "-1", "two", "1.5"])
def test_counts_are_counts(run: Run, option: str, value: str) -> None:
    status, _, err = run("encode", "-", f"{option}={value}")
    assert status == 2
    assert f"argument {option}: must be a whole number from 1 on, got '{value}'" in err


def test_a_failed_run_leaves_what_was_there(run: Run, model: Path, tmp_path: Path) -> None:
    source, out = tmp_path / "bad.txt", tmp_path / "v.npy"
    source.write_bytes(b"good\n\xff\n")
    out.write_text("precious")
    assert run("encode", source, "-o", out, "--model", model)[0] == 1
    assert out.read_text() == "precious"
    assert only(tmp_path, "bad.txt", "v.npy")


def test_an_existing_file_is_replaced_with_its_permissions(
    run: Run, model: Path, source: Path, tmp_path: Path
) -> None:
    real, link = tmp_path / "real.npy", tmp_path / "link.npy"
    real.write_text("old")
    real.chmod(0o640)
    link.symlink_to(real)
    assert run("encode", source, "-o", link, "--model", model)[0] == 0
    assert link.is_symlink() and np.load(real).shape == (4, 24)
    assert real.stat().st_mode & 0o777 == 0o640


def test_standard_input_is_read_as_it_comes(model: Path) -> None:
    """More than one chunk of texts, with an error at the end: nothing is written."""
    data = b"bank\n" * 3000
    done = encode_through_pipes(model, data=data)
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 3000
    done = encode_through_pipes(model, data=data + b"\xff\n")
    assert done.returncode == 1 and done.stdout == b""
    assert b"standard input: line 3001 is not UTF-8" in done.stderr


def test_a_device_is_written_to_and_not_replaced(run: Run, model: Path, source: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE)
    assert run("encode", source, "-o", pipe, "--format", "npy", "--model", model)[0] == 0
    data, _ = reader.communicate(timeout=60)
    assert np.load(io.BytesIO(data)).shape == (4, 24)
    assert pipe.is_fifo() and only(tmp_path, "texts.txt", "pipe")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 128 + signal.SIGTERM)])
def test_an_interrupted_run_leaves_nothing(
    model: Path, tmp_path: Path, number: signal.Signals, status: int
) -> None:
    source = tmp_path / "many.txt"
    source.write_text("we sat on the bank of the river\n" * 3_000_000)
    command = [*COMMAND, "encode", str(source), "-o", str(tmp_path / "v.npy"), "--model", str(model)]
    # What a shell starts in the background, such as all these tests, ignores SIGINT, and so would its children.
    before = signal.signal(number, signal.SIG_DFL)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        signal.signal(number, before)
        try:
            deadline = time.monotonic() + 60
            while not list(tmp_path.glob(".polysemy.*.part")):
                assert process.poll() is None and time.monotonic() < deadline
                time.sleep(0.01)
            process.send_signal(number)
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == status
    assert "Traceback" not in err
    assert only(tmp_path, "many.txt")


def test_a_closed_pipe_is_no_failure_to_report(model: Path, tmp_path: Path) -> None:
    source = tmp_path / "many.txt"
    source.write_text("the bank\n" * 5000)
    command = [*COMMAND, "encode", str(source), "--model", str(model)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None and process.stderr is not None
    assert process.stdout.read(1) == b"["
    process.stdout.close()
    assert process.wait(timeout=60) == 141
    assert process.stderr.read() == b""
    process.stderr.close()


@pytest.mark.parametrize(
    ("options", "shown"), [(["--progress"], True), ([], False), (["--no-progress"], False)]
)
def test_progress(
    run: Run, model: Path, source: Path, tmp_path: Path, options: list[str], shown: bool
) -> None:
    """On a terminal by default, which the standard error of a test isn't."""
    status, _, err = run("encode", source, "-o", tmp_path / "v.npy", "--model", model, *options)
    assert status == 0
    assert ("4/4" in err) == shown


@pytest.mark.parametrize(
    "ending", [".jsonl", ".json", ".csv", ".TSV", ".parquet", ".arrow", ".gz", ".zst", ".xz"]
)
@pytest.mark.parametrize("command", ["encode", "rerank", "classify"])
def test_files_of_records_are_refused_by_their_ending(
    run: Run, model: Path, tmp_path: Path, command: str, ending: str
) -> None:
    path = tmp_path / f"in{ending}"
    path.write_text("a text\n")
    arguments = [command, *(["a query"] if command == "rerank" else []), path, "--model", model]
    code, printed, error = run(*arguments)
    assert (code, printed) == (1, "") and re.search(r"not one text per line; .* --lines", error)
    if command == "encode":
        assert run(*arguments, "--lines")[0] == 0


RECORDS = [
    b'{"text": "x"}\n', b'\xef\xbb\xbf{"a": 1}', b'[{"a": 1}]', b'["a", "b"]', b"[\n", b"{\n", b"PAR1\0", b"ARROW1\0\0",
    b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"BZh9", b"PK\3\4",
]  # fmt: skip


@pytest.mark.parametrize("content", RECORDS)
def test_files_of_records_are_refused_by_how_they_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    """Files before anything is read, what can be read only once on reading."""
    path, pipe = tmp_path / "in.txt", tmp_path / "pipe"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="not one text per line"):
        open_texts(str(path))
    os.mkfifo(pipe)
    with (
        subprocess.Popen(["sh", "-c", f'cat "{path}" > "{pipe}"']),
        pytest.raises(ValueError, match="not one text per line"),
    ):
        list(open_texts(str(pipe)))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    with pytest.raises(ValueError, match=r"standard input: this is .*, not one text per line"):
        list(open_texts("-"))


def test_lines_of_records_as_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = '{"text": "x"}'
    path = tmp_path / "in.jsonl"
    path.write_text(line + "\n")
    assert list(open_texts(str(path), any_lines=True)) == [line]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(line.encode())))
    assert list(open_texts("-", any_lines=True)) == [line]


@pytest.mark.parametrize(
    "content", ["[CLS] is a token", "{curly} words", '"quoted", he said', "", "PARIS", "[1] a note"]
)
def test_texts_are_not_taken_for_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    path = tmp_path / "in.txt"
    path.write_text(content)
    expected = [content] if content else []
    assert list(open_texts(str(path))) == expected
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content.encode())))
    assert list(open_texts("-")) == expected
