"""RoBERTa, XLM-RoBERTa and CamemBERT."""

from __future__ import annotations

from family_case import bert, sizes

CASES = [
    bert("roberta", "RobertaModel", **sizes(64, 4, 2, 96, type_vocab_size=1)),
    bert("roberta-pad-4", "RobertaModel", **sizes(32, 4, 1, 48, pad_token_id=4)),
    bert("xlm-roberta", "XLMRobertaModel", **sizes(40, 5, 2, 64, type_vocab_size=1)),
    bert("camembert", "CamembertModel", **sizes(40, 5, 2, 64, type_vocab_size=1)),
]  # fmt: skip
SWEPT = ["roberta", "xlm-roberta", "camembert"]
