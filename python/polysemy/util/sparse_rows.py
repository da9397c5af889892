"""`SparseRows`: vectors of which few elements are not zero."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..record import record
from .vectors import as_tensor, is_tensor, matrix

__all__ = ["SparseRows", "is_sparse"]


def is_sparse(value: Any) -> bool:
    """Whether it holds rows without their zeros: `SparseRows`, a matrix of SciPy, a sparse tensor of torch."""
    return hasattr(value, "tocsr") or isinstance(value, SparseRows) or (is_tensor(value) and value.is_sparse)


@record
class SparseRows:
    """n rows in the CSR form: ``scipy.sparse.csr_array((rows.data, rows.indices, rows.indptr), rows.shape)``.

    Row i has the values ``data[indptr[i] : indptr[i + 1]]`` in the columns that ``indices`` has there, ascending.
    """

    data: NDArray[np.float32]
    indices: NDArray[np.int32]
    indptr: NDArray[np.int64]
    shape: tuple[int, int]

    # Arrays have no single answer to ==.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def nnz(self) -> int:
        """How many values are stored."""
        return len(self.data)

    def __getitem__(self, rows: int | slice) -> SparseRows:
        """A row, as rows of one, or several that follow each other."""
        if isinstance(rows, slice):
            first, last, step = rows.indices(len(self))
            if step != 1:
                raise ValueError(f"SparseRows: the step of a slice must be 1, got {step}")
            last = max(first, last)
        else:
            first = rows + len(self) if rows < 0 else rows
            if not 0 <= first < len(self):
                raise IndexError(f"SparseRows: row {rows} is out of range, there are {len(self)}")
            last = first + 1
        part = slice(int(self.indptr[first]), int(self.indptr[last]))
        starts = self.indptr[first : last + 1] - self.indptr[first]
        return SparseRows(self.data[part], self.indices[part], starts, (last - first, self.shape[1]))

    def toarray(self) -> NDArray[np.float32]:
        """All elements, (n, columns) float32."""
        out = np.zeros(self.shape, dtype=np.float32)
        out[np.repeat(np.arange(len(self)), np.diff(self.indptr)), self.indices] = self.data
        return out

    def totensor(self) -> Any:
        """A sparse tensor of torch in coordinates, (n, columns). ``ValueError`` where torch is not installed."""
        rows = np.repeat(np.arange(len(self)), np.diff(self.indptr))
        places = as_tensor(np.stack([rows, self.indices.astype(np.int64)]), "SparseRows: a tensor")
        torch = import_module("torch")
        values = torch.from_numpy(self.data.copy())
        return torch.sparse_coo_tensor(places, values, self.shape, is_coalesced=True, check_invariants=False)

    @classmethod
    def of(cls, value: Any, name: str) -> SparseRows:
        """The rows themselves, or those of an array, a matrix of SciPy, a tensor of torch, or a list of any of these.

        ``TypeError`` for anything else, ``ValueError`` for rows of different lengths.
        """
        if isinstance(value, SparseRows):
            return value
        if isinstance(value, (list, tuple)) and value and not isinstance(value[0], (int, float, list, tuple)):
            return cls.stacked([cls.of(item, f"{name}[{i}]") for i, item in enumerate(value)], name)
        if hasattr(value, "tocsr"):
            csr = value.tocsr().sorted_indices()
            pointers = np.asarray(csr.indptr, np.int64)
            return cls(
                np.asarray(csr.data, np.float32), np.asarray(csr.indices, np.int32), pointers,
                (len(pointers) - 1, csr.shape[-1]),
            )  # fmt: skip
        if not is_tensor(value):
            array = matrix(value, name)
            places = np.nonzero(array)
            pointers = np.searchsorted(places[0], np.arange(len(array) + 1)).astype(np.int64)
            return cls(array[places], places[1].astype(np.int32), pointers, (len(array), array.shape[1]))
        value = value.detach()
        dense = value[None] if value.ndim == 1 else value
        tensor = dense.to_sparse().coalesce() if not dense.is_sparse else dense.coalesce()
        rows, columns = (part.numpy() for part in tensor.indices())
        starts = np.searchsorted(rows, np.arange(len(dense) + 1)).astype(np.int64)
        return cls(
            tensor.values().numpy(), columns.astype(np.int32), starts, (dense.shape[0], dense.shape[1])
        )

    @classmethod
    def stacked(cls, blocks: Sequence[SparseRows], name: str) -> SparseRows:
        """The rows of several, of one width. ``ValueError`` for several widths."""
        widths = {block.shape[1] for block in blocks}
        if len(widths) != 1:
            raise ValueError(f"{name}: rows must have one length, got {sorted(widths)}")
        lengths = np.concatenate([np.zeros(1, np.int64), *(np.diff(block.indptr) for block in blocks)])
        return cls(
            np.concatenate([block.data for block in blocks]),
            np.concatenate([block.indices for block in blocks]),
            np.cumsum(lengths),
            (len(lengths) - 1, widths.pop()),
        )

    def strongest(self, most: int) -> SparseRows:
        """The same rows with their ``most`` largest values; of equal ones those in earlier columns."""
        kept = []
        for i in range(len(self)):
            start, stop = int(self.indptr[i]), int(self.indptr[i + 1])
            order = np.argsort(-self.data[start:stop], kind="stable")[:most]
            kept.append(start + np.sort(order))
        places = np.concatenate([np.empty(0, np.int64), *kept])
        starts = np.cumsum([0, *map(len, kept)], dtype=np.int64)
        return SparseRows(self.data[places], self.indices[places], starts, self.shape)
