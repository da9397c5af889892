"""Streams of texts and the sinks of their vectors."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from polysemy import Encoder
from polysemy.encoding.sink import LineSink, NpySink
from polysemy.errors import PoolingError
from tiny_models import SPEC, random_weights

TEXTS = ["bank", "we sat on the bank of the river", "", ("money", "loan"), "i", "deposited " * 9]


@pytest.mark.parametrize("batch_tokens", [None, 1, 7, 2**70])
def test_the_rows_of_encode_in_blocks(tiny: Encoder, batch_tokens: int | None) -> None:
    stream = tiny.stream(TEXTS, batch_tokens=batch_tokens)
    assert (stream.total, stream.width) == (6, 24)
    for _ in range(2):
        np.testing.assert_array_equal(np.concatenate([*stream]), tiny.encode(TEXTS))
        assert (stream.losses.texts, stream.losses.cut, stream.losses.tokens) == (6, 0, 0)


def test_options(tiny: Encoder) -> None:
    options = {"normalize": False, "truncate_dim": 5, "prompt": "the "}
    stream = tiny.stream(TEXTS, **options)  # type: ignore[arg-type]
    assert stream.width == 5
    np.testing.assert_array_equal(np.concatenate([*stream]), tiny.encode(TEXTS, **options))  # type: ignore[arg-type]


def test_texts_without_end(tiny: Encoder) -> None:
    taken = 0

    def endless() -> Iterator[str]:
        nonlocal taken
        while True:
            taken += 1
            yield f"a b c {taken % 7}"

    stream = tiny.stream(endless(), batch_tokens=100)
    assert stream.total is None and taken == 0
    blocks = [*islice(stream, 3)]
    assert 0 < sum(map(len, blocks)) < taken <= 2048


def test_losses_are_counted_and_no_warning_is_given(tiny: Encoder) -> None:
    stream = tiny.stream(["a " * 15, "b", "c " * 11])
    assert [*stream] and (stream.losses.texts, stream.losses.cut, stream.losses.tokens) == (3, 2, 6)


@pytest.mark.parametrize(
    ("texts", "error", "message"),
    [
        ("bank", TypeError, "stream: texts must be an ordered iterable of str, got str"),
        ({"a": 1}, TypeError, "stream: texts must be .* got dict"),
        (["a", 5], TypeError, r"stream: texts\[1\] must be a str, got int"),
    ],
)
def test_bad_texts(tiny: Encoder, texts: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        [*tiny.stream(texts)]  # type: ignore[arg-type]


def test_without_pooling() -> None:
    with pytest.raises(PoolingError, match="stream: 'encoder' does not say how to pool"):
        Encoder(SPEC, random_weights()).stream(["bank"])


@pytest.mark.parametrize("total", [None, 5, 9])
@pytest.mark.parametrize("width", [1, 24, 100_000])
@pytest.mark.parametrize("blocks", [[], [2, 0, 3]])
def test_npy(tmp_path: Path, total: int | None, width: int, blocks: list[int]) -> None:
    """The header says how many rows came, whatever was expected."""
    rows = np.random.default_rng(0).normal(size=(sum(blocks), width)).astype(np.float32)
    path = tmp_path / "v.npy"
    with path.open("wb") as file:
        sink = NpySink(file, width, total)
        for block in np.split(rows, np.cumsum(blocks)[:-1]) if blocks else []:
            sink.add(block)
        sink.finish()
    got = np.load(path)
    np.testing.assert_array_equal(got, rows)
    assert got.dtype == np.float32 and path.stat().st_size == 128 + rows.nbytes
    assert np.load(path, mmap_mode="r" if len(rows) else None).shape == rows.shape
    expected = io.BytesIO()
    np.save(expected, rows)
    assert path.read_bytes() == expected.getvalue()


def test_a_npy_file_that_is_not_finished_is_none(tmp_path: Path) -> None:
    path = tmp_path / "v.npy"
    with path.open("wb") as file:
        NpySink(file, 3).add(np.zeros((2, 3), np.float32))
    with pytest.raises(ValueError, match=r"magic string|pickle"):
        np.load(path)


@pytest.mark.parametrize("as_json", [True, False])
def test_lines_hold_every_bit(as_json: bool) -> None:
    rows = np.array([[0.1, -1e-30, 3e38], [1, 1 / 3, np.nextafter(np.float32(1), np.float32(2))]], np.float32)
    file = io.BytesIO()
    sink = LineSink(file, json=as_json)
    for row in rows:
        sink.add(row[None])
    sink.finish()
    lines = file.getvalue().decode("ascii").splitlines()
    values = [json.loads(line) if as_json else [float(x) for x in line.split(" ")] for line in lines]
    np.testing.assert_array_equal(np.array(values, np.float32), rows)
