"""The interpreter ends while daemon threads are in calls: every process exits with 0.

``python -m campaigns.endings 1000`` (half a second each).
"""

from __future__ import annotations

from collections import Counter

from campaigns.common import counted, python, trials

CODE = """
import sys, threading, time
from campaigns.common import small_calls
import numpy as np
from polysemy import ops

number = int(sys.argv[1])
calls = small_calls()
heads = np.ones((4, 1500, 64), np.float32)
started = threading.Semaphore(0)

def short():
    started.release()
    while True:
        calls()

def long():
    started.release()
    while True:
        ops.scaled_dot_product_attention(heads, heads, heads)

team = [threading.Thread(target=target, daemon=True) for target in (short, long, short)[: 1 + number % 3]]
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
