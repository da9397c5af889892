"""ONNX Runtime on the graph of graph.py: plain, fused by onnxruntime.transformers, quantised; or as torch exports."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.engines.backends import Ids, Model, pad, unpad


def _fuse(source: Path, target: Path, config: dict[str, Any], *, mha: bool, masked: bool) -> None:
    from onnxruntime.transformers import optimizer
    from onnxruntime.transformers.fusion_options import FusionOptions

    logging.disable(logging.WARNING)
    options = FusionOptions("bert")
    options.use_multi_head_attention = mha
    # The fusion of the embeddings looks for MultiHeadAttention's mask and fails where there is none.
    options.enable_embed_layer_norm = masked or not mha
    model = optimizer.optimize_model(
        str(source), "bert", config["num_attention_heads"], config["hidden_size"], options, opt_level=0
    )
    wanted = "MultiHeadAttention" if mha else "Attention"
    found = model.get_fused_operator_statistics()
    if found.get(wanted, 0) != config["num_hidden_layers"]:
        raise RuntimeError(f"ONNX Runtime's optimiser fused {found}, expected {wanted} in every layer")
    model.save_model_to_file(str(target))


_QUANTISATIONS: dict[str, dict[str, Any]] = {
    "int8": {},
    "int8-channels": {"per_channel": True},
    # Without VNNI, sums of two products of 8 bits saturate in 16; those of 7 bits don't.
    "int8-channels-7bit": {"per_channel": True, "reduce_range": True},
}


def _quantise(source: Path, target: Path, options: dict[str, Any]) -> None:
    from onnx import TensorProto
    from onnxruntime.quantization import quantize_dynamic

    logging.disable(logging.WARNING)
    # Types of what its own fused nodes return are not inferred.
    quantize_dynamic(source, target, extra_options={"DefaultTensorType": TensorProto.FLOAT}, **options)


def onnx_file(model: Model, form: str, *, masked: bool) -> Path:
    """The ONNX file of a form ("plain", "fused", "mha", or one of int8), built on first use."""
    target = model.cache / f"{form}-{'masked' if masked else 'unmasked'}.onnx"
    if target.exists():
        return target
    model.cache.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(f".{os.getpid()}")
    if form == "plain":
        from bench.engines.graph import write_onnx

        write_onnx(model.folder, partial, masked=masked)
    elif form in _QUANTISATIONS:
        _quantise(onnx_file(model, "fused", masked=masked), partial, _QUANTISATIONS[form])
    else:
        config = json.loads((model.folder / "config.json").read_text())
        _fuse(onnx_file(model, "plain", masked=masked), partial, config, mha=form == "mha", masked=masked)
    partial.replace(target)
    return target


def exported_file(model: Model, shape: tuple[int, int]) -> Path:
    """The ONNX file that torch makes of the model for ids of this shape, on first use."""
    target = model.cache / f"exported-{shape[0]}x{shape[1]}" / "model.onnx"
    if target.exists():
        return target
    import torch

    from bench.engines.backends.torch_ import transformers_model

    class LastHiddenState(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = transformers_model(model.folder)

        def forward(self, input_ids: Any) -> Any:
            return self.inner(input_ids=input_ids).last_hidden_state

    partial = target.parent.with_suffix(f".{os.getpid()}")
    partial.mkdir(parents=True)
    with torch.no_grad():
        torch.onnx.export(
            LastHiddenState().eval(), (torch.ones(shape, dtype=torch.int64),), partial / target.name,
            input_names=["input_ids"], dynamo=True, verbose=False,
        )  # fmt: skip
    partial.replace(target.parent)
    return target


class OnnxRuntime:
    def __init__(self, form: str) -> None:
        self.form = form

    def convert(self, model: Model) -> None:
        if self.form == "exported":
            return  # a file for each shape of a batch
        for masked in (True, False):
            onnx_file(model, self.form, masked=masked)

    def load(self, model: Model, threads: int) -> None:
        import onnxruntime

        self.library: Any = onnxruntime
        self.model = model
        options = self.options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.log_severity_level = 3
        options.add_session_config_entry("session.set_denormal_as_zero", "1")
        options.add_session_config_entry("session.intra_op.allow_spinning", "1")
        self.sessions: dict[Path, Any] = {}

    def session(self, shape: tuple[int, int], masked: bool) -> Any:
        """The session for a batch of this shape, with or without a mask input, loaded on first use."""
        if self.form == "exported":
            file = exported_file(self.model, shape)
        else:
            file = onnx_file(self.model, self.form, masked=masked)
        if file not in self.sessions:
            self.sessions[file] = self.library.InferenceSession(
                str(file), self.options, providers=["CPUExecutionProvider"]
            )
        return self.sessions[file]

    def pack(self, batch: Sequence[Ids]) -> Any:
        ids, mask = pad(batch)
        session = self.session(ids.shape, mask is not None)
        values = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        feed = {}
        for item in session.get_inputs():  # the fusion narrows them to int32
            feed[item.name] = np.asarray(values[item.name], np.int32 if "int32" in item.type else np.int64)
        return session, feed

    def run(self, packed: Any) -> Any:
        session, feed = packed
        return session.run(None, feed)[0]

    def rows(self, result: Any, lengths: Sequence[int]) -> NDArray[np.float32]:
        return unpad(result, lengths)


def create(form: str) -> OnnxRuntime:
    return OnnxRuntime(form)
