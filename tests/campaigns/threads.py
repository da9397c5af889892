"""Threads that can't be made: the process goes on with fewer and the same bits, or MemoryError.

``python -m campaigns.threads 64``: limits from 1 to 64 threads by the user's limit of processes (as root, by way of
an ordinary user), by a ``pthread_create`` that refuses, and by address space.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from campaigns.common import python, trials

#: Users without processes of their own, one for each process of a campaign.
_FIRST_USER = 61000

SHIM = r"""
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

// Refuses a thread beyond the number that LIMIT allows to be there at once.
int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*start)(void*), void* argument) {
  int (*next)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*) = dlsym(RTLD_NEXT, "pthread_create");
  const char* limit = getenv("LIMIT");
  DIR* tasks = limit ? opendir("/proc/self/task") : NULL;
  int there = -2;
  if (tasks) {
    while (readdir(tasks)) ++there;
    closedir(tasks);
    if (there >= atoi(limit)) return EAGAIN;
  }
  return next(thread, attributes, start, argument);
}
"""

CODE = """
import os, sys
from campaigns.common import small_calls
from campaigns.threads import at_most
single, team, many = small_calls(1), small_calls(3), small_calls(512)
expected = single()
kind, number = sys.argv[1], int(sys.argv[2])
if kind == "processes": at_most(number)
if kind == "memory": at_most(0, number << 20)
if kind == "refused": os.environ["LIMIT"] = str(number)
for calls in (team, many, team, single, many):
    try:
        assert calls() == expected
    except MemoryError:
        assert kind == "memory"
print(max(0, len(os.listdir("/proc/self/task")) - 1))
"""


def at_most(threads: int, address_space: int | None = None) -> None:
    """Limit this process from here on: so many threads, or so many bytes beyond what it has."""
    if address_space is not None:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        bytes_now = pages * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (bytes_now + address_space,) * 2)
        return
    if os.getuid() == 0:  # who is not bound by this limit
        os.setuid(_FIRST_USER + os.getpid() % 4000)
    resource.setrlimit(resource.RLIMIT_NPROC, (threads, threads))


def shim(folder: Path) -> Path:
    """The library that refuses threads, built."""
    source, library = folder / "refuse.c", folder / "refuse.so"
    source.write_text(SHIM)
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    return library


def limits(count: int) -> Counter[str]:
    """How processes ended under every limit up to ``count``: "well", or what they said."""
    found: Counter[str] = Counter()
    with TemporaryDirectory() as folder:
        library = str(shim(Path(folder)))
        for number in range(1, count + 1):
            for kind, variables in (("processes", {}), ("refused", {"LD_PRELOAD": library}), ("memory", {})):
                amount = number * 40 if kind == "memory" else number
                done = python(CODE, kind, str(amount), OMP_NUM_THREADS="2", **variables)
                well = done.returncode == 0
                found[f"{kind}: well" if well else f"{kind} {amount}: {done.stderr[-400:]}"] += 1
    return found


if __name__ == "__main__":
    for what, times in limits(trials(8, __doc__)).items():
        print(times, what, file=sys.stdout)
