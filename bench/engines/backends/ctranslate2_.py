"""CTranslate2's encoder, converted by its own converter; it quantises when it loads."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.engines.backends import Ids, Model, pad, unpad

# Only read where it picks MKL, as it does on Intel; its own default elsewhere (oneDNN) was the faster one.
os.environ.setdefault("CT2_USE_EXPERIMENTAL_PACKED_GEMM", "1")


class CTranslate2:
    def __init__(self, form: str) -> None:
        self.form = form

    def convert(self, model: Model) -> None:
        target = model.cache / "ctranslate2"
        if (target / "model.bin").exists():
            return
        from ctranslate2.converters import TransformersConverter

        TransformersConverter(str(model.folder)).convert(str(target), force=True)

    def load(self, model: Model, threads: int) -> None:
        import ctranslate2

        self.library: Any = ctranslate2
        self.encoder = ctranslate2.Encoder(
            str(model.cache / "ctranslate2"),
            device="cpu",
            compute_type=self.form,
            inter_threads=1,
            intra_threads=threads,
        )

    def pack(self, batch: Sequence[Ids]) -> Any:
        ids, _ = pad(batch, np.int32)
        view = self.library.StorageView.from_array
        lengths = np.array([len(row) for row in batch], dtype=np.int32)
        # The views borrow the arrays, so both travel together.
        return view(ids), view(lengths), ids, lengths

    def run(self, packed: Any) -> Any:
        return self.encoder.forward_batch(packed[0], packed[1]).last_hidden_state

    def rows(self, result: Any, lengths: Sequence[int]) -> NDArray[np.float32]:
        return unpad(np.array(result), lengths)


def create(form: str) -> CTranslate2:
    return CTranslate2(form)
