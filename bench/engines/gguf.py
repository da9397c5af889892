"""A checkpoint as a float32 GGUF file, without vocabulary: llama.cpp is given token ids."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

_BERT_LAYER = {
    "attention.self.query": "attn_q",
    "attention.self.key": "attn_k",
    "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output",
    "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up",
    "output.dense": "ffn_down",
    "output.LayerNorm": "layer_output_norm",
}
_BERT_EMBEDDINGS = {
    "embeddings.word_embeddings.weight": "token_embd.weight",
    "embeddings.position_embeddings.weight": "position_embd.weight",
    "embeddings.token_type_embeddings.weight": "token_types.weight",
    "embeddings.LayerNorm.weight": "token_embd_norm.weight",
    "embeddings.LayerNorm.bias": "token_embd_norm.bias",
}
_LLAMA_LAYER = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
_LLAMA_ENDS = {"embed_tokens.weight": "token_embd.weight", "norm.weight": "output_norm.weight"}
_LAYER = {
    "bert": _BERT_LAYER,
    "qwen3": _LLAMA_LAYER | {"post_attention_layernorm": "ffn_norm"},
    "gemma3_text": _LLAMA_LAYER
    | {
        "post_attention_layernorm": "post_attention_norm",
        "pre_feedforward_layernorm": "ffn_norm",
        "post_feedforward_layernorm": "post_ffw_norm",
    },
}
_ARCHITECTURES = {"bert": "bert", "qwen3": "qwen3", "gemma3_text": "gemma-embedding"}


def _names(config: Mapping[str, Any]) -> dict[str, str]:
    """Name in the checkpoint -> name in the file."""
    kind = config["model_type"]
    bert = kind == "bert"
    names = dict(_BERT_EMBEDDINGS if bert else _LLAMA_ENDS)
    for i in range(config["num_hidden_layers"]):
        for ours, theirs in _LAYER[kind].items():
            for part in ("weight", "bias") if bert else ("weight",):
                names[f"{'encoder.layer' if bert else 'layers'}.{i}.{ours}.{part}"] = (
                    f"blk.{i}.{theirs}.{part}"
                )
    return names


def _describe(writer: Any, config: Mapping[str, Any]) -> None:
    import gguf

    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_pooling_type(gguf.PoolingType.NONE)
    writer.add_vocab_size(config["vocab_size"])
    writer.add_tokenizer_model("no_vocab")
    if config["model_type"] == "bert":
        writer.add_layer_norm_eps(config["layer_norm_eps"])
        writer.add_causal_attention(False)
        writer.add_token_type_count(config["type_vocab_size"])
        return
    rope = config["rope_parameters"]
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(rope.get("full_attention", rope)["rope_theta"])
    if config["model_type"] == "gemma3_text":
        writer.add_sliding_window(2 * config["sliding_window"])  # the file of transformers has half of it


def write_gguf(folder: Path, target: Path) -> None:
    import gguf
    from safetensors.numpy import load_file

    config = json.loads((folder / "config.json").read_text())
    kind = config["model_type"]
    weights = {
        name.removeprefix("bert."): value for name, value in load_file(folder / "model.safetensors").items()
    }
    writer = gguf.GGUFWriter(str(target), _ARCHITECTURES[kind])
    _describe(writer, config)
    for ours, theirs in _names(config).items():
        # Gemma's norms are stored as their distance from 1.
        away = np.float32(kind == "gemma3_text" and theirs.endswith("norm.weight"))
        writer.add_tensor(theirs, np.ascontiguousarray(weights[ours] + away, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
