"""Long texts of hard kinds under a limit of memory: how long they take, stall other threads, and what they hold.

``python -m campaigns.texts 44``: 4.4 million characters of each kind with the default model on one thread, each in a
process of its own that may map 1.2 GB; one kind with a SentencePiece tokenizer, for which it is one unknown token, and
last, without a limit, a kind that such a tokenizer reads whole. A pair is two such texts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from campaigns.common import python, trials

KINDS = {
    "English": "we sat on the bank of the river ",
    "Chinese": "\u6211\u4eec\u5750\u5728\u6cb3\u5cb8\u4e0a",
    "one word": "bank",
    "emoji": "\U0001f642\U0001f3e6",
    "spaces": " ",
    "pair": "money in the bank ",
    "emoji, SentencePiece": "\U0001f642\U0001f3e6",
    "marks, SentencePiece": "\u0301",
}
CODE = """
import json, pathlib, resource, sys, tempfile, threading, time, warnings
import polysemy
from polysemy.text.tokenizer import TextTokenizer
kind, part, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
warnings.simplefilter("ignore")
if not kind.startswith("marks"):
    resource.setrlimit(resource.RLIMIT_AS, (1_200_000_000,) * 2)
if kind.endswith("SentencePiece"):
    from tokenizer_folders import sentencepiece
    folder = sentencepiece(pathlib.Path(tempfile.mkdtemp()) / "m", "xlm-roberta")
    read = TextTokenizer.from_folder(folder, max_seq_length=None, max_positions=512, model_type="xlm-roberta").encode
else:
    read = polysemy.Encoder.from_pretrained(num_threads=1).forward
text = part * (size // len(part))
texts = [(text, text + " more")] if kind == "pair" else [text]
longest = 0.0
def watch():
    global longest
    last = time.perf_counter()
    while True:
        time.sleep(0.005)
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
threading.Thread(target=watch, daemon=True).start()
start = time.perf_counter()
read(texts)
seconds = time.perf_counter() - start
peak = pathlib.Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]  # getrusage's includes the parent's
print(json.dumps([seconds, longest, int(peak) * 1024 / 1e6]))
"""


class Reading(NamedTuple):
    """How a text was read."""

    kind: str
    seconds: float
    stalled: float  # seconds for which no other thread ran
    megabytes: float  # of the process, at most
    error: str


def readings(size: int, kinds: Iterable[str] = KINDS) -> Iterator[Reading]:
    """Texts of ``size`` characters."""
    for kind in kinds:
        done = python(CODE, kind, KINDS[kind], str(size))
        figures = json.loads(done.stdout) if done.returncode == 0 else [0.0, 0.0, 0.0]
        yield Reading(kind, *figures, done.stderr[-400:])


if __name__ == "__main__":
    for reading in readings(100_000 * trials(44, __doc__)):
        print(
            f"{reading.kind:20} {reading.seconds:6.2f} s, stalled {reading.stalled:5.2f} s, "
            f"{reading.megabytes:6.0f} MB {reading.error}"
        )
