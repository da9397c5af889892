"""DeBERTa v2 and v3."""

from __future__ import annotations

from family_case import Case, Fields, sizes

_DEBERTA = {"relative_attention": True, "position_buckets": 16, "pos_att_type": ["c2p", "p2c"]}
CASES = [
    Case("deberta", sizes(64, 4, 2, 96, max_position_embeddings=160, **_DEBERTA), "DebertaV2Model"),
    Case(
        "deberta-shared",
        sizes(51, 3, 3, 70, share_att_key=True, norm_rel_ebd="layer_norm", position_biased_input=False,
              max_position_embeddings=200, type_vocab_size=2, **_DEBERTA | {"pos_att_type": "p2c|c2p"}),
        "DebertaV2Model",
    ),
    Case("deberta-c2p", sizes(48, 2, 2, 33, **_DEBERTA | {"pos_att_type": ["c2p"]}), "DebertaV2Model"),
    Case(
        "deberta-p2c",
        sizes(48, 3, 2, 33, layer_norm_eps=1e-3, **_DEBERTA | {"pos_att_type": ["p2c"], "position_buckets": 4}),
        "DebertaV2Model",
    ),
]  # fmt: skip
SWEPT = ["deberta-shared"]
FIELDS: dict[str, Fields] = {
    "deberta-v2": {
        "conv_kernel_size": (3,),
        "conv_act": ("gelu",),
        "conv_groups": (2,),
        "attention_head_size": (10,),
        "cls_dropout": (0.5,),
        "embedding_size": (20,),
        "max_relative_positions": (5, 30),
        "position_buckets": (4, 8, -1),
    }
}
