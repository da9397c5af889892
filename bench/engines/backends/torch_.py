"""PyTorch with transformers' BertModel: eager, or compiled by inductor with frozen weights."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.engines.backends import Ids, Model, pad, unpad


class Torch:
    def __init__(self, form: str) -> None:
        self.compiled = form == "compiled"

    def convert(self, model: Model) -> None:
        """Reads the checkpoint itself."""

    def load(self, model: Model, threads: int) -> None:
        import torch
        from transformers.models.bert.modeling_bert import BertModel

        warnings.filterwarnings("ignore")
        torch.set_num_threads(threads)
        torch.set_num_interop_threads(1)
        torch.set_flush_denormal(True)
        bert: Any = BertModel.from_pretrained(
            model.folder, attn_implementation="sdpa", add_pooling_layer=False, dtype=torch.float32
        )
        self.torch: Any = torch
        self.model: Any = bert.eval()
        if self.compiled:
            import torch._dynamo.config as dynamo
            import torch._inductor.config as inductor

            inductor.freezing = True
            # Batch 1, other batches, with and without a mask are graphs of their own.
            dynamo.recompile_limit = 64
            self.model = torch.compile(self.model, dynamic=True)

    def pack(self, batch: Sequence[Ids]) -> Any:
        ids, mask = pad(batch)
        return self.torch.from_numpy(ids), None if mask is None else self.torch.from_numpy(mask)

    def run(self, packed: Any) -> Any:
        ids, mask = packed
        with self.torch.inference_mode():
            return self.model(input_ids=ids, attention_mask=mask).last_hidden_state

    def rows(self, result: Any, lengths: Sequence[int]) -> NDArray[np.float32]:
        return unpad(result.numpy(), lengths)


def create(form: str) -> Torch:
    return Torch(form)
