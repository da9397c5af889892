"""Encoders in the workers of pools: multiprocessing, joblib, scikit-learn; closures, and the hashes of caches."""

from __future__ import annotations

import multiprocessing
import os
import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import cloudpickle
import dill
import joblib
import numpy as np
import pytest
from campaigns.common import python
from deterministic import SPECS, weights_of
from polysemy import Encoder
from polysemy.errors import CheckpointError
from sklearn.base import clone
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from tiny_models import write_json, write_sentence_model
from travellers import TEXTS, Embedding, threads_of_tokenizing, twice, vectors

METHODS = ["spawn", "forkserver"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_sentence_model(tmp_path / "model", settings={"max_seq_length": 12})


@pytest.mark.parametrize("method", METHODS)
def test_pools(folder: Path, method: str) -> None:
    """One copy per process, however often it is sent."""
    encoder = Encoder.from_pretrained(folder, num_threads=1)
    built = Encoder(SPECS["even"], weights_of("even"), precision="int8")
    with multiprocessing.get_context(method).Pool(1) as pool:
        same, first = pool.apply(twice, (encoder, encoder))
        again = pool.apply(vectors, (encoder,))
        states = pool.apply(built.forward, ([[1, 2, 3]],)).hidden_state(0)
    assert same and first == again and first[0] != os.getpid()
    assert first[1] == encoder.encode(TEXTS).tobytes()
    assert states.tobytes() == built.forward([[1, 2, 3]]).hidden_state(0).tobytes()


@pytest.mark.parametrize("method", METHODS)
def test_a_worker_that_finds_another_model_says_so(folder: Path, method: str) -> None:
    """The error reaches whoever gave the task, and the pool works on."""
    encoder = Encoder.from_pretrained(folder)
    assert encoder.fingerprint is not None
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": 11})
    context = multiprocessing.get_context(method)
    with context.Pool(1) as pool:
        for _ in range(2):
            with pytest.raises(CheckpointError, match=f"its fingerprint must be {encoder.fingerprint}, got"):
                pool.apply_async(vectors, (encoder,)).get(timeout=60)
    with ProcessPoolExecutor(1, mp_context=context) as executor:
        future = executor.submit(vectors, encoder)
        with pytest.raises(CheckpointError, match="is another model here than where it was sent from"):
            future.result(timeout=60)


def test_loky_and_its_threads(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers have as many threads as joblib gives each, the tokenizer's pool with ours."""
    monkeypatch.delenv(
        "TOKENIZERS_PARALLELISM", raising=False
    )  # other libraries set it when they are imported
    encoder = Encoder.from_pretrained(folder)
    for given, expected in ((1, (1, 0)), (3, (3, 3))):
        limits = joblib.parallel_config("loky", n_jobs=2, inner_max_num_threads=given)
        with limits, joblib.Parallel() as parallel:
            found = parallel(joblib.delayed(threads_of_tokenizing)(encoder) for _ in range(1))
            bits = parallel(joblib.delayed(vectors)(encoder) for _ in range(4))
        assert found == [expected]
        assert {part for _, part in bits} == {encoder.encode(TEXTS).tobytes()}


@pytest.mark.parametrize("method", METHODS)
def test_a_worker_on_one_processor_has_one_thread(folder: Path, method: str) -> None:
    """Without the variable, which stands above the mask."""
    code = """
import multiprocessing, os, pickle, sys
from travellers import threads_of_tokenizing
encoder, context = pickle.loads(bytes.fromhex(sys.argv[1])), multiprocessing.get_context(sys.argv[2])
one = {min(os.sched_getaffinity(0))}
with context.Pool(1, initializer=os.sched_setaffinity, initargs=(0, one)) as pool:
    print(*pool.apply(threads_of_tokenizing, (encoder,)))
"""
    sent = pickle.dumps(Encoder.from_pretrained(folder)).hex()
    done = python(code, sent, method, OMP_NUM_THREADS="")
    assert done.stdout.split() == ["1", "0"], done.stderr


def test_the_number_of_an_encoder_holds_in_a_worker(folder: Path) -> None:
    code = """
import os, pickle, sys
from travellers import TEXTS
encoder = pickle.loads(bytes.fromhex(sys.argv[1]))
encoder.encode(TEXTS[:1])
before = len(os.listdir("/proc/self/task"))
encoder.encode(TEXTS * 40)
print(len(os.listdir("/proc/self/task")) - before)
"""
    encoder = Encoder.from_pretrained(folder, num_threads=1)
    assert python(code, pickle.dumps(encoder).hex(), OMP_NUM_THREADS="4").stdout.split() == ["0"]


def test_closures(default: Encoder) -> None:
    encode: Callable[[], Any] = lambda: default.encode(TEXTS)  # noqa: E731
    data = cloudpickle.dumps(encode)
    assert len(data) < 10_000
    code = "import pickle, sys; print(pickle.loads(bytes.fromhex(sys.argv[1]))().tobytes().hex())"
    done = python(code, data.hex())
    assert done.stdout.strip() == encode().tobytes().hex(), done.stderr


HASHES = """
import sys, dill, joblib
from pathlib import Path
from deterministic import SPECS, weights_of
from polysemy import Encoder, SentenceTransformer
encoder = Encoder.from_pretrained(Path(sys.argv[1]))
built = Encoder(SPECS["deep"], weights_of("deep"))
used = lambda batch: encoder.encode(batch["text"])
if len(sys.argv) > 2:
    used({"text": ["money"]}), built.forward([[1, 2]])
for value in (encoder, built, used, SentenceTransformer(sys.argv[1])):
    print(joblib.hash(dill.dumps(value, recurse=True)), joblib.hash(value) if value is not used else "")
"""


def test_hashes_of_caches(folder: Path) -> None:
    """What caches hash, `datasets` with dill, is the same in all processes, before and after use."""
    assert dill.loads(dill.dumps(Encoder.from_pretrained(folder))).dim == 24
    runs = [
        python(HASHES, str(folder), *more, PYTHONHASHSEED=seed)
        for seed, more in (("1", ()), ("2", ()), ("3", ("used",)))
    ]
    first = runs[0].stdout
    assert len(first.split()) == 7, runs[0].stderr
    assert [run.stdout for run in runs] == [first] * 3


def test_grid_search(folder: Path) -> None:
    encoder = Encoder.from_pretrained(folder, num_threads=1)
    step = Embedding(encoder)
    assert clone(step).encoder is encoder
    texts = [f"{word} {end}" for word in ("bank", "river", "money", "water") for end in "abcx"]
    labels = [int(text[0] in "br") for text in texts]
    search = GridSearchCV(
        make_pipeline(step, RidgeClassifier()), {"embedding__truncate_dim": [2, 24]}, cv=2, n_jobs=2
    )
    search.fit(texts, labels)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    again = pickle.loads(pickle.dumps(search.best_estimator_))
    assert np.array_equal(again.predict(texts), search.predict(texts))
