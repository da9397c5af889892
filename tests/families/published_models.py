"""Checkpoints as their authors published them, where that differs from what `transformers` writes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn
from transformers_models import write_tokenizer

Tensors = dict[str, torch.Tensor]


def write(folder: Path, config: Mapping[str, object], tensors: Tensors) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    save_file(
        {name: tensor.float().contiguous() for name, tensor in tensors.items()}, folder / "model.safetensors"
    )
    write_tokenizer(folder)
    return folder


def nomic(config: Any, tensors: Tensors) -> tuple[dict[str, object], Tensors]:
    """The configuration and the tensors of a model of `transformers`, in the published spelling."""
    settings = {
        "model_type": "nomic_bert",
        "auto_map": {"AutoModel": "nomic-ai/nomic-bert-2048--modeling_hf_nomic_bert.NomicBertModel"},
        "n_embd": config.hidden_size,
        "n_head": config.num_attention_heads,
        "n_layer": config.num_hidden_layers,
        "n_inner": config.intermediate_size,
        "n_positions": config.max_position_embeddings,
        "vocab_size": config.vocab_size,
        "type_vocab_size": config.type_vocab_size,
        "activation_function": {"silu": "swiglu", "gelu": "geglu"}[config.hidden_act],
        "layer_norm_epsilon": config.layer_norm_eps,
        "rotary_emb_base": config.rope_parameters["rope_theta"],
        "rotary_emb_fraction": 1.0,
        "rotary_emb_interleaved": False,
        "rotary_emb_scale_base": None,
        "rotary_scaling_factor": None,
        "qkv_proj_bias": False,
        "mlp_fc1_bias": False,
        "mlp_fc2_bias": False,
        "prenorm": False,
        "causal": False,
        "moe_every_n_layers": -1,
    }
    names = {
        "embeddings.LayerNorm": "emb_ln",
        "self_attn.o_proj": "attn.out_proj",
        "post_attention_layernorm": "norm1",
        "post_mlp_layernorm": "norm2",
        "mlp.up_proj": "mlp.fc11",
        "mlp.gate_proj": "mlp.fc12",
        "mlp.down_proj": "mlp.fc2",
    }
    fused = {"attn.Wqkv": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")}
    return settings, _renamed(tensors, "layers.", "encoder.layers.", names, fused)


def gte(config: Any, tensors: Tensors) -> tuple[dict[str, object], Tensors]:
    """As `nomic`, for GTE: the model_type is "new" and its frequencies are for texts of four times the length."""
    settings = {
        "model_type": "new",
        "auto_map": {"AutoModel": "Alibaba-NLP/new-impl--modeling.NewModel"},
        "hidden_size": config.hidden_size,
        "num_attention_heads": config.num_attention_heads,
        "num_hidden_layers": config.num_hidden_layers,
        "intermediate_size": config.intermediate_size,
        "max_position_embeddings": config.max_position_embeddings,
        "vocab_size": config.vocab_size,
        "type_vocab_size": config.type_vocab_size,
        "hidden_act": config.hidden_act,
        "layer_norm_eps": config.layer_norm_eps,
        "layer_norm_type": "layer_norm",
        "position_embedding_type": "rope",
        "rope_theta": config.rope_parameters["rope_theta"],
        "rope_scaling": {"type": "ntk", "factor": 4.0},
        "logn_attention_scale": False,
        "pack_qkv": True,
    }
    names = {
        "self_attn.o_proj": "attention.o_proj",
        "post_attention_layernorm": "attn_ln",
        "post_mlp_layernorm": "mlp_ln",
    }
    fused = {
        "attention.qkv_proj": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
        "mlp.up_gate_proj": ("mlp.up_proj", "mlp.gate_proj"),
    }
    return settings, _renamed(tensors, "layers.", "encoder.layer.", names, fused)


def stretched(frequencies: torch.Tensor, dim: int, theta: float, factor: float) -> torch.Tensor:
    """What rope_scaling of type ntk makes of them: base and all frequencies change."""
    powers = (theta * factor) ** (torch.arange(0, dim, 2).float() / dim)
    assert frequencies.shape == powers.shape
    return 1.0 / powers / factor ** (2 / dim)


def _renamed(
    tensors: Tensors, theirs: str, published: str, names: dict[str, str], fused: dict[str, tuple[str, ...]]
) -> Tensors:
    result = {}
    for name in tensors:
        value = tensors[name]
        new = published + name.removeprefix(theirs) if name.startswith(theirs) else name
        for old, other in names.items():
            new = new.replace(old, other)
        for whole, parts in fused.items():
            if parts[0] in name:
                value = torch.cat([tensors[name.replace(parts[0], part)] for part in parts])
                new = new.replace(parts[0], whole)
        if not any(part in new for parts in fused.values() for part in parts):
            result[new] = value
    return result


JINA = {
    "model_type": "bert",
    "auto_map": {"AutoModel": "jinaai/jina-bert-implementation--modeling_bert.JinaBertModel"},
    "hidden_size": 60,
    "num_attention_heads": 6,
    "num_hidden_layers": 3,
    "intermediate_size": 70,
    "max_position_embeddings": 200,
    "vocab_size": 60,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-12,
    "hidden_act": "gelu",
    "position_embedding_type": "alibi",
    "feed_forward_type": "geglu",
}


class JinaBert(nn.Module):
    """Jina BERT v2 as its report describes it: attention with linear biases in both directions, and a gated unit."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        d, f = config["hidden_size"], config["intermediate_size"]
        self.heads = config["num_attention_heads"]
        self.act = {"geglu": nn.functional.gelu, "reglu": torch.relu}[config["feed_forward_type"]]
        shapes = {
            "embeddings.word_embeddings.weight": (config["vocab_size"], d),
            "embeddings.token_type_embeddings.weight": (config["type_vocab_size"], d),
            "embeddings.LayerNorm": (d,),
        }
        for i in range(config["num_hidden_layers"]):
            layer = f"encoder.layer.{i}"
            for part in ("query", "key", "value"):
                shapes |= {f"{layer}.attention.self.{part}.{kind}": s for kind, s in _linear(d, d)}
            shapes |= {f"{layer}.attention.output.dense.{kind}": s for kind, s in _linear(d, d)}
            shapes |= {f"{layer}.mlp.wo.{kind}": s for kind, s in _linear(d, f)}
            shapes[f"{layer}.mlp.gated_layers.weight"] = (2 * f, d)
            shapes |= {f"{layer}.attention.output.LayerNorm": (d,), f"{layer}.mlp.layernorm": (d,)}
        generator = torch.Generator().manual_seed(3)
        self.tensors: Tensors = {}
        for name, shape in shapes.items():
            values = torch.randn(shape, generator=generator) * (
                1.5 / shape[-1] ** 0.5 if len(shape) == 2 else 0.3
            )
            if name.lower().endswith("layernorm"):
                self.tensors[f"{name}.weight"] = values + 1
                self.tensors[f"{name}.bias"] = torch.randn(shape, generator=generator) * 0.3
            else:
                self.tensors[name] = values
        self.layers = config["num_hidden_layers"]

    def forward(self, ids: list[int], dtype: torch.dtype) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Hidden states (layers + 1) and attention weights (layers) of one text."""
        t = {name: tensor.to(dtype) for name, tensor in self.tensors.items()}

        def linear(name: str, x: torch.Tensor) -> torch.Tensor:
            return nn.functional.linear(x, t[f"{name}.weight"], t.get(f"{name}.bias"))

        def norm(name: str, x: torch.Tensor) -> torch.Tensor:
            return nn.functional.layer_norm(x, x.shape[-1:], t[f"{name}.weight"], t[f"{name}.bias"], 1e-12)

        x = t["embeddings.word_embeddings.weight"][ids] + t["embeddings.token_type_embeddings.weight"][0]
        x = norm("embeddings.LayerNorm", x)
        place = torch.arange(len(ids))
        distance = (place[None, :] - place[:, None]).abs().to(dtype)
        bias = -torch.tensor(self.slopes(), dtype=torch.float32).to(dtype)[:, None, None] * distance
        states, weights = [x], []
        for i in range(self.layers):
            layer = f"encoder.layer.{i}"
            q, k, v = (
                linear(f"{layer}.attention.self.{part}", x).unflatten(-1, (self.heads, -1)).transpose(0, 1)
                for part in ("query", "key", "value")
            )
            weights.append(torch.softmax(q @ k.transpose(1, 2) / math.sqrt(q.shape[-1]) + bias, dim=-1))
            mixed = (weights[-1] @ v).transpose(0, 1).flatten(1)
            x = norm(
                f"{layer}.attention.output.LayerNorm", x + linear(f"{layer}.attention.output.dense", mixed)
            )
            gate, up = linear(f"{layer}.mlp.gated_layers", x).chunk(2, dim=-1)
            x = norm(f"{layer}.mlp.layernorm", x + linear(f"{layer}.mlp.wo", self.act(gate) * up))
            states.append(x)
        return states, weights

    def slopes(self) -> list[float]:
        """Of six heads: those of four, and the first and third of eight."""
        assert self.heads == 6
        return [2.0**-2, 2.0**-4, 2.0**-6, 2.0**-8, 2.0**-1, 2.0**-3]


def _linear(out: int, inputs: int) -> list[tuple[str, tuple[int, ...]]]:
    return [("weight", (out, inputs)), ("bias", (out,))]
