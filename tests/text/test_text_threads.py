"""The tokenizer's pool has as many threads as a call may have, and none where that is one."""

from __future__ import annotations

import os

import pytest
from campaigns.common import python

CODE = """
import os, sys
from tokenizers import Tokenizer, models, pre_tokenizers
from polysemy.text.tokenizer import TextTokenizer

library = Tokenizer(models.WordLevel({"a": 0, "b": 1, "?": 2}, unk_token="?"))
library.pre_tokenizer = pre_tokenizers.Whitespace()
tokenizer = TextTokenizer(library, 8)
texts = ["a b a", "b", "a b c " * 9] * 40
alone = [tokenizer.encode([text])[0] for text in texts]
before, variables = len(os.listdir("/proc/self/task")), dict(os.environ)
for threads in map(int, sys.argv[1:]):
    found = tokenizer.encode(texts, spans=False, num_threads=threads)
    assert [x.ids for x in found] == [x.ids for x in alone]
    assert [tokenizer.tokens_cut(x) for x in found] == [tokenizer.tokens_cut(x) for x in alone]
    print(len(os.listdir("/proc/self/task")) - before)
assert dict(os.environ) == variables
"""


@pytest.mark.parametrize(
    ("calls", "variables", "started"),
    [
        (["0"], {"OMP_NUM_THREADS": "1"}, ["0"]),
        (["0"], {"OMP_NUM_THREADS": "3"}, ["3"]),
        (["1", "4", "1", "2"], {"OMP_NUM_THREADS": "3"}, ["0", "4", "4", "4"]),
        (["0"], {"OMP_NUM_THREADS": "3", "RAYON_NUM_THREADS": "5"}, ["5"]),
        (["0"], {"OMP_NUM_THREADS": "3", "TOKENIZERS_PARALLELISM": "false"}, ["0"]),
    ],
)
def test_threads_of_the_pool(
    calls: list[str], variables: dict[str, str], started: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in {"RAYON_NUM_THREADS", "TOKENIZERS_PARALLELISM"} & set(os.environ):
        monkeypatch.delenv(name)
    done = python(CODE, *calls, **variables)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == started


LIMITED = CODE.replace(
    "before, variables", "from campaigns.threads import at_most; at_most(1)\nbefore, variables"
)


def test_a_pool_that_cannot_start() -> None:
    done = python(LIMITED, "0", OMP_NUM_THREADS="3")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["0"]
