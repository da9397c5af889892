"""OpenVINO's CPU plugin on the graph of graph.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.engines.backends import Ids, Model, pad, unpad
from bench.engines.backends.onnxruntime_ import onnx_file


class OpenVino:
    def convert(self, model: Model) -> None:
        for masked in (True, False):
            onnx_file(model, "plain", masked=masked)

    def load(self, model: Model, threads: int) -> None:
        import openvino

        self.core: Any = openvino.Core()
        self.model = model
        self.options = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": "1",
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": "f32",  # the default is bfloat16 where the CPU has it
            "CPU_DENORMALS_OPTIMIZATION": True,
        }
        self.requests: dict[bool, Any] = {}

    def request(self, masked: bool) -> Any:
        """The compiled graph with or without a mask input, loaded on first use."""
        if masked not in self.requests:
            graph = self.core.read_model(onnx_file(self.model, "plain", masked=masked))
            self.requests[masked] = self.core.compile_model(graph, "CPU", self.options).create_infer_request()
        return self.requests[masked]

    def pack(self, batch: Sequence[Ids]) -> Any:
        ids, mask = pad(batch)
        feed = {"input_ids": ids, "token_type_ids": np.zeros_like(ids)}
        if mask is not None:
            feed["attention_mask"] = mask
        return self.request(mask is not None), feed

    def run(self, packed: Any) -> Any:
        request, feed = packed
        return request.infer(feed, share_inputs=True, share_outputs=True)[0]

    def rows(self, result: Any, lengths: Sequence[int]) -> NDArray[np.float32]:
        return unpad(result, lengths)


def create(form: str) -> OpenVino:
    return OpenVino()
