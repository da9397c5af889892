"""OpenVINO's CPU plugin on the graph of graph.py, in float32, as it comes, or quantised by NNCF."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.engines.backends import Ids, Model, pad, unpad
from bench.engines.backends.onnxruntime_ import onnx_file

_CALIBRATION_TEXTS = 300


def _feed(ids: NDArray[np.int64], mask: NDArray[np.int64] | None) -> dict[str, NDArray[np.int64]]:
    feed = {"input_ids": ids, "token_type_ids": np.zeros_like(ids)}
    return feed if mask is None else feed | {"attention_mask": mask}


def _quantised(graph: Any, model: Model, form: str, *, masked: bool) -> Any:
    import nncf
    from polysemy.encoding.loading import load_model

    from bench.texts import load

    if form == "int8-weights":
        return nncf.compress_weights(graph, mode=nncf.CompressWeightsMode.INT8_ASYM)
    encodings = load_model(model.folder).tokenizer.encode(load()[:_CALIBRATION_TEXTS], spans=False)
    texts = [np.array([encoding.ids], np.int64) for encoding in encodings]
    data = nncf.Dataset([_feed(ids, np.ones_like(ids) if masked else None) for ids in texts])
    return nncf.quantize(
        graph,
        data,
        model_type=nncf.ModelType.TRANSFORMER,
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=_CALIBRATION_TEXTS,
    )


def graph_file(model: Model, form: str, *, masked: bool) -> Path:
    """The file that OpenVINO reads for a form, made on first use."""
    plain = onnx_file(model, "plain", masked=masked)
    if not form.startswith("int8"):
        return plain
    target = model.cache / f"openvino-{form}-{'masked' if masked else 'unmasked'}.xml"
    if not target.exists():
        import openvino

        made = _quantised(openvino.Core().read_model(plain), model, form, masked=masked)
        partial = target.with_suffix(".partial.xml")
        openvino.save_model(made, partial, compress_to_fp16=False)
        partial.with_suffix(".bin").replace(target.with_suffix(".bin"))
        partial.replace(target)
    return target


class OpenVino:
    def __init__(self, form: str) -> None:
        self.form = form

    def convert(self, model: Model) -> None:
        for masked in (True, False):
            graph_file(model, self.form, masked=masked)

    def load(self, model: Model, threads: int) -> None:
        import openvino

        self.core: Any = openvino.Core()
        self.model = model
        self.options: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": "1",
            "INFERENCE_NUM_THREADS": threads,
            "CPU_DENORMALS_OPTIMIZATION": True,
        }
        if self.form == "float32":
            self.options["INFERENCE_PRECISION_HINT"] = "f32"  # the default is bfloat16 where the CPU has it
        if self.form == "int8-weights":
            self.options["DYNAMIC_QUANTIZATION_GROUP_SIZE"] = "32"
        self.requests: dict[bool, Any] = {}
        if self.form == "bfloat16":
            self.request(masked=False)  # the choice shows when it is compiled: refuse it before any work

    def request(self, masked: bool) -> Any:
        """The compiled graph with or without a mask input, loaded on first use."""
        if masked not in self.requests:
            graph = self.core.read_model(graph_file(self.model, self.form, masked=masked))
            compiled = self.core.compile_model(graph, "CPU", self.options)
            chosen = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
            if self.form == "bfloat16" and chosen != "bf16":
                raise RuntimeError(f"as it comes it computes in {chosen} on this CPU")
            self.requests[masked] = compiled.create_infer_request()
        return self.requests[masked]

    def pack(self, batch: Sequence[Ids]) -> Any:
        ids, mask = pad(batch)
        return self.request(mask is not None), _feed(ids, mask)

    def run(self, packed: Any) -> Any:
        request, feed = packed
        return request.infer(feed, share_inputs=True, share_outputs=True)[0]

    def rows(self, result: Any, lengths: Sequence[int]) -> NDArray[np.float32]:
        return unpad(result, lengths)


def create(form: str) -> OpenVino:
    return OpenVino(form)
