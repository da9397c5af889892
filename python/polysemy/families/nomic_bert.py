"""Nomic BERT: BERT's graph with rotary positions and a gated feed-forward, v1 and v1.5.

Nussbaum et al., "Nomic Embed: Training a Reproducible Long Context Text Embedder", 2024. There are two spellings of
configuration and tensors: that of the published checkpoints, and that of transformers, whose files mix them.
"""

from __future__ import annotations

import math

from ..errors import UnsupportedModelError
from ..model.rotary import rotary_frequencies
from ..model.spec import (
    Activation,
    AttentionSpec,
    EmbeddingSpec,
    EncoderSpec,
    FeedForwardSpec,
    LayerSpec,
    Norm,
    NormSpec,
    RotarySpec,
)
from .config import Config
from .family import LLAMA_LINEAR, Family, Names, either, fused_names, layer_names, with_parameters
from .rope import with_rotary

__all__ = ["FAMILY", "native_names"]

_GATES = {"swiglu": Activation.SILU, "geglu": Activation.GELU_ERF}


def _either_spelling(config: Config) -> EncoderSpec:
    config.require("moe_every_n_layers", -1, 0)
    return _published(config) if config.has("n_embd") else _native(config)


def _published(config: Config) -> EncoderSpec:
    """With the field names of GPT-2, from which the configuration descends."""
    for name in ("prenorm", "parallel_block", "use_rms_norm", "causal", "rotary_emb_interleaved"):
        config.require(name, False)
    for name in ("rotary_emb_scale_base", "rotary_scaling_factor"):
        config.require(name)
    config.require("scale_attn_weights", True)
    config.require("scale_attn_by_inverse_layer_idx", False)
    config.require("activation_function", *_GATES)
    if config.number("rotary_emb_fraction", 0.0) != 1.0:
        raise UnsupportedModelError(f"{config.source}: rotary_emb_fraction must be 1.0, all of each head")
    hidden, heads = config.integer("n_embd"), config.integer("n_head")
    head_dim = config.head_dim(hidden, heads)
    bias = config.switch("qkv_proj_bias", True)
    return _spec(
        config,
        hidden,
        AttentionSpec(
            heads,
            kv_heads=heads,
            head_dim=head_dim,
            scale=1.0 / math.sqrt(head_dim),
            bias=bias,
            output_bias=bias,
            rotary=RotarySpec(rotary_frequencies(head_dim, config.number("rotary_emb_base", 10_000.0))),
        ),
        FeedForwardSpec(
            config.integer("n_inner"),
            _GATES[config.text("activation_function")],
            gated=True,
            up_bias=config.switch("mlp_fc1_bias", True),
            down_bias=config.switch("mlp_fc2_bias", True),
        ),
        layers=config.layers("n_layer"),
        longest=config.integer("n_positions"),
        eps=config.number("layer_norm_epsilon", 1e-5),
    )


def _native(config: Config) -> EncoderSpec:
    """With the field names of transformers."""
    hidden, heads = config.integer("hidden_size"), config.integer("num_attention_heads")
    head_dim = config.size("head_dim") if config.has("head_dim") else config.head_dim(hidden, heads)
    attention = AttentionSpec(
        heads,
        kv_heads=heads,
        head_dim=head_dim,
        scale=1.0 / math.sqrt(head_dim),
        bias=False,
        output_bias=False,
    )
    return _spec(
        config,
        hidden,
        with_rotary(config, attention, 1000.0),
        FeedForwardSpec(
            config.integer("intermediate_size"),
            config.activation("hidden_act", "silu"),
            gated=True,
            up_bias=False,
            down_bias=False,
        ),
        layers=config.layers("num_hidden_layers"),
        longest=config.integer("max_position_embeddings"),
        eps=config.number("layer_norm_eps", 1e-12),
    )


def _spec(
    config: Config,
    hidden: int,
    attention: AttentionSpec,
    ffn: FeedForwardSpec,
    *,
    layers: int,
    longest: int,
    eps: float,
) -> EncoderSpec:
    norm = NormSpec(Norm.LAYER, eps, bias=True)
    return EncoderSpec(
        hidden=hidden,
        max_positions=longest,
        embedding=EmbeddingSpec(
            config.integer("vocab_size"), hidden, token_types=config.integer("type_vocab_size", 2), norm=norm
        ),
        layers=LayerSpec(attention, ffn, attn_out=norm, ffn_out=norm).times(layers),
    )


def native_names(spec: EncoderSpec) -> dict[str, Names]:
    """What transformers calls the tensors of this graph, here and in GTE."""
    layers = layer_names(
        spec,
        "layers.{}",
        {
            **LLAMA_LINEAR,
            "attn_out": "post_attention_layernorm",
            "ffn_out": "post_mlp_layernorm",
        },
    )
    return {
        "embeddings.token": "embeddings.word_embeddings.weight",
        "embeddings.type": "embeddings.token_type_embeddings.weight",
        **with_parameters({"embeddings.norm": "embeddings.LayerNorm"} | layers),
    }


def _published_names(spec: EncoderSpec) -> dict[str, Names]:
    layers = layer_names(
        spec,
        "encoder.layers.{}",
        {
            "attention.output": "attn.out_proj",
            "attn_out": "norm1",
            "ffn.gate": "mlp.fc12",  # this one goes through the activation
            "ffn.up": "mlp.fc11",
            "ffn.down": "mlp.fc2",
            "ffn_out": "norm2",
        },
    )
    fused = fused_names(
        spec, "encoder.layers.{}.attn.Wqkv", ("attention.query", "attention.key", "attention.value")
    )
    return {**with_parameters({"embeddings.norm": "emb_ln"} | layers), **fused}


FAMILY = Family(
    model_types=("nomic_bert",),
    spec=_either_spelling,
    names=lambda spec: either(native_names(spec), _published_names(spec)),
    prefixes=("bert.", "nomic_bert."),
    ignored=("pooler.", "cls.", "classifier.", "lm_head."),
    remote=("NomicBertModel",),
)
