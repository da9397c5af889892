"""The interpreter ends while daemon threads are in calls: every process exits with 0.

``python -m campaigns.endings 1000`` (half a second each).
"""

from __future__ import annotations

from collections import Counter

from campaigns.common import counted, python, trials

CODE = """
import pathlib, sys, tempfile, threading, time
from campaigns.common import small_calls
import numpy as np
from polysemy import ops
from polysemy.text.tokenizer import TextTokenizer
from tokenizer_folders import bert

number = int(sys.argv[1])
calls = small_calls()
heads = np.ones((4, 1500, 64), np.float32)
folder = bert(pathlib.Path(tempfile.mkdtemp()) / "m")
tokenizer = TextTokenizer.from_folder(folder, max_seq_length=None, max_positions=512, model_type="bert")
started = threading.Semaphore(0)

def short():
    started.release()
    while True:
        calls()

def long():
    started.release()
    while True:
        ops.scaled_dot_product_attention(heads, heads, heads)

def texts():
    started.release()
    while True:
        tokenizer.encode(["the bank of the river " * 30] * 40, num_threads=2)
        tokenizer.encode(["bank" * 20_000])

targets = (short, long, texts)
team = [threading.Thread(target=targets[(number + i) % 3], daemon=True) for i in range(1 + number // 3 % 3)]
for thread in team:
    thread.start()
for thread in team:
    started.acquire()
time.sleep(number % 17 * 0.003)
"""


def endings(count: int) -> Counter[str]:
    """How processes ended: "0", or exit code and last words."""
    found: Counter[str] = Counter()
    for i in counted(count):
        done = python(CODE, str(i))
        found[str(done.returncode) + done.stderr[-300:]] += 1
    return found


if __name__ == "__main__":
    print(dict(endings(trials(100, __doc__))))
