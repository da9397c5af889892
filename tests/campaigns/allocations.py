"""Memory that ends at any moment: each allocation of the core fails once, and all from it on.

``python -m campaigns.allocations 3`` (seeds; the number of calls is that of the allocations). Every call raises
MemoryError or gives the bits that it always gives, and the next one gives them.

Allocations of less than 40 bytes are left alone: where pybind11 can't have 32 for its list of objects, it ends the
process.
"""

from __future__ import annotations

import subprocess
from ast import literal_eval
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from numpy.typing import NDArray

from campaigns.common import python, trials

SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

// glibc's own, by the names that don't lead back here.
void* __libc_malloc(size_t size);
void* __libc_memalign(size_t alignment, size_t size);

static long countdown = 0;  // allocations of the core until one fails; 0: none does
static int lasting = 0;     // whether all after it fail, too
static long failed = 0;

void fail_at(long number, int all_after) {
  countdown = number;
  lasting = all_after;
  failed = 0;
}
long failures(void) { return failed; }

// What calls is the core, or the library of C++ on its behalf.
static int fails(const void* caller, size_t size) {
  if (size < 40 || __atomic_load_n(&countdown, __ATOMIC_RELAXED) <= 0) return 0;
  Dl_info info;
  if (!dladdr(caller, &info) || !info.dli_fname) return 0;
  if (!strstr(info.dli_fname, "_core.") && !strstr(info.dli_fname, "libstdc++")) return 0;
  if (__atomic_sub_fetch(&countdown, 1, __ATOMIC_RELAXED) > 0) return 0;
  __atomic_store_n(&countdown, lasting ? 1 : 0, __ATOMIC_RELAXED);
  __atomic_add_fetch(&failed, 1, __ATOMIC_RELAXED);
  return 1;
}

void* malloc(size_t size) { return fails(__builtin_return_address(0), size) ? NULL : __libc_malloc(size); }
int posix_memalign(void** out, size_t alignment, size_t size) {
  if (fails(__builtin_return_address(0), size)) return ENOMEM;
  *out = __libc_memalign(alignment, size);
  return *out ? 0 : ENOMEM;
}
"""

CODE = """
import ctypes, sys
from collections import Counter
from campaigns.allocations import every_call
shim = ctypes.CDLL(sys.argv[1])
shim.fail_at.argtypes, shim.failures.restype = (ctypes.c_long, ctypes.c_int), ctypes.c_long
found = Counter()
for name, call in every_call(int(sys.argv[2])).items():
    if not name.startswith(sys.argv[3]):
        continue
    expected = call()
    for lasting in (0, 1):
        number = 0
        while True:
            number += 1
            shim.fail_at(number, lasting)
            try:
                result = call()
                outcome = "well" if result == expected else f"{name} differs"
            except MemoryError:
                outcome = "MemoryError"
            except BaseException as error:
                outcome = f"{name}: {type(error).__name__}: {error}"
            failed = shim.failures()
            shim.fail_at(0, 0)
            if not failed:
                assert outcome == "well", outcome
                break
            found[outcome] += 1
            if call() != expected:
                found[f"{name} differs afterwards"] += 1
print(dict(found))
"""


def every_call(seed: int) -> dict[str, Any]:
    """Calls whose results are bytes: operations, packing, an encoder's making and its passes."""
    from deterministic import SPECS, integers, values, weights_of
    from polysemy import Encoder, ops

    x, q = values(f"allocations {seed}", 70 + seed, 128), values(f"q {seed}", 2, 120 + seed, 16)
    w = values(f"w {seed}", 64, 128)
    weight = ops.PackedWeight(w)
    texts = [integers(f"text {seed} {i}", 3 + 7 * i % 40, 0, 48).tolist() for i in range(9)]
    spec, weights = SPECS["even"], weights_of("even")
    encoder = Encoder(spec, weights)

    def hidden(made: Encoder, threads: int) -> bytes:
        output = made.forward(texts, attentions=(1,), num_threads=threads)
        return output.hidden_state(0).tobytes() + output.attention(1, 1).tobytes()

    calls: dict[str, Callable[[int], bytes]] = {
        "linear": lambda n: ops.linear(x, weight, num_threads=n).tobytes(),
        "packing": lambda n: ops.linear(x, ops.PackedWeight(w), num_threads=n).tobytes(),
        "matmul": lambda n: ops.matmul(x, x.T, num_threads=n).tobytes(),
        "attention": lambda n: ops.scaled_dot_product_attention(q, q, q, num_threads=n).tobytes(),
        "layer norm": lambda n: ops.layer_norm(x, 128, num_threads=n).tobytes(),
        "softmax": lambda n: ops.softmax(x, num_threads=n).tobytes(),
        "forward": lambda n: hidden(encoder, n),
        "encoder": lambda n: hidden(Encoder(spec, weights), n),
        **{f"packing {p}": partial(packed, x, w, p) for p in ("float16", "bfloat16", "int8", "int16")},
    }
    return {f"{name}, {n} threads": partial(call, n) for name, call in calls.items() for n in (1, 2)}


def packed(x: NDArray[Any], weight: NDArray[Any], precision: str, threads: int) -> bytes:
    """A product with a weight that is packed for it."""
    from polysemy import ops

    return ops.linear(x, ops.PackedWeight(weight, precision=precision), num_threads=threads).tobytes()


def allocations(seeds: int, only: str = "") -> Counter[str]:
    """How calls ended in which an allocation failed: "MemoryError", "well", or what went wrong.

    ``only``: what the names of the calls begin with.
    """
    found: Counter[str] = Counter()
    with TemporaryDirectory() as folder:
        source, library = Path(folder) / "fail.c", Path(folder) / "fail.so"
        source.write_text(SHIM)
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
        for seed in range(seeds):
            variables = {"LD_PRELOAD": str(library), "OMP_NUM_THREADS": "2"}
            done = python(CODE, str(library), str(seed), only, timeout=600, **variables)
            if done.returncode:
                found[f"exit code {done.returncode}: {done.stderr[-400:]}"] += 1
            else:
                found.update(literal_eval(done.stdout))
    return found


if __name__ == "__main__":
    print(dict(allocations(trials(1, __doc__))))
