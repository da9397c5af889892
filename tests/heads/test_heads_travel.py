"""Tasks go to other processes by the name of their model, and give the same there."""

from __future__ import annotations

import copy
import gc
import multiprocessing
import pickle
import shutil
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from head_models import Built
from polysemy import (
    CrossEncoder,
    FillMask,
    QuestionAnswerer,
    SparseEncoder,
    TextClassifier,
    TokenClassifier,
    ZeroShotClassifier,
)
from polysemy.errors import CheckpointError
from polysemy.heads.task import Task

Checkpoint = Callable[[str, str], Built]

TEXTS = ["the bank of the river", "money in the bank"]


def dense(task: SparseEncoder) -> Any:
    return task.encode(TEXTS).toarray().tolist()


#: The task, its head in the checkpoint, further arguments, and what is asked of it.
TASKS: dict[str, tuple[type[Task], str, dict[str, Any], Callable[[Any], Any]]] = {
    "classifier": (TextClassifier, "SequenceClassification", {"num_threads": 2}, lambda t: t(TEXTS, top_k=None)),
    "zero shot": (ZeroShotClassifier, "SequenceClassification", {}, lambda t: t(TEXTS, "money, water")),
    "cross encoder": (
        CrossEncoder, "SequenceClassification", {"max_length": 6, "activation_fn": np.tanh},
        lambda t: t.predict([TEXTS, TEXTS[::-1]]).tolist(),
    ),
    "tokens": (TokenClassifier, "TokenClassification", {"ignore_labels": []}, lambda t: t(TEXTS)),
    "mask": (FillMask, "MaskedLM", {"mmap": True}, lambda t: t("the [MASK] of the river")),
    "answers": (QuestionAnswerer, "QuestionAnswering", {}, lambda t: t("money", TEXTS[1])),
    "sparse": (SparseEncoder, "MaskedLM", {"max_active_dims": 9}, dense),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::polysemy.TruncationWarning")  # of the cross-encoder's pairs, on purpose
@pytest.mark.parametrize("name", sorted(TASKS))
def test_tasks(name: str, checkpoint: Checkpoint, tmp_path: Path) -> None:
    kind, head, options, ask = TASKS[name]
    task = kind(shutil.copytree(checkpoint("bert", head).folder, tmp_path / "m"), **options)
    fresh = pickle.dumps(task)
    expected = ask(task)
    data = pickle.dumps(task)
    assert data == fresh and len(data) < 1000, "the same before use and after"
    assert ask(pickle.loads(data)) == ask(copy.copy(task)) == ask(copy.deepcopy(task)) == expected
    assert pickle.loads(data)._network is task._network is copy.deepcopy(task)._network, (
        "one copy per process"
    )
    watched = weakref.ref(task)
    del task
    gc.collect()
    assert watched() is None
    again = pickle.loads(data)
    assert type(again) is kind and pickle.dumps(again) == data
    assert ask(again) == expected and repr(again).startswith(f"{kind.__name__}(")
    assert pickle.dumps(again) == data
    with pytest.raises(AttributeError, match=f"'{kind.__name__}' object has no attribute 'nothing'"):
        again.nothing  # noqa: B018


@pytest.mark.filterwarnings("ignore::polysemy.TruncationWarning")
@pytest.mark.parametrize("change", ["write", "truncate", "delete"])
@pytest.mark.parametrize("name", sorted(TASKS))
def test_files_that_change_under_a_task(
    name: str, change: str, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    kind, head, options, ask = TASKS[name]
    folder = shutil.copytree(checkpoint("bert", head).folder, tmp_path / "m")
    task = kind(folder, **options | {"mmap": False})  # a mapping changes with its file, as is documented
    expected = ask(task)
    for file in [path for path in folder.rglob("*") if path.is_file()]:
        if change == "delete":
            file.unlink()
        else:
            file.write_bytes(bytes(file.stat().st_size) if change == "write" else b"")
    assert ask(task) == expected


def test_what_may_change_belongs_to_each_copy(checkpoint: Checkpoint) -> None:
    sparse = SparseEncoder(checkpoint("bert", "MaskedLM").folder, max_active_dims=4)
    copied = pickle.loads(pickle.dumps(sparse))
    copied.max_active_dims = 2
    assert sparse.max_active_dims == 4 and sparse.encode(TEXTS).nnz == 2 * copied.encode(TEXTS).nnz == 8
    assert pickle.loads(pickle.dumps(copied)).max_active_dims == 2


def test_activations_of_torch(checkpoint: Checkpoint) -> None:
    import torch

    folder = checkpoint("bert", "SequenceClassification").folder
    for given in (None, torch.nn.Sigmoid(), torch.nn.GELU()):
        cross = CrossEncoder(folder, activation_fn=given)
        again = pickle.loads(pickle.dumps(cross))
        assert again.predict([TEXTS]).tobytes() == cross.predict([TEXTS]).tobytes()


def test_a_tokenizer_of_its_own_goes_along(checkpoint: Checkpoint) -> None:
    """A class may put something in the place of what is the model's; then it is no longer the model's."""
    task = TextClassifier(checkpoint("bert", "SequenceClassification").folder)
    task._tokenizer = task._tokenizer.limited(5, "test: most")
    assert pickle.loads(pickle.dumps(task)).max_seq_length == 5


@pytest.mark.filterwarnings("ignore::polysemy.TruncationWarning")
def test_a_pool(checkpoint: Checkpoint, tmp_path: Path) -> None:
    folder = shutil.copytree(checkpoint("bert", "SequenceClassification").folder, tmp_path / "m")
    cross = CrossEncoder(folder, max_length=6)
    pairs = [TEXTS, TEXTS[::-1]]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(cross.predict, (pairs,)).tobytes() == cross.predict(pairs).tobytes()
        text = (folder / "config.json").read_text()
        (folder / "config.json").write_text(text + "\n")
        other = CrossEncoder(folder, max_length=7)
        (folder / "config.json").write_text(text)
        with pytest.raises(
            CheckpointError, match=r"TaskModel: .* is another model here than where it was sent"
        ):
            pool.apply_async(other.predict, (pairs,)).get(timeout=60)
