"""Columns of pandas, polars, Arrow, Dask and `datasets` as the texts of heads, and tables, which are none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import dask
import dask.dataframe
import datasets
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from polysemy import (
    CrossEncoder,
    FillMask,
    MultiVectorEncoder,
    QuestionAnswerer,
    SparseEncoder,
    TextClassifier,
    TokenClassifier,
    ZeroShotClassifier,
)
from tiny_models import VOCAB, bert_config, stored, write_json, write_transformer

TEXTS = ["we sat on the [MASK]", "the [MASK] of the river", "money in the [MASK]"]

COLUMNS: dict[str, Callable[[list[Any]], Any]] = {
    "pandas": lambda rows: pd.Series(rows, index=[*reversed(range(len(rows)))]),
    "pandas string of Arrow": lambda rows: pd.Series(rows, dtype="string[pyarrow]"),
    "polars": pl.Series,
    "Arrow": pa.array,
    "Arrow dictionary, in pieces": lambda rows: pa.chunked_array([rows[:1], rows[1:]]).dictionary_encode(),
    "datasets": lambda rows: datasets.Dataset.from_dict({"text": rows})["text"],
    "dask": lambda rows: dask.dataframe.from_pandas(pd.Series(rows), npartitions=1),
    "generator": iter,
}


def head(folder: Path, name: str, labels: list[str], shapes: Mapping[str, tuple[int, ...]]) -> Path:
    """A checkpoint with a head, whose class has this name."""
    numbered = dict(enumerate(labels))
    config = bert_config(architectures=[name], **({"id2label": numbered} if labels else {}))
    rng = np.random.default_rng(3)
    tensors = {f"bert.{key}": array for key, array in stored().items()}
    tensors |= {key: rng.normal(0, 0.5, shape).astype(np.float32) for key, shape in shapes.items()}
    return write_transformer(folder, config=config, tensors=tensors)


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Callable[[Any], Any]]:
    """By the argument, everything of a head that takes texts."""
    folder = tmp_path_factory.mktemp("heads")
    pooler = {"bert.pooler.dense.weight": (24, 24), "bert.pooler.dense.bias": (24,)}
    transform = "cls.predictions.transform"
    scores = head(
        folder / "scores", "BertForSequenceClassification", ["LABEL_0"],
        pooler | {"classifier.weight": (1, 24), "classifier.bias": (1,)},
    )  # fmt: skip
    inference = head(
        folder / "inference", "BertForSequenceClassification", ["contradiction", "neutral", "entailment"],
        pooler | {"classifier.weight": (3, 24), "classifier.bias": (3,)},
    )  # fmt: skip
    tokens = head(
        folder / "tokens", "BertForTokenClassification", ["O", "B-X"],
        {"classifier.weight": (2, 24), "classifier.bias": (2,)},
    )  # fmt: skip
    answers = head(
        folder / "answers", "BertForQuestionAnswering", [],
        {"qa_outputs.weight": (2, 24), "qa_outputs.bias": (2,)},
    )  # fmt: skip
    masked = head(
        folder / "masked", "BertForMaskedLM", [],
        {
            f"{transform}.dense.weight": (24, 24), f"{transform}.dense.bias": (24,),
            f"{transform}.LayerNorm.weight": (24,), f"{transform}.LayerNorm.bias": (24,),
            "cls.predictions.bias": (len(VOCAB),),
        },
    )  # fmt: skip
    vectors = head(folder / "vectors", "HF_ColBERT", [], {"linear.weight": (8, 24)})
    write_json(
        vectors / "artifact.metadata",
        {"query_token_id": "[CLS]", "doc_token_id": "[SEP]", "query_maxlen": 8, "doc_maxlen": 12},
    )
    ranker, classifier, zero = CrossEncoder(scores), TextClassifier(inference), ZeroShotClassifier(inference)
    fill, reader, sparse = FillMask(masked), QuestionAnswerer(answers), SparseEncoder(masked)
    late = MultiVectorEncoder(vectors)
    return {
        "rank: documents": lambda texts: ranker.rank("money", texts),
        "predict: inputs": lambda texts: ranker.predict(texts).tobytes(),
        "TextClassifier: inputs": classifier,
        "TextClassifier: texts": lambda texts: classifier.scores(texts).tobytes(),
        "ZeroShotClassifier: sequences": lambda texts: zero(texts, ["river", "money"]),
        "ZeroShotClassifier: candidate_labels": lambda texts: zero("the bank", texts),
        "TokenClassifier: inputs": TokenClassifier(tokens),
        "QuestionAnswerer: question": lambda texts: reader(texts, "the bank of the river"),
        "QuestionAnswerer: context": lambda texts: reader("the bank", texts),
        "FillMask: inputs": fill,
        "FillMask: targets": lambda words: fill("the [MASK]", targets=words),
        "encode: inputs of a SparseEncoder": lambda texts: sparse.encode(texts).data.tobytes(),
        "encode: inputs of a MultiVectorEncoder": lambda texts: [
            array.tobytes() for array in late.encode(texts)
        ],
    }


#: What an argument takes, where that is not `TEXTS`: pairs; single tokens.
ROWS: dict[str, list[Any]] = {
    "predict: inputs": [["money", text] for text in TEXTS],
    "FillMask: targets": ["bank", "river", "money"],
}
ARGUMENTS = [
    "rank: documents", "predict: inputs", "TextClassifier: inputs", "TextClassifier: texts",
    "ZeroShotClassifier: sequences", "ZeroShotClassifier: candidate_labels", "TokenClassifier: inputs",
    "QuestionAnswerer: question", "QuestionAnswerer: context", "FillMask: inputs", "FillMask: targets",
    "encode: inputs of a SparseEncoder", "encode: inputs of a MultiVectorEncoder",
]  # fmt: skip


@pytest.mark.parametrize("argument", ARGUMENTS)
def test_columns(calls: dict[str, Callable[[Any], Any]], argument: str) -> None:
    assert [*calls] == ARGUMENTS
    rows = ROWS.get(argument, TEXTS)
    expected = calls[argument](rows)
    columns = COLUMNS
    if argument == "predict: inputs":  # columns of lists
        columns = {"pandas": pd.Series, "Arrow": pa.array, "generator": iter}
    for kind, column in columns.items():
        with dask.config.set(scheduler="synchronous"):
            assert calls[argument](column(rows)) == expected, kind


TABLES = [
    pd.DataFrame({"text": TEXTS}),
    pl.DataFrame({"text": TEXTS}),
    pa.table({"text": TEXTS}),
    datasets.Dataset.from_dict({"text": TEXTS}),
    dask.dataframe.from_pandas(pd.DataFrame({"text": TEXTS}), npartitions=1),
    {"text": TEXTS},
    {*TEXTS},
    b"bank",
    None,
    3,
]


@pytest.mark.parametrize("argument", ARGUMENTS)
def test_tables(calls: dict[str, Callable[[Any], Any]], argument: str) -> None:
    """What does not iterate over its rows is refused by name: the names of its columns are no texts."""
    name = argument.partition(" of ")[0]
    for table in TABLES:
        if table is None and name in ("FillMask: targets", "encode: inputs", "predict: inputs"):
            continue  # not given
        if isinstance(table, dict) and name in ("TextClassifier: inputs", "encode: inputs"):
            continue  # a pair of texts, a text
        with pytest.raises(TypeError, match=rf"^{name} must be .*, got {type(table).__name__}$"):
            calls[argument](table)


@pytest.mark.parametrize("argument", ARGUMENTS)
def test_a_missing_row(calls: dict[str, Callable[[Any], Any]], argument: str) -> None:
    name, rows = argument.partition(" of ")[0], [ROWS.get(argument, TEXTS)[0], None]
    columns = [(rows, "NoneType"), (pd.Series(rows, index=[8, 9], dtype=object), "NoneType")]
    if argument != "predict: inputs":
        columns += [
            (pd.Series(rows, dtype="category"), "float"),
            (pd.Series(rows, dtype="string"), "NAType"),
            (pl.Series(rows), "NoneType"),
            (pa.array(rows), "NoneType"),
        ]
    for column, got in columns:
        with pytest.raises(TypeError, match=rf"^{name}\[1\] must be a .*, got {got}$"):
            calls[argument](column)


def test_a_text_is_no_list_of_letters(calls: dict[str, Callable[[Any], Any]]) -> None:
    for argument in ("rank: documents", "TextClassifier: texts"):
        with pytest.raises(TypeError, match=rf"^{argument} must be a list of str, got str$"):
            calls[argument]("bank")
