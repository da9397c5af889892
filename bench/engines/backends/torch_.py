"""PyTorch with the model of transformers: eager, or compiled by inductor with frozen weights."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.engines.backends import Ids, Model, pad, unpad


def transformers_model(folder: Path) -> Any:
    """The encoder of a checkpoint, for inference in float32, without poolers and caches."""
    import torch
    import transformers
    from transformers.models.bert.modeling_bert import BertModel

    kind = json.loads((folder / "config.json").read_text())["model_type"]
    classes = {"bert": BertModel, "mpnet": transformers.MPNetModel, "t5": transformers.T5EncoderModel}
    options = {"add_pooling_layer": False} if kind in ("bert", "mpnet") else {}
    made: Any = classes.get(kind, transformers.AutoModel)
    try:
        model = made.from_pretrained(folder, attn_implementation="sdpa", dtype=torch.float32, **options)
    except ValueError:  # some families have no code for it
        model = made.from_pretrained(folder, dtype=torch.float32, **options)
    model.config.use_cache = False
    return model.eval()


class Torch:
    def __init__(self, form: str) -> None:
        self.compiled = form == "compiled"

    def convert(self, model: Model) -> None:
        """Reads the checkpoint itself."""

    def load(self, model: Model, threads: int) -> None:
        import torch

        warnings.filterwarnings("ignore")
        torch.set_num_threads(threads)
        torch.set_num_interop_threads(1)
        torch.set_flush_denormal(True)
        self.torch: Any = torch
        self.model: Any = transformers_model(model.folder)
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
