"""llama.cpp through the low-level calls of llama-cpp-python, token by token embeddings without pooling.

Its attention runs over the whole batch with a mask between sequences, and a batch has to fit one micro-batch.
Flash attention stays off: it rounds keys and values to half precision.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.engines.backends import Ids, Model
from bench.engines.gguf import write_gguf

_MOST_TOKENS = 4096  # beyond, the scores of one layer alone take gigabytes


class LlamaCpp:
    def convert(self, model: Model) -> None:
        target = model.cache / "f32.gguf"
        if target.exists():
            return
        model.cache.mkdir(parents=True, exist_ok=True)
        partial = target.with_suffix(f".{os.getpid()}")
        write_gguf(model.folder, partial)
        partial.replace(target)

    def load(self, model: Model, threads: int) -> None:
        from llama_cpp import llama_cpp

        self.library: Any = llama_cpp
        self.threads = threads
        # Kept alive: the library calls it for every message.
        self.silence = llama_cpp.llama_log_callback(lambda level, text, data: None)
        llama_cpp.llama_log_set(self.silence, None)
        llama_cpp.llama_backend_init()
        self.model: Any = llama_cpp.llama_model_load_from_file(
            str(model.cache / "f32.gguf").encode(), llama_cpp.llama_model_default_params()
        )
        if not self.model:
            raise RuntimeError("llama.cpp could not load the GGUF file")
        self.hidden = llama_cpp.llama_model_n_embd(self.model)
        self.contexts: dict[int, Any] = {}

    def context(self, tokens: int) -> Any:
        """A context whose micro-batch holds `tokens`, in powers of two."""
        capacity = max(512, 1 << (tokens - 1).bit_length())
        if capacity > _MOST_TOKENS:
            raise ValueError(
                f"left out: {tokens} tokens in one batch, its attention is quadratic in the batch"
            )
        if capacity not in self.contexts:
            library = self.library
            params = library.llama_context_default_params()
            params.n_ctx = params.n_batch = params.n_ubatch = capacity
            params.n_seq_max = min(256, library.llama_max_parallel_sequences())
            params.n_threads = params.n_threads_batch = self.threads
            params.type_k = params.type_v = 0  # float32; keys and values would be rounded to half precision
            params.embeddings, params.kv_unified = True, True
            params.pooling_type = library.LLAMA_POOLING_TYPE_NONE
            params.flash_attn_type = library.LLAMA_FLASH_ATTN_TYPE_DISABLED
            context = library.llama_init_from_model(self.model, params)
            if not context:
                raise RuntimeError(f"llama.cpp could not make a context for {capacity} tokens")
            self.contexts[capacity] = context
        return self.contexts[capacity]

    def pack(self, batch: Sequence[Ids]) -> Any:
        tokens = sum(len(ids) for ids in batch)
        context = self.context(tokens)
        packed = self.library.llama_batch_init(tokens, 0, 1)
        packed.n_tokens = tokens
        rows = (
            (number, place, int(token)) for number, ids in enumerate(batch) for place, token in enumerate(ids)
        )
        for i, (number, place, token) in enumerate(rows):
            packed.token[i], packed.pos[i], packed.logits[i] = token, place, 1
            packed.n_seq_id[i], packed.seq_id[i][0] = 1, number
        return context, packed

    def run(self, packed: Any) -> Any:
        context, batch = packed
        # A causal model has memory for what it has read, which is empty before each work.
        if memory := self.library.llama_get_memory(context):
            self.library.llama_memory_clear(memory, False)
            status = self.library.llama_decode(context, batch)
        else:
            status = self.library.llama_encode(context, batch)
        if status != 0:
            raise RuntimeError(f"llama.cpp returned {status}")
        return self.library.llama_get_embeddings(context)

    def rows(self, result: Any, lengths: Sequence[int]) -> NDArray[np.float32]:
        shape = (sum(lengths), self.hidden)
        return np.array(np.ctypeslib.as_array(result, shape=shape), dtype=np.float32)


def create(form: str) -> LlamaCpp:
    return LlamaCpp()
