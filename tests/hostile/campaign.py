"""Loads hostile folders in one process and says what became of each.

    python tests/hostile/campaign.py                    every case of `cases.py`, a table of the slowest and largest
    python tests/hostile/campaign.py --fuzz 100000      so many random mutations of a sound folder, too
    python tests/hostile/campaign.py --json             for the test suite

A case passes when the folder loads, or is refused with one of the documented exceptions, in under a second of the
processor's time and with less than 100 MB beside what the process had, and when nothing was written, run or read
elsewhere. Exit status 1 when a case fails. Time counts only here, not in the test suite.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from cases import all_cases  # noqa: E402
from folders import Build, sound_folder  # noqa: E402

MIB = 1 << 20
_SECONDS = 1.0
_GROWTH = 100 * MIB
# Beside the memory of a case, what threads and allocators reserve without using it.
_ADDRESS_SPACE = 1024 * MIB
_FORBIDDEN = (
    "exec", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.system", "os.remove", "os.rename", "os.mkdir",
    "os.rmdir", "os.chmod", "os.link", "os.symlink", "os.truncate", "os.putenv", "subprocess.Popen",
    "pickle.find_class",
    "shutil.rmtree", "ctypes.dlopen", "socket.connect", "socket.getaddrinfo", "urllib.Request", "marshal.loads",
)  # fmt: skip
#: Marks in a trace of system calls.
BEGIN, END = "/load begins", "/load ends"
#: The kernel's table of free memory, which is read before a large table of a model.
_FREE_MEMORY = "/proc/buddyinfo"
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


class Watch:
    """Notes what the interpreter does to the outside while a folder is loaded."""

    def __init__(self) -> None:
        self.folder = ""
        self.found: list[str] = []
        sys.addaudithook(self._hook)

    def begin(self, folder: Path) -> None:
        """Look from now on. The kernel is asked for a file that is not there, which a trace of its calls shows."""
        self.found, self.folder = [], str(folder)
        os.access(f"{BEGIN}{folder}", os.F_OK)

    def end(self) -> None:
        os.access(END, os.F_OK)
        self.folder = ""

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.folder:
            return
        if event in _FORBIDDEN:
            self.found.append(event)
        elif event == "open":
            path, _, flags = arguments
            inside = isinstance(path, int) or os.path.abspath(os.fsdecode(path)).startswith(self.folder)
            if not (inside or path == _FREE_MEMORY) or (isinstance(flags, int) and flags & _WRITES):
                self.found.append(f"open {path!r:.200}")


def peak() -> int:
    """The most memory that this process had since `reset_peak`."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) * 1024


def reset_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def attempt(folder: Path) -> str:
    """What became of a folder: "loaded", or the name of a documented exception."""
    from polysemy import Encoder
    from polysemy.cli.model_card import card_facts
    from polysemy.errors import PolysemyError

    try:
        encoder = Encoder.from_pretrained(folder)
    except PolysemyError as error:
        if len(str(error)) > 5_000:
            return f"a message of {len(str(error))} characters"
        return type(error).__name__
    json.dumps(card_facts(encoder))
    try:
        encoder.forward(["bank money", "A a\u0301 北京", "x " * 50])
        if encoder.head is not None:
            encoder.encode("bank")
    except (PolysemyError, ValueError) as error:
        return f"loaded, {type(error).__name__}"
    return "loaded"


def run(name: str, build: Build, place: Path, watch: Watch) -> dict[str, Any]:
    folder = sound_folder(place / "model")
    try:
        build(folder)
        reset_peak()
        before, start = peak(), time.process_time()
        watch.begin(folder)
        try:
            outcome = attempt(folder)
        except BaseException as error:  # what is looked for
            outcome = f"FAILED: {type(error).__module__}.{type(error).__name__}: {error!s:.200}"
        finally:
            watch.end()
        seconds, grown = time.process_time() - start, peak() - before
        return {"case": name, "outcome": outcome, "seconds": seconds, "bytes": grown, "outside": watch.found}
    finally:
        shutil.rmtree(folder)


