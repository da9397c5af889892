"""BERT: learned absolute positions, token types, post-norm, GELU.

Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding", 2019.
"""

from __future__ import annotations

from ..model.spec import EncoderSpec
from .config import Config
from .family import Family, with_parameters

__all__ = ["FAMILY", "bert_names", "bert_spec"]


def refuse_variants(config: Config) -> None:
    """Raise on fields by which a configuration of this shape asks for another graph."""
    config.require("position_embedding_type", "absolute")
    config.require("is_decoder", False)
    config.require("add_cross_attention", False)
    config.require("pruned_heads", {})
    config.require("feed_forward_type", "original")
    config.require("quantization_config")
    config.require("auto_map")  # code that comes with the checkpoint replaces the graph


def bert_spec(config: Config, *, position_offset: int = 0, default_eps: float = 1e-12) -> EncoderSpec:
    """The spec of a configuration with BERT's fields; ``position_offset`` rows of the table are skipped."""
    refuse_variants(config)
    hidden = config.integer("hidden_size")
    heads = config.integer("num_attention_heads")
    return EncoderSpec(
        hidden=hidden,
        layers=config.integer("num_hidden_layers"),
        heads=heads,
        head_dim=config.head_dim(hidden, heads),
        ffn=config.integer("intermediate_size"),
        vocab=config.integer("vocab_size"),
        max_positions=config.integer("max_position_embeddings") - position_offset,
        position_offset=position_offset,
        token_types=config.integer("type_vocab_size", 2),
        norm_eps=config.number("layer_norm_eps", default_eps),
        activation=config.activation("hidden_act"),
    )


def bert_names(spec: EncoderSpec) -> dict[str, str]:
    """The tensor names that BERT and its direct relatives share."""
    names = {
        "embeddings.token": "embeddings.word_embeddings.weight",
        "embeddings.position": "embeddings.position_embeddings.weight",
    }
    if spec.token_types:
        names["embeddings.type"] = "embeddings.token_type_embeddings.weight"
    modules = {"embeddings.norm": "embeddings.LayerNorm"}
    for i in range(spec.layers):
        ours, theirs = f"layers.{i}", f"encoder.layer.{i}"
        modules |= {
            f"{ours}.attention.query": f"{theirs}.attention.self.query",
            f"{ours}.attention.key": f"{theirs}.attention.self.key",
            f"{ours}.attention.value": f"{theirs}.attention.self.value",
            f"{ours}.attention.output": f"{theirs}.attention.output.dense",
            f"{ours}.attention.norm": f"{theirs}.attention.output.LayerNorm",
            f"{ours}.ffn.up": f"{theirs}.intermediate.dense",
            f"{ours}.ffn.down": f"{theirs}.output.dense",
            f"{ours}.ffn.norm": f"{theirs}.output.LayerNorm",
        }
    return names | with_parameters(modules)


FAMILY = Family(
    model_types=("bert",),
    spec=bert_spec,
    names=bert_names,
    prefixes=("bert.",),
    ignored=("pooler.", "cls.", "classifier.", "qa_outputs."),
)
