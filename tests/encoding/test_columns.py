"""Texts and ids in the containers of pandas, polars, Arrow, Dask and `datasets`: these libraries, not stand-ins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dask
import dask.array
import dask.bag
import dask.dataframe
import datasets
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from polysemy import Encoder, SentenceTransformer

TEXTS = ["we sat on the bank", "the bank of the river", "money in the bank"]
EXPECTED = (len(TEXTS), 24)

#: What has the texts as its rows, in their order.
COLUMNS: dict[str, Callable[[list[Any]], Any]] = {
    "pandas": pd.Series,
    "pandas object": lambda rows: pd.Series(rows, dtype=object),
    "pandas string": lambda rows: pd.Series(rows, dtype="string[python]"),
    "pandas string of Arrow": lambda rows: pd.Series(rows, dtype="string[pyarrow]"),
    "pandas type of Arrow": lambda rows: pd.Series(rows, dtype=pd.ArrowDtype(pa.string())),
    "pandas category": lambda rows: pd.Series(rows, dtype="category"),
    "pandas array": lambda rows: pd.array(rows, dtype="string"),
    "pandas index": pd.Index,
    "pandas, rows numbered otherwise": lambda rows: pd.Series(rows, index=[2, 0, 1]),
    "pandas, one number for all rows": lambda rows: pd.Series(rows, index=[0, 0, 0]),
    "pandas, named rows": lambda rows: pd.Series(rows, index=["c", "a", "b"]),
    "pandas, column of a table": lambda rows: pd.DataFrame({"text": rows, "n": 1}, index=[5, 3, 4])["text"],
    "pandas, sorted back": lambda rows: pd.Series([*reversed(rows)])[::-1],
    "polars": pl.Series,
    "polars categories": lambda rows: pl.Series(rows, dtype=pl.Categorical),
    "polars, column of a table": lambda rows: pl.DataFrame({"text": rows, "n": [1, 2, 3]})["text"],
    "polars, in pieces": lambda rows: pl.concat([pl.Series(rows[:1]), pl.Series(rows[1:])], rechunk=False),
    "Arrow": pa.array,
    "Arrow, part of an array": lambda rows: pa.array(["river", *rows, "river"])[1:-1],
    "Arrow, in pieces": lambda rows: pa.chunked_array([rows[:2], [], rows[2:]]),
    "Arrow dictionary": lambda rows: pa.array(rows).dictionary_encode(),
    "Arrow dictionary, in pieces": lambda rows: pa.chunked_array([rows[:2], rows[2:]]).dictionary_encode(),
    "Arrow large": lambda rows: pa.array(rows, pa.large_string()),
    "Arrow view": lambda rows: pa.array(rows, pa.string_view()),
    "Arrow, column of a table": lambda rows: pa.table({"text": rows})["text"],
    "Arrow, column of a batch": lambda rows: pa.record_batch({"text": rows})["text"],
    "datasets": lambda rows: datasets.Dataset.from_dict({"text": rows})["text"],
    "datasets, first rows": lambda rows: datasets.Dataset.from_dict({"text": [*rows, "x"]})[:3]["text"],
    "datasets, other order": lambda rows: datasets.Dataset.from_dict(
        {"text": [rows[2], rows[0], rows[1]]}
    ).select([1, 2, 0])["text"],
    "datasets with NumPy": lambda rows: datasets.Dataset.from_dict({"text": rows}).with_format("numpy")[
        "text"
    ],
    "datasets, read as asked for": lambda rows: datasets.Dataset.from_dict(
        {"text": rows}
    ).to_iterable_dataset()["text"],
    "dask": lambda rows: dask.dataframe.from_pandas(pd.Series(rows, index=[0, 0, 1]), npartitions=2),
    "dask bag": lambda rows: dask.bag.from_sequence(rows, npartitions=2),
}


@pytest.fixture(autouse=True, scope="module")
def _in_this_process() -> Any:
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.fixture(scope="module")
def model(tiny: Encoder) -> SentenceTransformer:
    return SentenceTransformer(tiny.card.folder)


@pytest.mark.parametrize("kind", COLUMNS)
def test_columns(tiny: Encoder, model: SentenceTransformer, kind: str) -> None:
    """Every function that takes texts gives the bits of a list, row by row."""
    column, expected = COLUMNS[kind](TEXTS), tiny.encode(TEXTS)
    assert expected.shape == EXPECTED
    assert tiny.encode(column).tobytes() == expected.tobytes()
    assert np.concatenate([*tiny.stream(column)]).tobytes() == expected.tobytes()
    assert tiny.forward(column).pooled.tobytes() == tiny.forward(TEXTS).pooled.tobytes()
    words, of_words = tiny.word_vectors(column, "bank"), tiny.word_vectors(TEXTS, "bank")
    assert [found.tobytes() for found in words] == [found.tobytes() for found in of_words]
    spans = [[(0, len(text))] for text in TEXTS]
    parts, of_parts = tiny.encode_spans(column, spans), tiny.encode_spans(TEXTS, spans)
    assert [found.tobytes() for found in parts] == [found.tobytes() for found in of_parts]
    windows, of_windows = tiny.encode_windows(column), tiny.encode_windows(TEXTS)
    assert [found.spans for found in windows] == [found.spans for found in of_windows]
    assert [found.vectors.tobytes() for found in windows] == [found.vectors.tobytes() for found in of_windows]
    assert model.encode(column).tobytes() == model.encode(TEXTS).tobytes()
    assert model.tokenize(column)["input_ids"].tolist() == model.tokenize(TEXTS)["input_ids"].tolist()


@pytest.mark.parametrize("kind", ["pandas", "pandas string of Arrow", "polars", "Arrow", "Arrow dictionary"])
def test_no_rows(tiny: Encoder, kind: str) -> None:
    column = COLUMNS[kind](["a"])[:0]
    assert tiny.encode(column).shape == (0, 24) and len(tiny.forward(column)) == 0


#: Columns whose row 1 is missing, and how the library says so.
MISSING: dict[str, tuple[Any, str]] = {
    "pandas": (
        pd.Series(["a", None, "b"], index=[7, 8, 9]),
        "(float|NoneType)",
    ),  # its type depends on the version
    "pandas object, NaN": (pd.Series(["a", np.nan], dtype=object), "float"),
    "pandas object, None": (pd.Series(["a", None], dtype=object), "NoneType"),
    "pandas object, NA": (pd.Series(["a", pd.NA], dtype=object), "NAType"),
    "pandas object, no time": (pd.Series(["a", pd.NaT], dtype=object), "NaTType"),
    "pandas string": (pd.Series(["a", None], dtype="string"), "NAType"),
    "pandas type of Arrow": (pd.Series(["a", None], dtype=pd.ArrowDtype(pa.string())), "NAType"),
    "pandas category": (pd.Series(["a", None], dtype="category"), "float"),
    "pandas number": (pd.Series(["a", 5], dtype=object), "int"),
    "polars": (pl.Series(["a", None]), "NoneType"),
    "Arrow": (pa.array(["a", None]), "NoneType"),
    "Arrow dictionary": (pa.array(["a", None]).dictionary_encode(), "NoneType"),
    "Arrow, in pieces": (pa.chunked_array([["a"], [None]]), "NoneType"),
    "datasets": (datasets.Dataset.from_dict({"text": ["a", None]})["text"], "NoneType"),
    "dask": (dask.dataframe.from_pandas(pd.Series(["a", None]), npartitions=1), "(float|NoneType|NAType)"),
}


@pytest.mark.parametrize("kind", MISSING)
def test_a_missing_row(tiny: Encoder, model: SentenceTransformer, kind: str) -> None:
    column, got = MISSING[kind]
    got = (
        "(NoneType|float|NAType)" if kind == "dask" else got
    )  # Dask has a type of its own for columns of str
    for call, name in (
        (tiny.encode, "encode: texts"),
        (lambda texts: [*tiny.stream(texts)], "stream: texts"),
        (tiny.forward, "forward: inputs"),
        (lambda texts: tiny.word_vectors(texts, "a"), "word_vectors: text"),
        (lambda texts: tiny.encode_spans(texts, [[], []]), "encode_spans: text"),
        (tiny.encode_windows, "encode_windows: texts"),
        (model.encode, "encode: inputs"),
        (model.tokenize, "tokenize: texts"),
    ):
        with pytest.raises(TypeError, match=rf"^{name}\[1\] must be a str, got {got}$"):
            call(column)


@pytest.mark.parametrize("missing", [pd.Series([None, "a"]), pl.Series([None, "a"]), pa.array([None, "a"])])
def test_the_first_row_is_missing(tiny: Encoder, missing: Any) -> None:
    """Which is neither a text nor ids."""
    with pytest.raises(TypeError, match=r"^encode: texts\[0\] must be a str, got (float|NoneType)$"):
        tiny.encode(missing)
    message = r"^forward: inputs\[0\] must be a text or a sequence of token ids, got one (float|NoneType)$"
    with pytest.raises(TypeError, match=message):
        tiny.forward(missing)


TABLE = {"text": TEXTS}
#: What does not iterate over its rows.
TABLES: dict[str, Any] = {
    "pandas": pd.DataFrame(TABLE),
    "pandas, no rows": pd.DataFrame({"text": []}),
    "pandas groups": pd.Series(TEXTS).groupby([0, 0, 1]),
    "polars": pl.DataFrame(TABLE),
    "polars, lazy": pl.LazyFrame(TABLE),
    "polars expression": pl.col("text"),
    "Arrow table": pa.table(TABLE),
    "Arrow batch": pa.record_batch(TABLE),
    "Arrow scalar": pa.scalar("a"),
    "datasets": datasets.Dataset.from_dict(TABLE),
    "datasets by name": datasets.DatasetDict(train=datasets.Dataset.from_dict(TABLE)),
    "dask": dask.dataframe.from_pandas(pd.DataFrame(TABLE), npartitions=1),
    "dask task": dask.delayed(TEXTS),
}


@pytest.mark.parametrize("kind", TABLES)
def test_a_table(tiny: Encoder, model: SentenceTransformer, kind: str) -> None:
    """Not the names of its columns, which iteration over many of them would give."""
    table = TABLES[kind]
    for call, message in (
        (tiny.encode, "encode: texts must be a str or an ordered iterable of str"),
        (tiny.stream, "stream: texts must be a str or an ordered iterable of str"),
        (tiny.forward, r"forward: inputs must be texts, a list of .*"),
        (lambda texts: tiny.word_vectors(texts, "a"), "word_vectors: text must be a str or a list of str"),
        (lambda texts: tiny.encode_spans(texts, [[]]), "encode_spans: text must be a str or a list of str"),
        (tiny.encode_windows, "encode_windows: texts must be a list of str"),
        (model.encode, "encode: inputs must be a str or a list of str"),
        (model.tokenize, "tokenize: texts must be a str or a list of str"),
    ):
        with pytest.raises(TypeError, match=rf"^{message}, got {type(table).__name__}$"):
            call(table)


def test_rows_that_are_tables(tiny: Encoder) -> None:
    """A stream of rows, or of batches of them, has no texts."""
    rows = datasets.Dataset.from_dict(TABLE).to_iterable_dataset()
    with pytest.raises(TypeError, match=r"^encode: texts\[0\] must be a str, got dict$"):
        tiny.encode(rows)
    with pytest.raises(TypeError, match=r"^forward: inputs\[0\] must be .*, got one dict$"):
        tiny.forward(rows)
    with pytest.raises(TypeError, match=r"^encode: texts\[0\] must be a str, got RecordBatch$"):
        tiny.encode(pa.table(TABLE).to_reader())
    with pytest.raises(TypeError, match=r"^encode: texts\[0\] must be a str, got Array$"):
        tiny.encode(dask.array.from_array(np.array(TEXTS)))


IDS = [[2, 5, 6, 3], [2, 7, 3], []]
PADDED, MASK = [[2, 5, 6, 3], [2, 7, 3, 0]], [[1, 1, 1, 1], [1, 1, 1, 0]]

#: Lists of ids.
SEQUENCES: dict[str, Any] = {
    "pandas, each": [pd.Series(ids, dtype="int64") for ids in IDS],
    "pandas, each with a type of Arrow": [pd.Series(ids, dtype=pd.ArrowDtype(pa.int32())) for ids in IDS],
    "pandas, a column of lists": pd.Series(IDS, index=[2, 0, 1]),
    "pandas, a column of arrays": pd.Series([np.array(ids, np.int32) for ids in IDS]),
    "pandas, lists of Arrow": pd.Series(IDS, dtype=pd.ArrowDtype(pa.list_(pa.int64()))),
    "polars, each": [pl.Series(ids, dtype=pl.UInt16) for ids in IDS],
    "polars, a column of lists": pl.Series(IDS),
    "Arrow, each": [pa.array(ids, pa.int64()) for ids in IDS],
    "Arrow, each in pieces": [pa.chunked_array([ids[:1], ids[1:]], pa.int32()) for ids in IDS],
    "Arrow, an array of lists": pa.array(IDS),
    "Arrow, lists in pieces": pa.chunked_array([pa.array(IDS[:1]), pa.array(IDS[1:])]),
    "datasets": datasets.Dataset.from_dict({"input_ids": IDS})["input_ids"],
    "datasets with NumPy": datasets.Dataset.from_dict({"input_ids": IDS}).with_format("numpy")["input_ids"],
}


@pytest.mark.parametrize("kind", SEQUENCES)
def test_ids(tiny: Encoder, kind: str) -> None:
    expected, given = tiny.forward(IDS), tiny.forward(SEQUENCES[kind])
    assert len(given) == len(IDS) and given.pooled.tobytes() == expected.pooled.tobytes()


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame,
        lambda rows: pl.DataFrame(rows, orient="row"),
        lambda rows: pa.table([*map(pa.array, zip(*rows, strict=True))], names=[*"abcd"]),
    ],
    ids=["pandas", "polars", "Arrow"],
)
def test_padded_ids(tiny: Encoder, table: Callable[[Any], Any]) -> None:
    expected = tiny.forward((np.array(PADDED), np.array(MASK)))
    assert tiny.forward((table(PADDED), table(MASK))).pooled.tobytes() == expected.pooled.tobytes()
    mask = [[bool(taken) for taken in row] for row in MASK]
    assert tiny.forward((table(PADDED), table(mask))).pooled.tobytes() == expected.pooled.tobytes()
    with pytest.raises(TypeError, match=r"^forward: inputs must (have a mask|be texts)"):
        tiny.forward(table(PADDED))


@pytest.mark.parametrize(
    ("ids", "got"),
    [
        (pd.Series([2, None, 3]), "float64"),
        (pd.Series([2, None, 3], dtype="Int64"), "(float64|object)"),
        (pl.Series([2, None, 3]), "float64"),
        (pa.array([2, None, 3]), "float64"),
        (pl.Series([2.0, 3.0]), "float64"),
        (pa.array(["2", "3"]), "object"),
    ],
)
def test_ids_that_are_none(tiny: Encoder, ids: Any, got: str) -> None:
    """A missing id makes fractions of a column, in the eyes of NumPy."""
    with pytest.raises(TypeError, match=rf"^forward: inputs\[1\] must have an integer dtype, got {got}$"):
        tiny.forward([[2, 3], ids])


def test_ids_of_a_column_alone(tiny: Encoder) -> None:
    """One sequence is no list of them."""
    for ids in (pd.Series([2, 5, 3]), pl.Series([2, 5, 3]), pa.array([2, 5, 3])):
        with pytest.raises(
            TypeError, match=r"^forward: inputs\[0\] must be a text or a sequence .*, got one int$"
        ):
            tiny.forward(ids)