def mutations(count: int, seed: int) -> Iterator[tuple[str, Build]]:
    """Random damage: bytes and JSON values of one or two files."""
    for i in range(count):
        yield f"mutation {i} of seed {seed}", lambda folder, i=i: mutate(folder, random.Random(f"{seed}/{i}"))


_ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    2**31,
    2**32,
    2**63,
    1e308,
    "",
    "x" * 200,
    "\x00",
    [],
    {},
    [[]],
    "[CLS]",
    "mean",
)


def mutate(folder: Path, draw: random.Random) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in draw.sample(files, draw.randint(1, 2)):
        if path.suffix == ".json" and draw.random() < 0.7:
            value = json.loads(path.read_text())
            for _ in range(draw.randint(1, 3)):
                change(value, draw)
            path.write_text(json.dumps(value))
        else:
            path.write_bytes(damaged(bytearray(path.read_bytes()), draw))


def change(value: Any, draw: random.Random) -> None:
    """Replace, remove or repeat one value somewhere below."""
    while isinstance(value, (dict, list)) and value:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = draw.choice(keys)
        if isinstance(value[key], (dict, list)) and value[key] and draw.random() < 0.8:
            value = value[key]
            continue
        act = draw.randrange(4)
        if act == 0:
            del value[key]
        elif act == 1 and isinstance(value, list):
            value[key:key] = [value[key]] * draw.choice([1, 2, 1000])
        elif act == 2 and isinstance(value, dict):
            value[draw.choice(["type", "x", "\ud800", "content", "[CLS]"])] = value[key]
        else:
            value[key] = draw.choice(_ODD)
        return


def damaged(data: bytearray, draw: random.Random) -> bytes:
    for _ in range(draw.randint(1, 8)):
        place = draw.randrange(len(data) + 1)
        act = draw.randrange(4)
        if act == 0 and data:
            data[place % len(data)] = draw.randrange(256)
        elif act == 1:
            del data[place : place + draw.choice([1, 4, 100])]
        elif act == 2:
            data[place:place] = draw.randbytes(draw.choice([1, 8, 100]))
        elif draw.random() < 0.3:
            del data[place:]
    return bytes(data)


def failed(result: dict[str, Any], *, timed: bool) -> bool:
    """Whether a result breaks the promise."""
    slow = timed and result["seconds"] >= _SECONDS
    wrong = not result["outcome"].startswith("loaded") and not result["outcome"].endswith("Error")
    return slow or wrong or result["bytes"] >= _GROWTH or bool(result["outside"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fuzz", type=int, default=0, metavar="N", help="random mutations, too")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every N-th case")
    parser.add_argument("--only", default="", help="cases whose names contain this")
    parser.add_argument("--json", action="store_true", help="every result as a line of JSON")
    arguments = parser.parse_args()
    from polysemy.families import all_families

    watch = Watch()
    results = []
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        all_families()  # each is imported by the first folder of its model_type
        attempt(sound_folder(Path(place) / "first"))  # imports, threads and caches are not a folder's cost
        in_use = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (in_use + _ADDRESS_SPACE,) * 2)
        chosen = [case for case in all_cases().items() if arguments.only in case[0]][:: arguments.every]
        for name, build in (*chosen, *mutations(arguments.fuzz, arguments.seed)):
            result = run(name, build, Path(place), watch)
            if arguments.json:
                print(json.dumps(result), flush=True)
            elif failed(result, timed=True):
                print("FAILED", result, flush=True)
            results.append(result)
    bad = sum(failed(result, timed=True) for result in results)
    if not arguments.json:
        slowest = max(results, key=lambda result: result["seconds"])
        largest = max(results, key=lambda result: result["bytes"])
        print(
            f"{len(results)} folders, {sum(r['outcome'] == 'loaded' for r in results)} loaded, {bad} failed"
        )
        print(f"slowest: {slowest['seconds'] * 1e3:.0f} ms, {slowest['case']}")
        print(f"largest: {largest['bytes'] / 1e6:.0f} MB, {largest['case']}")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
