"""One engine and one work in a process of its own: a line in, a line of JSON out. Started by `bench.heads`."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench import texts

TOPK = (1_000, 1_000_000, 384, 10)  # queries, vectors, features, how many are looked for


def pairs() -> list[tuple[str, str]]:
    """100 pairs of a query and a text of another length."""
    lines = texts.load()
    return [(lines[(7 * i) % len(lines)][:200], lines[(13 * i + 5) % len(lines)]) for i in range(100)]


def cross_encoder(engine: str, folder: Path) -> Callable[[], Any]:
    if engine == "polysemy":
        from polysemy import CrossEncoder
    else:
        from sentence_transformers import CrossEncoder  # type: ignore[assignment]
    model = CrossEncoder(str(folder), max_length=512)
    return lambda: model.predict(pairs())


def splade(engine: str, folder: Path) -> Callable[[], Any]:
    lines = texts.load()[:64]
    if engine == "polysemy":
        from polysemy import SparseEncoder

        ours = SparseEncoder(str(folder))
        return lambda: ours.encode(lines)
    from sentence_transformers import SparseEncoder as Theirs

    model = Theirs(str(folder), device="cpu")
    return lambda: model.encode(lines)


def topk(engine: str, folder: Path) -> Callable[[], Any]:
    queries, count, width, k = TOPK
    rng = np.random.default_rng(0)
    corpus = rng.standard_normal((count, width), dtype=np.float32)
    asked = rng.standard_normal((queries, width), dtype=np.float32)
    if engine == "polysemy":
        from polysemy import ops

        return lambda: ops.topk(asked, corpus, k)[1]
    if engine == "faiss":
        import faiss

        index = faiss.IndexFlatIP(width)
        index.add(corpus)
        return lambda: index.search(asked, k)[1]

    def product() -> Any:
        """NumPy's product alone, in blocks, without looking for the largest."""
        for start in range(0, count, 16_384):
            block = asked @ corpus[start : start + 16_384].T
        return block

    return product


WORKS: dict[str, Callable[[str, Path], Callable[[], Any]]] = {
    "cross-encoder": cross_encoder,
    "splade": splade,
    "topk": topk,
}


def sample(work: str, engine: str, result: Any) -> list[float]:
    """Some numbers that all engines must agree on."""
    if work == "cross-encoder":
        return [float(score) for score in result]
    if work == "splade":
        dense = result.toarray() if engine == "polysemy" else result.to_dense().numpy()
        return [*dense.sum(axis=1).tolist(), *dense[3].tolist()]
    return [] if engine == "numpy" else np.asarray(result).ravel()[:1000].tolist()


def main() -> None:
    work, engine, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    call = WORKS[work](engine, folder)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = call()
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        json.dumps({"sample": sample(work, engine, result), "kib": after - before}), file=answers, flush=True
    )
    for _ in sys.stdin:
        start = time.perf_counter()
        call()
        print(json.dumps({"seconds": time.perf_counter() - start}), file=answers, flush=True)


if __name__ == "__main__":
    main()
