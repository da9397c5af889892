"""DistilBERT: BERT's graph without token types, under other names.

Sanh et al., "DistilBERT, a distilled version of BERT: smaller, faster, cheaper and lighter", 2019.
"""

from __future__ import annotations

from ..model.heads import HeadKind, HeadSpec, LinearSpec, NormLayerSpec, VocabularySpec
from ..model.spec import Activation, EmbeddingSpec, EncoderSpec, Norm, NormSpec, Pooling
from .bert import post_norm_layer, refuse_variants, token_heads
from .config import Config
from .family import Family, layer_names, with_parameters

__all__ = ["FAMILY"]


# Fixed by the architecture, not by the configuration.
_NORM = NormSpec(Norm.LAYER, 1e-12, bias=True)


def _spec(config: Config) -> EncoderSpec:
    # sinusoidal_pos_embds needs no branch: the checkpoint stores the table that it means.
    refuse_variants(config)
    hidden = config.integer("dim")
    heads = config.integer("n_heads")
    layer = post_norm_layer(
        heads,
        config.head_dim(hidden, heads),
        config.integer("hidden_dim"),
        config.activation("activation"),
        _NORM,
    )
    return EncoderSpec(
        hidden=hidden,
        max_positions=config.integer("max_position_embeddings"),
        embedding=EmbeddingSpec(vocab=config.integer("vocab_size"), width=hidden, positions=True, norm=_NORM),
        layers=layer.times(config.layers("n_layers")),
    )


def _names(spec: EncoderSpec) -> dict[str, str]:
    layers = layer_names(
        spec,
        "transformer.layer.{}",
        {
            "attention.query": "attention.q_lin",
            "attention.key": "attention.k_lin",
            "attention.value": "attention.v_lin",
            "attention.output": "attention.out_lin",
            "attn_out": "sa_layer_norm",
            "ffn.up": "ffn.lin1",
            "ffn.down": "ffn.lin2",
            "ffn_out": "output_layer_norm",
        },
    )
    return {
        "embeddings.token": "embeddings.word_embeddings.weight",
        "embeddings.position": "embeddings.position_embeddings.weight",
    } | with_parameters({"embeddings.norm": "embeddings.LayerNorm"} | layers)


def _heads(config: Config) -> dict[HeadKind, HeadSpec]:
    return token_heads() | {
        HeadKind.SEQUENCE: HeadSpec(
            (LinearSpec("pre_classifier", Activation.RELU), LinearSpec("classifier")), Pooling.CLS
        ),
        HeadKind.MASKED: HeadSpec(
            (
                LinearSpec("vocab_transform", config.activation("activation")),
                NormLayerSpec("vocab_layer_norm", _NORM),
                VocabularySpec("vocab_projector.weight", ("vocab_projector.bias",)),
            )
        ),
    }


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
    heads=_heads,
)
