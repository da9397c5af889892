"""One encoder shared by threads, and by a process that forks."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from polysemy import Encoder

pytestmark = pytest.mark.filterwarnings("ignore::polysemy.errors.TruncationWarning")


def test_two_threads_encode_while_a_third_is_refused(default: Encoder, texts: list[str]) -> None:
    some = texts[:60]
    expected = default.encode(some)
    results: list[np.ndarray] = []
    errors: list[Exception] = []
    done = threading.Event()

    def encode() -> None:
        for _ in range(3):
            results.append(default.encode(some, num_threads=1))

    def fail() -> None:
        bad = [[[99_999]], [[1] * 600], [1.5], [["x"]], [np.ones(3)]]
        while not done.is_set():
            for inputs in bad:
                try:
                    default.forward(inputs)
                except (TypeError, ValueError) as error:
                    errors.append(error)

    workers = [threading.Thread(target=encode) for _ in range(2)]
    third = threading.Thread(target=fail)
    for thread in (third, *workers):
        thread.start()
    for thread in workers:
        thread.join()
    done.set()
    third.join()
    assert len(results) == 6 and len(errors) >= 5 and len(errors) % 5 == 0
    for result in results:
        np.testing.assert_array_equal(result, expected)


FORK = """
import os, sys
import numpy as np
from polysemy import Encoder

encoder = Encoder.from_pretrained()
texts = ["I deposited money in the bank", "We sat on the bank of the river"] * 40
expected = encoder.encode(texts, num_threads=2)
for _ in range(2):
    child = os.fork()
    if child == 0:
        same = np.array_equal(encoder.encode(texts, num_threads=2), expected)
        os._exit(0 if same else 3)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, status
    assert np.array_equal(encoder.encode(texts, num_threads=2), expected)
"""


def test_fork_after_use() -> None:
    """In a process of its own, because this one has threads; a hang is a failure by the timeout.

    Since 3.12 Python warns of every fork of a process with threads.
    """
    expected = "ignore:This process:DeprecationWarning"
    command = [sys.executable, "-W", expected, "-c", FORK]
    run = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""


THREADS = """
import os, sys
sys.path.insert(0, sys.argv[1])
from polysemy import Encoder
from tiny_models import SPEC, random_weights

encoder = Encoder(SPEC, random_weights(), num_threads=3)
ids = [[2, 5, 3] * 6] * 500

def started(**options):
    before = len(os.listdir("/proc/self/task"))
    encoder.forward(ids, **options)
    return len(os.listdir("/proc/self/task")) - before

print(started(num_threads=1), started(num_threads=2), started())
"""


def test_number_of_threads() -> None:
    """That of the call, or of the encoder; each call starts what its predecessors have not."""
    helpers = str(Path(__file__).parents[1])
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    run = subprocess.run(
        [sys.executable, "-c", THREADS, helpers], env=environment, check=False, capture_output=True, text=True
    )
    assert (run.stdout, run.stderr) == ("0 1 1\n", "")
