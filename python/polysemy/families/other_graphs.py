"""Fields of a ``config.json`` that mean another graph, in whatever family they turn up."""

from __future__ import annotations

from .config import Config

__all__ = ["refuse_other_graphs"]

# Name -> the values that change nothing. A family that models one asks for it, and decides by itself.
_NEUTRAL: dict[str, tuple[object, ...]] = {
    "add_cross_attention": (False,),
    "alibi": (False,),
    "attention_multiplier": (1,),
    "attention_window": (),
    "attn_logit_cap": (),
    "attn_logit_softcapping": (),
    "causal": (False,),
    "embedding_multiplier": (1,),
    "is_causal": (False,),
    "is_decoder": (False,),
    "logn_attention_scale": (False,),
    "multi_query": (False,),
    "n_routed_experts": (0, 1),
    "new_decoder_architecture": (False,),
    "num_local_experts": (0, 1),
    "parallel_attn": (False,),
    "parallel_block": (False,),
    "partial_rotary_factor": (),
    "prenorm": (False,),
    "relative_attention": (False,),
    "residual_multiplier": (1,),
    "rope_scaling": ({},),
    "rotary": (False,),
    "rotary_dim": (0,),
    "rotary_emb_fraction": (0,),
    "rotary_pct": (0,),
    "scale_attn_by_inverse_layer_idx": (False,),
    "scale_attn_weights": (True,),
    "use_alibi": (False,),
    "use_logn_attn": (False,),
    "use_parallel_residual": (False,),
    "use_rotary": (False,),
    "use_rotary_embeddings": (False,),
    "use_sliding_window": (False,),
}


def refuse_other_graphs(config: Config) -> None:
    """Raise ``UnsupportedModelError`` for such a field, unless the family has asked for it or it changes nothing."""
    for name, neutral in _NEUTRAL.items():
        if name not in config.asked:
            config.require(name, *neutral)
