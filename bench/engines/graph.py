"""A BERT checkpoint as an ONNX graph, written node by node.

Exporters change their output from release to release, and with it what the optimisers of the engines
recognise. This graph has the form that those optimisers look for (reshape, transpose, matmul, scale, softmax
for attention; div, erf, add, mul, mul for GELU; LayerNormalization of opset 17), so every fusion of theirs
applies, and nobody needs torch to make it.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
_OPSET = 17


class _Graph:
    """Collects nodes and constants; every method returns the name of a value."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: dict[str, NDArray[Any]] = {}

    def constant(self, name: str, value: NDArray[Any]) -> str:
        self.constants.setdefault(name, value)
        return name

    def node(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        from onnx import helper

        name = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name + "_out"], name=name, **attributes))
        return name + "_out"

    def scalar(self, value: float) -> str:
        return self.constant(f"scalar_{value!r}", np.array(value, dtype=np.float32))

    def indices(self, *values: int) -> str:
        return self.constant("indices_" + "_".join(map(str, values)), np.array(values, dtype=np.int64))


class _Bert:
    def __init__(self, config: dict[str, Any], weights: dict[str, NDArray[np.float32]]) -> None:
        self.config, self.weights, self.graph = config, weights, _Graph()

    def weight(self, name: str, *, transpose: bool = False) -> str:
        value = self.weights[name].astype(np.float32, copy=False)
        return self.graph.constant(name, np.ascontiguousarray(value.T) if transpose else value)

    def linear(self, x: str, name: str) -> str:
        product = self.graph.node("MatMul", [x, self.weight(f"{name}.weight", transpose=True)])
        return self.graph.node("Add", [self.weight(f"{name}.bias"), product])

    def norm(self, x: str, name: str) -> str:
        inputs = [x, self.weight(f"{name}.weight"), self.weight(f"{name}.bias")]
        epsilon = float(self.config.get("layer_norm_eps", 1e-12))
        return self.graph.node("LayerNormalization", inputs, axis=-1, epsilon=epsilon)

    def embeddings(self) -> str:
        g = self.graph
        words = g.node("Gather", [self.weight("embeddings.word_embeddings.weight"), "input_ids"])
        types = g.node("Gather", [self.weight("embeddings.token_type_embeddings.weight"), "token_type_ids"])
        length = g.node("Gather", [g.node("Shape", ["input_ids"]), g.constant("one", np.array(1))], axis=0)
        ends = g.node("Unsqueeze", [length, g.indices(0)])
        positions = np.arange(self.config["max_position_embeddings"], dtype=np.int64)[None]
        ids = g.node(
            "Slice",
            [
                g.constant("positions", positions),
                g.indices(0),
                ends,
                g.indices(1),
                g.constant("step", np.array([1])),
            ],
        )
        places = g.node("Gather", [self.weight("embeddings.position_embeddings.weight"), ids])
        total = g.node("Add", [g.node("Add", [words, types]), places])
        return self.norm(total, "embeddings.LayerNorm")

    def additive_mask(self) -> str:
        g = self.graph
        wide = g.node("Unsqueeze", [g.node("Unsqueeze", ["attention_mask", g.indices(1)]), g.indices(2)])
        from onnx import TensorProto

        number = g.node("Cast", [wide], to=TensorProto.FLOAT)
        inverse = g.node("Sub", [g.scalar(1.0), number])
        return g.node("Mul", [inverse, g.scalar(float(np.finfo(np.float32).min))])

    def heads(self, x: str, order: tuple[int, ...]) -> str:
        heads = self.config["num_attention_heads"]
        shape = self.graph.indices(0, 0, heads, self.config["hidden_size"] // heads)
        return self.graph.node("Transpose", [self.graph.node("Reshape", [x, shape])], perm=order)

    def attention(self, x: str, prefix: str, mask: str | None) -> str:
        g, hidden = self.graph, self.config["hidden_size"]
        query = self.heads(self.linear(x, f"{prefix}.self.query"), (0, 2, 1, 3))
        key = self.heads(self.linear(x, f"{prefix}.self.key"), (0, 2, 3, 1))
        value = self.heads(self.linear(x, f"{prefix}.self.value"), (0, 2, 1, 3))
        scale = math.sqrt(hidden // self.config["num_attention_heads"])
        scores = g.node("Div", [g.node("MatMul", [query, key]), g.scalar(scale)])
        if mask is not None:
            scores = g.node("Add", [scores, mask])
        mixed = g.node("MatMul", [g.node("Softmax", [scores], axis=-1), value])
        flat = g.node("Reshape", [g.node("Transpose", [mixed], perm=(0, 2, 1, 3)), g.indices(0, 0, hidden)])
        return self.linear(flat, f"{prefix}.output.dense")

    def gelu(self, x: str) -> str:
        g = self.graph
        error = g.node("Erf", [g.node("Div", [x, g.scalar(math.sqrt(2.0))])])
        return g.node("Mul", [g.node("Mul", [x, g.node("Add", [error, g.scalar(1.0)])]), g.scalar(0.5)])

    def build(self, masked: bool) -> str:
        g = self.graph
        x = self.embeddings()
        mask = self.additive_mask() if masked else None
        for i in range(self.config["num_hidden_layers"]):
            layer = f"encoder.layer.{i}"
            mixed = self.attention(x, f"{layer}.attention", mask)
            x = self.norm(g.node("Add", [mixed, x]), f"{layer}.attention.output.LayerNorm")
            inner = self.gelu(self.linear(x, f"{layer}.intermediate.dense"))
            x = self.norm(
                g.node("Add", [self.linear(inner, f"{layer}.output.dense"), x]), f"{layer}.output.LayerNorm"
            )
        return x


def write_onnx(folder: Path, target: Path, *, masked: bool) -> None:
    """Write the encoder of the BERT checkpoint in `folder` to the file `target`.

    Inputs are int64 [batch, length]; without `masked` the graph has no attention_mask, which is the faster
    form for a batch of equal lengths. The only output, last_hidden_state, is float32 [batch, length, hidden].
    """
    from onnx import TensorProto, helper, numpy_helper, save
    from safetensors.numpy import load_file

    config = json.loads((folder / "config.json").read_text())
    for field, built in (("model_type", "bert"), ("hidden_act", "gelu")):
        if config.get(field, built) != built:
            raise ValueError(f"ONNX graph: {field} {config[field]!r}, only {built!r} is built")
    weights = {
        name.removeprefix("bert."): value
        for file in sorted(folder.glob("*.safetensors"))
        for name, value in load_file(file).items()
    }
    bert = _Bert(config, weights)
    result = bert.build(masked)
    nodes = bert.graph.nodes
    nodes[-1].output[0] = "last_hidden_state"
    assert result.endswith("_out")
    names = INPUTS if masked else (INPUTS[0], INPUTS[2])
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "length"]) for name in names]
    shape = ["batch", "length", config["hidden_size"]]
    outputs = [helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, shape)]
    constants = [numpy_helper.from_array(value, name) for name, value in bert.graph.constants.items()]
    graph = helper.make_graph(nodes, "bert", inputs, outputs, constants)
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", _OPSET)], producer_name="polysemy.bench"
    )
    model.ir_version = 8
    save(model, str(target))
