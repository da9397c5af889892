"""Many Python threads in the core at once, and no interpreter lock where the interpreter comes without one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

STRESS = """
import json, sys
import numpy as np

def locked():
    return getattr(sys, "_is_gil_enabled", lambda: True)()

states = {"numpy": locked()}
import polysemy._core
states["polysemy._core"] = locked()
import polysemy.cython_ops
states["polysemy.cython_ops"] = locked()

sys.path.insert(0, sys.argv[1])
import threading
from deterministic import SPECS, integers, weights_of
from every_op import hashes, inputs, results
from polysemy import Encoder, ops

THREADS, ROUNDS = 12, 8
given = inputs()
encoder = Encoder(SPECS["deep"], weights_of("deep"))
texts = [integers(f"text {i}", 3 + 17 * i % 90, 0, 48).tolist() for i in range(8)]

def work(thread):
    threads = 1 + thread % 3
    found = hashes(results(given, None, threads))
    out = encoder.forward(texts, layers=(0, 1, -1), num_threads=threads)
    states = [out.hidden_state(i, layer) for i in range(len(texts)) for layer in (0, 1, -1)]
    weighed = ops.scaled_dot_product_attention(*given.heads, num_threads=threads)
    normed = ops.layer_norm(given.x, given.x.shape[1])
    return found, [array.tobytes() for array in (*states, weighed, normed)]

expected = work(0)
differing, raised = [], []
start = threading.Barrier(THREADS)

def many(thread):
    try:
        start.wait()
        for _ in range(ROUNDS):
            if work(thread) != expected:
                differing.append(thread)
    except BaseException as error:
        raised.append(repr(error))

team = [threading.Thread(target=many, args=(i,)) for i in range(THREADS)]
for thread in team: thread.start()
for thread in team: thread.join()
states["encoder and ops in use"] = locked()
print(json.dumps({"locked": states, "differing": differing, "raised": raised, "results": len(expected[0])}))
"""


def test_many_threads_without_a_lock() -> None:
    """One encoder and every operation, used by 12 threads at once: the bits of one thread.

    In a process of its own, because other packages may have turned the interpreter lock on in this one. Importing
    polysemy must leave it off wherever the interpreter was built without (`Py_GIL_DISABLED`); an extension that
    doesn't declare itself ready turns it on, with a warning, which is an error here.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHON_GIL"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", STRESS, str(Path(__file__).parent)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["raised"] == [] and said["differing"] == []
    assert said["results"] >= 20
    has_lock = not sysconfig.get_config_var("Py_GIL_DISABLED")
    assert said["locked"] == dict.fromkeys(said["locked"], has_lock) and len(said["locked"]) == 4
