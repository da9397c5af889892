"""Encoders in the tasks of Dask and in the functions of `datasets`, and the names under which both keep results."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import dask
import dask.bag
import dask.base
import dask.dataframe
import numpy as np
import pandas as pd
import pytest
from campaigns.common import python
from datasets import Dataset
from deterministic import SPECS, weights_of
from polysemy import Encoder, SentenceTransformer
from tiny_models import write_sentence_model

TEXTS = ["the bank of the river", "money in the bank", "", "we sat on the bank"] * 3


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_sentence_model(tmp_path / "model", settings={"max_seq_length": 12})


def test_dask(folder: Path) -> None:
    """Tasks, bags and tables, in threads and in processes, which share nothing but the model's name."""
    encoder = Encoder.from_pretrained(folder, num_threads=1)
    built = Encoder(SPECS["even"], weights_of("even"))
    expected, states = encoder.encode(TEXTS), built.forward([[1, 2, 3]]).hidden_state(0)
    series = dask.dataframe.from_pandas(pd.Series(TEXTS, index=range(10, 22)), npartitions=2)
    tasks = [dask.delayed(encoder.encode)(TEXTS[i : i + 5]) for i in (0, 5, 10)]
    hidden = dask.delayed(lambda model: model.forward([[1, 2, 3]]).hidden_state(0))(built)
    bag = dask.bag.from_sequence(TEXTS, npartitions=2)
    bag = bag.map_partitions(lambda part: [encoder.encode([*part])])
    table = series.map_partitions(
        lambda part: pd.DataFrame(encoder.encode(part), index=part.index),
        meta=pd.DataFrame(np.empty((0, encoder.dim), np.float32)),
    )
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        for options in ({"scheduler": "threads", "num_workers": 2}, {"scheduler": "processes", "pool": pool}):
            with dask.config.set(options):
                (*found, last), in_bag, rows = dask.compute(*tasks, hidden), bag.compute(), table.compute()
            assert np.concatenate(found).tobytes() == expected.tobytes(), options
            assert np.concatenate(in_bag).tobytes() == expected.tobytes(), options
            assert rows.to_numpy().tobytes() == expected.tobytes(), options
            assert [*rows.index] == [*range(10, 22)], options
            assert last.tobytes() == states.tobytes(), options


NAMES = """
import sys, dask, dask.base
from datasets import load_from_disk
from datasets.fingerprint import Hasher
from polysemy import Encoder
source, *models = sys.argv[1:]
dask.config.set({"tokenize.ensure-deterministic": True})
for model in models:
    folder, precision, used = model.split(":")
    encoder = Encoder.from_pretrained(folder, precision=precision)
    if used:
        encoder.encode(["money"])
    def add(batch):
        return {"vector": encoder.encode(batch["text"])}
    made = load_from_disk(source).map(add, batched=True, batch_size=5).with_format("numpy")
    print(dask.base.tokenize(encoder), dask.base.tokenize(encoder.encode), Hasher.hash(encoder), Hasher.hash(add),
          made["vector"][:].astype("float32").tobytes().hex())
"""


def test_names_of_results(folder: Path, tmp_path: Path) -> None:
    """The same in every process for the same model, used or not, so that `map` finds what it computed before."""
    Dataset.from_dict({"text": TEXTS}).save_to_disk(tmp_path / "texts")
    other = write_sentence_model(tmp_path / "other", settings={"max_seq_length": 11})

    def run(seed: int, *models: str) -> tuple[list[list[str]], int]:
        """The names and vectors of each, and how many results `map` has kept."""
        done = python(
            NAMES, str(tmp_path / "texts"), *models,
            PYTHONHASHSEED=str(seed), HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path / "home"),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return [line.split() for line in done.stdout.splitlines()], len(
            [*(tmp_path / "texts").glob("cache-*")]
        )

    (first,), kept = run(1, f"{folder}:float32:")
    assert len({*first}) == 5 and kept == 1
    assert first[-1] == Encoder.from_pretrained(folder).encode(TEXTS).tobytes().hex()
    (again, int8, shorter), kept = run(2, f"{folder}:float32:used", f"{folder}:int8:", f"{other}:float32:")
    assert again == first and kept == 3, "the first was found again"
    assert int8[-1] != first[-1]
    assert all(len({*three}) == 3 for three in zip(first[:-1], int8[:-1], shorter[:-1], strict=True))


def test_names_of_encoders(folder: Path) -> None:
    """Of one made of parts the arrays count, of a `SentenceTransformer` the model and what was set on it."""
    with dask.config.set({"tokenize.ensure-deterministic": True}):
        built = [
            dask.base.tokenize(Encoder(SPECS[kind], weights_of(kind), precision=precision))
            for kind, precision in (
                ("even", "float32"),
                ("even", "float32"),
                ("even", "int8"),
                ("deep", "int8"),
            )
        ]
        model = SentenceTransformer(folder)
        loaded = [dask.base.tokenize(model), dask.base.tokenize(SentenceTransformer(folder))]
        model.max_seq_length = 5
        loaded.append(dask.base.tokenize(model))
    assert built[0] == built[1] and len({*built}) == 3
    assert loaded[0] == loaded[1] != loaded[2]


# From Python 3.12 on a fork of a process that has threads is warned of; `datasets` forks where that is the default.
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.parametrize("processes", [None, 2])
def test_map(folder: Path, tmp_path: Path, processes: int | None) -> None:
    encoder = Encoder.from_pretrained(folder, num_threads=1)
    expected = encoder.encode(TEXTS)
    source = Dataset.from_dict({"text": TEXTS, "n": [*range(len(TEXTS))]})

    def add(batch: dict[str, Any]) -> dict[str, Any]:
        return {"vector": encoder.encode(batch["text"]), "process": [os.getpid()] * len(batch["n"])}

    made = source.map(
        add, batched=True, batch_size=5, num_proc=processes, cache_file_name=str(tmp_path / "made.arrow"),
        load_from_cache_file=False,
    )  # fmt: skip
    assert made.with_format("numpy")["vector"][:].astype(np.float32).tobytes() == expected.tobytes()
    assert [*made["n"]] == [*range(len(TEXTS))] and len({*made["process"]}) == (processes or 1)
    assert encoder.encode(made["text"]).tobytes() == expected.tobytes()
    assert encoder.encode(TEXTS).tobytes() == expected.tobytes(), "here, after the forks"
