"""What the kernel is asked for while folders are loaded, by strace: what no hook of the interpreter sees.

    python tests/hostile/traced.py                  every case of `cases.py`, under strace
    python tests/hostile/traced.py --every 8        options are those of campaign.py

Prints each call that wrote, ran or reached something, or opened a file outside of the folder. Exit status 1 when there
is one.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from campaign import BEGIN, END  # noqa: E402

#: Files of the kernel that tell how many CPUs and how much memory there is.
_KERNEL = ("/proc/", "/sys/")
_LOOKS = re.compile(r"(open|openat2?|(new)?f?statx?(at)?(64)?|access|faccessat2?|readlink(at)?|getcwd)\(")
_CALL = re.compile(r"^\d+ +\w+\(")


def command(log: Path, *traced: str) -> list[str]:
    """A command under strace."""
    calls = "trace=%file,%process,%network"
    return ["strace", "-f", "-qq", "-s", "4096", "-e", calls, "-e", "signal=none", "-o", str(log), *traced]


def outside(lines: Iterable[str]) -> tuple[int, list[str]]:
    """The number of loads in a trace, and what they did beside reading their folder."""
    loads, folder, found = 0, "", []
    for line in lines:
        if BEGIN in line:
            loads, folder = loads + 1, line.split(BEGIN, 1)[1].split('"', 1)[0]
        elif END in line:
            folder = ""
        elif folder and not _harmless(line, folder):
            found.append(line.strip())
    return loads, found


def _harmless(line: str, folder: str) -> bool:
    if "resumed>" in line or not _CALL.match(line):
        return True  # the rest of a call that was looked at, or the end of a thread
    if re.search(r" (clone3?|exit)\(", line):
        return "clone" not in line or "CLONE_THREAD" in line
    if not _LOOKS.search(line) or re.search("O_WRONLY|O_RDWR|O_CREAT|O_TRUNC", line):
        return False
    path = re.search(r'"([^"]*)"', line)
    if path is None or path[1] == "":
        return True  # an open descriptor
    name = path[1]
    inside = name == folder or name.startswith(f"{folder}/") or not name.startswith("/")
    return inside or name.startswith(_KERNEL) or " open" not in line


def main() -> int:
    with tempfile.TemporaryDirectory() as place:
        log = Path(place) / "log"
        campaign = (sys.executable, "-W", "ignore", str(HERE / "campaign.py"), "--json", *sys.argv[1:])
        run = subprocess.run(command(log, *campaign), capture_output=True, text=True, check=False)
        if run.returncode not in (0, 1):
            print(run.stderr, file=sys.stderr)
            return 2
        with log.open(errors="replace") as lines:
            loads, found = outside(lines)
    print(*found, sep="\n", end="\n" if found else "")
    print(f"{loads} folders, {len(found)} calls that should not be there")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
