"""Ctrl-C at any moment of a long call: how long it takes until KeyboardInterrupt, and the same bits after it.

``python -m campaigns.interrupts 1000`` (about half a second each).
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
from numpy.lib.stride_tricks import as_strided

from campaigns.common import counted, small_calls, trials


def again(times: int, call: Callable[[], object]) -> Callable[[], None]:
    def repeated() -> None:
        for _ in range(times):
            call()

    return repeated


def long_calls() -> dict[str, Callable[[], object]]:
    """Calls that take from a second to for ever."""
    from deterministic import SPECS, integers, weights_of
    from polysemy import Encoder, ops
    from polysemy.text.tokenizer import TextTokenizer
    from tokenizer_folders import bert, sentencepiece

    encoder = Encoder(SPECS["deep"], weights_of("deep"))
    one = integers("long", 600, 0, 48).tolist()
    ids = [one] * 400
    x = np.ones((3000, 3000), np.float32)
    weight = ops.PackedWeight(x)
    rows = np.tile(x, (8, 1))
    long, huge = np.ones((1, 1, 8), np.float32), 2**40
    keys = as_strided(long, (1, huge, 8), (0, 0, 4))
    left, right = as_strided(long, (1, huge), (0, 0)), as_strided(long, (huge, 1), (0, 0))
    heads = np.ones((8, 6000, 64), np.float32)
    parted, whole = (
        TextTokenizer.from_folder(
            make(Path(mkdtemp()) / "m", model_type),
            max_seq_length=None,
            max_positions=512,
            model_type=model_type,
        )
        for make, model_type in ((bert, "bert"), (sentencepiece, "xlm-roberta"))
    )
    word, marks = "bank" * 3_000_000, "\u0301\u0327" * 300_000
    return {
        "forward": lambda: encoder.forward(ids, num_threads=2),
        "forward, one thread": lambda: encoder.forward(ids, num_threads=1),
        "forward, few": again(1000, lambda: encoder.forward([one], num_threads=2)),
        "linear": again(9, lambda: ops.linear(rows, weight)),
        "matmul": again(99, lambda: ops.matmul(x, x)),
        "attention": lambda: ops.scaled_dot_product_attention(heads, heads, heads),
        "2^40 keys": lambda: ops.scaled_dot_product_attention(long, keys, keys),
        "2^40 terms": lambda: ops.matmul(left, right, num_threads=2),
        "softmax": again(99, lambda: ops.softmax(rows)),
        "a text in pieces": lambda: parted.encode([word]),
        "a text read whole": lambda: whole.encode([marks]),
    }


def resident() -> int:
    """Pages of memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1])


def interrupts(count: int, seed: int = 0) -> dict[str, object]:
    """Milliseconds from the signal to the exception, by percentile, and how many results differed after."""
    calls = small_calls()
    expected = calls()
    kinds = long_calls()
    random.seed(seed)
    delays: dict[str, list[float]] = {name: [] for name in kinds}
    missed = differing = 0
    pages = []
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for i in counted(count):
        name = list(kinds)[i % len(kinds)]
        sent: list[float] = []

        def send(sent: list[float] = sent) -> None:
            sent.append(time.monotonic())
            os.kill(os.getpid(), signal.SIGINT)

        timer = threading.Timer(0.03 + 0.3 * random.random(), send)
        timer.start()
        try:
            kinds[name]()
            timer.join()
            missed += 1
        except KeyboardInterrupt:
            delays[name].append(1e3 * (time.monotonic() - sent[0]))
        timer.join()
        differing += calls() != expected
        pages.append(resident())
    everything = np.array([delay for part in delays.values() for delay in part])
    return {
        "interrupted": len(everything),
        "missed": missed,
        "differing": differing,
        "median": round(float(np.median(everything)), 1),
        "p99": round(float(np.percentile(everything, 99)), 1),
        "max": {name: round(max(part, default=0.0), 1) for name, part in delays.items()},
        # The least, since a text that is read whole is let go of some time after its interrupt.
        "pages grown in the last quarter": min(pages[3 * count // 4 :])
        - min(pages[count // 2 : 3 * count // 4], default=pages[0]),
    }


if __name__ == "__main__":
    print(interrupts(trials(100, __doc__)))
