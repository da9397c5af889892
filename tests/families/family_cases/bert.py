"""BERT."""

from __future__ import annotations

from family_case import bert, sizes

CASES = [
    bert("bert", "BertModel", **sizes(64, 4, 3, 96)),
    bert("bert-narrow-heads", "BertModel", **sizes(60, 12, 2, 100, hidden_act="gelu_new")),
    bert("bert-odd-heads", "BertModel", **sizes(51, 3, 2, 33, hidden_act="relu", layer_norm_eps=1e-5)),
    bert("bert-one-wide-head", "BertModel", **sizes(96, 1, 1, 17, hidden_act="silu", type_vocab_size=1)),
    bert("bert-quick-gelu", "BertModel", **sizes(32, 2, 2, 64, hidden_act="quick_gelu")),
]  # fmt: skip
SWEPT = ["bert"]
