"""`SparseEncoder`: vectors over the vocabulary, as SPLADE makes them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..arguments import check_device, flag, is_one_of, positive, switch
from ..compat import Comparing, refuse_unknown
from ..errors import CheckpointError, UnsupportedModelError
from ..io.files import is_there
from ..io.jsonfile import read_json_object
from ..io.modules import list_modules, routes_of
from ..model.heads import HeadKind
from ..model.spec import Pooling
from ..shown import shown
from ..util.similarity import SIMILARITIES
from ..util.sparse_rows import SparseRows
from ..util.vectors import is_tensor, like
from .sparse_table import SparseTable
from .task import Part, Task

__all__ = ["SparseEncoder"]

Floats = NDArray[np.float32]

# Rows that are held with all their zeros at a time, for products.
_ROWS = 64


class SparseEncoder(Task, Comparing):
    """A masked language model whose scores, over all tokens of a text, are a sparse vector.

    It has the signature of sentence-transformers' class. ``device`` may be None or "cpu"; ``max_active_dims`` keeps
    the largest values of each vector. Raises `ModelNotFoundError`, `UnsupportedModelError`, `CheckpointError` or
    `TokenizerError`.
    """

    kind = HeadKind.MASKED
    _similarities = SIMILARITIES

    def __init__(
        self,
        model_name_or_path: str | os.PathLike[str],
        *,
        device: object = None,
        prompts: Mapping[str, str] | None = None,
        default_prompt_name: str | None = None,
        max_active_dims: int | None = None,
        similarity_fn_name: str | None = None,
        num_threads: int | None = None,
        mmap: bool = False,
        revision: str | None = None,
        cache_folder: str | os.PathLike[str] | None = None,
        local_files_only: bool = False,
        token: str | bool | None = None,
        **others: object,
    ) -> None:
        check_device(device, "SparseEncoder")
        refuse_unknown(others, "SparseEncoder")
        if max_active_dims is not None:
            positive(max_active_dims, "SparseEncoder: max_active_dims")
        super().__init__(
            model_name_or_path, num_threads=num_threads, mmap=mmap, revision=revision, cache_folder=cache_folder,
            local_files_only=local_files_only, token=token,
        )  # fmt: skip
        folder = Path(self._card.folder or "")
        self.max_active_dims = _saved_dims(folder) if max_active_dims is None else max_active_dims
        self._routes = routes_of(folder)
        self._table = _table(folder, self.dim) if self._routes else None
        self._take_prompts(self._card.prompts, self._card.default_prompt, prompts, default_prompt_name)
        self._choose_similarity(similarity_fn_name, self._card.similarity, "dot")

    @property
    def dim(self) -> int:
        """Length of a vector: the number of tokens in the vocabulary."""
        return self._network.spec.embedding.vocab

    def get_sentence_embedding_dimension(self) -> int:
        """The same as ``dim``."""
        return self.dim

    get_embedding_dimension = get_sentence_embedding_dimension

    def encode(
        self,
        inputs: object = None,
        prompt_name: str | None = None,
        prompt: str | None = None,
        batch_size: int = 32,
        show_progress_bar: bool | None = None,
        convert_to_tensor: bool | None = None,
        convert_to_sparse_tensor: bool | None = None,
        save_to_cpu: bool = False,
        device: object = None,
        max_active_dims: int | None = None,
        *,
        sentences: object = None,
        task: str | None = None,
        **others: object,
    ) -> Any:
        """`SparseRows`: one row per text; a text alone gives one row. ``batch_size`` has no effect.

        The largest score of each token of the vocabulary over the tokens of the text, log(1 + x) of it where it is
        positive. Scores are computed for some columns at a time: never tokens times vocabulary of them are held.
        ``task`` is "query" or "document": some models read queries without a transformer, and give a text the weights
        of its tokens. Where ``convert_to_tensor`` or ``convert_to_sparse_tensor`` is given, the result is that of
        sentence-transformers: with the former, as if nothing is said, one tensor of torch, otherwise a list of them;
        with the latter, as if nothing is said, sparse ones.
        """
        check_device(device, "encode")
        refuse_unknown(others, "encode")
        flag(save_to_cpu, "encode: save_to_cpu")
        if task is not None and not is_one_of(task, ("query", "document")):
            raise ValueError(f"encode: task must be 'query', 'document' or None, got {shown(task)}")
        positive(batch_size, "encode: batch_size")
        tensor = switch(convert_to_tensor, "encode: convert_to_tensor")
        sparse = switch(convert_to_sparse_tensor, "encode: convert_to_sparse_tensor")
        texts, single = self._texts(self._given(inputs, sentences), "encode")
        before = self._prompt(prompt, prompt_name, "encode")
        bar = switch(show_progress_bar, "encode: show_progress_bar")
        if self._table is not None and (task or self._routes[0]) == "query":
            rows = self._table.rows(texts, before, "encode", self._num_threads)
        else:
            parts = self._parts(texts, "encode", prompt=before, show_progress=bool(bar))
            none = SparseRows.of(np.empty((0, self.dim), np.float32), "encode: inputs")
            rows = SparseRows.stacked([none, *(self._rows(part) for part in parts)], "encode: inputs")
        most = self.max_active_dims if max_active_dims is None else max_active_dims
        rows = rows if most is None else rows.strongest(positive(most, "encode: max_active_dims"))
        if tensor is None and sparse is None:
            return rows
        made = rows.totensor() if sparse is not False else rows.totensor().to_dense()
        if single:
            return made[0]
        return [made[i] for i in range(len(rows))] if tensor is False else made

    def decode(self, embeddings: Any, top_k: int | None = None) -> Any:
        """The tokens of each row with their values, largest first; of a single row without a list around it."""
        rows, results = SparseRows.of(embeddings, "decode: embeddings"), []
        if top_k is not None:
            positive(top_k, "decode: top_k")
        for i in range(len(rows)):
            row = rows[i]
            order = np.argsort(-row.data, kind="stable")[:top_k]
            results.append(
                [(self._tokenizer.token_of(int(row.indices[k])), float(row.data[k])) for k in order]
            )
        return results[0] if len(results) == 1 else results

    def similarity(self, embeddings1: Any, embeddings2: Any) -> Any:
        """Similarities of all rows of one with all rows of the other, (n, m) float32."""
        a, b = SparseRows.of(embeddings1, "similarity: a"), SparseRows.of(embeddings2, "similarity: b")
        out = np.empty((len(a), len(b)), dtype=np.float32)
        of_all = SIMILARITIES[self._similarity][0]
        for start in range(0, len(a), _ROWS):
            some = a[start : start + _ROWS].toarray()
            part = out[start : start + _ROWS]
            if self._similarity == "dot":
                wide = some.astype(np.float64)
                for j in range(len(b)):
                    row = b[j]
                    part[:, j] = wide[:, row.indices] @ row.data.astype(np.float64)
                continue
            for first in range(0, len(b), _ROWS):
                part[:, first : first + _ROWS] = of_all(some, b[first : first + _ROWS].toarray())
        return like(embeddings1, out)

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any) -> Any:
        """The similarity of each row with that in its place, (n,) float32."""
        a = SparseRows.of(embeddings1, "similarity_pairwise: a")
        b = SparseRows.of(embeddings2, "similarity_pairwise: b")
        if a.shape != b.shape:
            raise ValueError(f"similarity_pairwise: a and b must have one shape, got {a.shape} and {b.shape}")
        of_pairs = SIMILARITIES[self._similarity][1]
        parts = [
            of_pairs(a[i : i + _ROWS].toarray(), b[i : i + _ROWS].toarray()) for i in range(0, len(a), _ROWS)
        ]
        return like(embeddings1, np.concatenate([np.empty(0, np.float32), *parts]))

    @staticmethod
    def intersection(embeddings_1: Any, embeddings_2: Any) -> Any:
        """What one row and each of several have in common: the products of their values that are above 0."""
        name = "intersection"
        one = SparseRows.of(embeddings_1, f"{name}: embeddings_1")
        rows = SparseRows.of(embeddings_2, f"{name}: embeddings_2")
        if len(one) != 1 or one.shape[1] != rows.shape[1]:
            raise ValueError(
                f"{name}: embeddings_1 must be one row, as long as those of embeddings_2, got {one.shape} and "
                f"{rows.shape}"
            )
        products = rows.data * one.toarray()[0, rows.indices]
        kept = products > 0
        starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(kept, dtype=np.int64)])[rows.indptr]
        common = SparseRows(products[kept], rows.indices[kept], starts, rows.shape)
        return common.totensor() if is_tensor(embeddings_1) else common

    @staticmethod
    def sparsity(embeddings: Any) -> dict[str, float]:
        """The mean number of values in a row that are not zero, and the share of zeros."""
        rows = SparseRows.of(embeddings, "sparsity: embeddings")
        count = rows.nnz / max(len(rows), 1)
        return {"active_dims": count, "sparsity_ratio": 1.0 - count / rows.shape[1]}

    def _rows(self, part: Part) -> SparseRows:
        """The vectors of some texts."""
        assert self._head.vocabulary is not None  # of this kind
        count = len(part.texts)
        hidden = self._head(part.hidden, self._num_threads)
        found: list[tuple[NDArray[np.int64], NDArray[np.int64], Floats]] = []
        for start, scores in self._head.vocabulary.blocks(hidden, self._num_threads):
            best = np.empty((count, scores.shape[1]), dtype=np.float32)
            _core.pool(scores, part.batch.offsets, Pooling.MAX, best, self._num_threads)
            rows, columns = np.nonzero(best > 0)
            found.append((rows, start + columns, best[rows, columns]))
        rows, columns, values = (np.concatenate(parts) for parts in zip(*found, strict=True))
        order = np.argsort(rows, kind="stable")  # blocks ascend, so do the columns of a row
        data = np.log1p(values[order].astype(np.float64))
        if self._sentence.splade is not None and self._sentence.splade.twice:
            data = np.log1p(data)
        starts = np.searchsorted(rows[order], np.arange(count + 1))
        return SparseRows(
            data.astype(np.float32),
            columns[order].astype(np.int32),
            starts.astype(np.int64),
            (count, self.dim),
        )


def _saved_dims(folder: Path) -> int | None:
    """How many values of each vector a folder keeps, if it says so."""
    source = folder / "config_sentence_transformers.json"
    value = read_json_object(source).get("max_active_dims") if is_there(source) else None
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise CheckpointError(
            f"{source}: max_active_dims must be a positive integer or null, got {shown(value)}"
        )
    return value


def _table(folder: Path, width: int) -> SparseTable | None:
    """What reads queries where a Router leads them around the transformer; None where it doesn't."""
    modules = list_modules(folder, "query")
    kinds = [kind for kind, _ in modules]
    if kinds == ["SparseStaticEmbedding"]:
        return SparseTable.from_folder(modules[0][1], width)
    if modules != list_modules(folder, "document"):
        raise UnsupportedModelError(
            f"{folder}: the route of queries must be a SparseStaticEmbedding, or that of documents, got {shown(kinds)}"
        )
    return None
