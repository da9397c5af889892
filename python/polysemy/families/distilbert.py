"""DistilBERT: BERT's graph without token types, under other names.

Sanh et al., "DistilBERT, a distilled version of BERT: smaller, faster, cheaper and lighter", 2019.
"""

from __future__ import annotations

from ..model.spec import EncoderSpec
from .bert import refuse_variants
from .config import Config
from .family import Family, with_parameters

__all__ = ["FAMILY"]


def _spec(config: Config) -> EncoderSpec:
    # sinusoidal_pos_embds needs no branch: the checkpoint stores the table that it means.
    refuse_variants(config)
    hidden = config.integer("dim")
    heads = config.integer("n_heads")
    return EncoderSpec(
        hidden=hidden,
        layers=config.integer("n_layers"),
        heads=heads,
        head_dim=config.head_dim(hidden, heads),
        ffn=config.integer("hidden_dim"),
        vocab=config.integer("vocab_size"),
        max_positions=config.integer("max_position_embeddings"),
        token_types=0,
        norm_eps=1e-12,  # fixed by the architecture, not by the configuration
        activation=config.activation("activation"),
    )


def _names(spec: EncoderSpec) -> dict[str, str]:
    modules = {"embeddings.norm": "embeddings.LayerNorm"}
    for i in range(spec.layers):
        ours, theirs = f"layers.{i}", f"transformer.layer.{i}"
        modules |= {
            f"{ours}.attention.query": f"{theirs}.attention.q_lin",
            f"{ours}.attention.key": f"{theirs}.attention.k_lin",
            f"{ours}.attention.value": f"{theirs}.attention.v_lin",
            f"{ours}.attention.output": f"{theirs}.attention.out_lin",
            f"{ours}.attention.norm": f"{theirs}.sa_layer_norm",
            f"{ours}.ffn.up": f"{theirs}.ffn.lin1",
            f"{ours}.ffn.down": f"{theirs}.ffn.lin2",
            f"{ours}.ffn.norm": f"{theirs}.output_layer_norm",
        }
    return {
        "embeddings.token": "embeddings.word_embeddings.weight",
        "embeddings.position": "embeddings.position_embeddings.weight",
    } | with_parameters(modules)


FAMILY = Family(
    model_types=("distilbert",),
    spec=_spec,
    names=_names,
    prefixes=("distilbert.",),
    ignored=(
        "vocab_transform.",
        "vocab_layer_norm.",
        "vocab_projector.",
        "pre_classifier.",
        "classifier.",
        "qa_outputs.",
    ),
)
