"""The tokenizers that encoders use, as their classes in transformers make them from the files of a vocabulary.

A kind says which special tokens there are by default, how a pipeline is built from vocabulary and settings, and
how special tokens frame a text. A ``tokenizer.json`` has all of it; then a kind says what the settings beside it
change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any

from ..errors import TokenizerError
from ..record import record
from .settings import TokenizerSettings

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["TokenizerKind", "find_kind"]

Framing = Callable[["Tokenizer", str, str, TokenizerSettings], Any]


def bert_frame(tokenizer: Tokenizer, first: str, last: str, settings: TokenizerSettings) -> object:
    """``[CLS] a [SEP]``, and ``[CLS] a [SEP] b [SEP]`` with token type 1 from b on."""
    return _template(
        tokenizer, f"{first}:0 $A:0 {last}:0", f"{first}:0 $A:0 {last}:0 $B:1 {last}:1", first, last
    )


def roberta_frame(tokenizer: Tokenizer, first: str, last: str, settings: TokenizerSettings) -> object:
    """``<s> a </s>`` and ``<s> a </s></s> b </s>``; offsets leave out the space before a word."""
    from tokenizers.processors import RobertaProcessing

    return RobertaProcessing(
        (last, _id(tokenizer, last)),
        (first, _id(tokenizer, first)),
        settings.flag("trim_offsets", default=True),
        settings.flag("add_prefix_space", default=False),
    )


def mpnet_frame(tokenizer: Tokenizer, first: str, last: str, settings: TokenizerSettings) -> object:
    """As RoBERTa's, for words without a space before them."""
    from tokenizers.processors import RobertaProcessing

    return RobertaProcessing((last, _id(tokenizer, last)), (first, _id(tokenizer, first)), True, False)


def clip_frame(tokenizer: Tokenizer, first: str, last: str, settings: TokenizerSettings) -> object:
    """As RoBERTa's, with the offsets of whole matches."""
    from tokenizers.processors import RobertaProcessing

    return RobertaProcessing((last, _id(tokenizer, last)), (first, _id(tokenizer, first)), False, False)


def xlm_frame(tokenizer: Tokenizer, first: str, last: str, settings: TokenizerSettings) -> object:
    """``<s> a </s>`` and ``<s> a </s></s> b </s>``."""
    return _template(tokenizer, f"{first} $A {last}", f"{first} $A {last} {last} $B {last}", first, last)


def t5_frame(tokenizer: Tokenizer, first: str, last: str, settings: TokenizerSettings) -> object:
    """``a </s>`` and ``a </s> b </s>``."""
    return _template(tokenizer, f"$A {last}", f"$A {last} $B {last}", last)


def _template(tokenizer: Tokenizer, single: str, pair: str, *tokens: str) -> object:
    from tokenizers.processors import TemplateProcessing

    if any(" " in token or ":" in token or token.startswith("$") or not token for token in tokens):
        raise TokenizerError(
            f"tokenizer: special tokens must be words without blanks and colons, got {tokens}"
        )
    return TemplateProcessing(
        single=single,
        pair=pair,
        special_tokens=[(token, _id(tokenizer, token)) for token in dict.fromkeys(tokens)],
    )


def _id(tokenizer: Tokenizer, token: str) -> int:
    number = tokenizer.token_to_id(token)
    if number is None:
        raise TokenizerError(f"tokenizer: the vocabulary lacks the special token {token!r:.100}")
    return number


@record
class TokenizerKind:
    """A row: names of classes and families in transformers, and what they mean."""

    name: str
    model: str
    """The kind of model in a tokenizer.json."""
    classes: frozenset[str]
    families: frozenset[str]
    defaults: Mapping[str, str]
    """Special tokens by role."""
    ends: tuple[str, str]
    """The roles of the tokens that begin and end a text."""
    frame: Framing = field(repr=False)
    files: tuple[str, ...] = ()
    """The files of its vocabulary."""


_BERT = {
    "unk_token": "[UNK]",
    "sep_token": "[SEP]",
    "pad_token": "[PAD]",
    "cls_token": "[CLS]",
    "mask_token": "[MASK]",
}
_ROBERTA = {
    "bos_token": "<s>", "eos_token": "</s>", "sep_token": "</s>", "cls_token": "<s>", "unk_token": "<unk>",
    "pad_token": "<pad>", "mask_token": "<mask>",
}  # fmt: skip
_SPM = ("sentencepiece.bpe.model",)
_CLS_SEP = ("cls_token", "sep_token")
_BOS_EOS = ("bos_token", "eos_token")


def _row(
    name: str,
    model: str,
    classes: str,
    families: str,
    defaults: Mapping[str, str],
    ends: tuple[str, str],
    frame: Framing,
    files: tuple[str, ...],
) -> TokenizerKind:
    names = frozenset(f"{word}Tokenizer" for word in classes.split())
    return TokenizerKind(name, model, names, frozenset(families.split()), defaults, ends, frame, files)


_KINDS = (
    _row("bert", "WordPiece", "Bert DistilBert Electra MobileBert ConvBert", "bert distilbert electra ernie nomic_bert",
         _BERT, _CLS_SEP, bert_frame, ("vocab.txt",)),
    _row("mpnet", "WordPiece", "MPNet", "mpnet", _ROBERTA | {"unk_token": "[UNK]"}, _CLS_SEP, mpnet_frame,
         ("vocab.txt",)),
    _row("roberta", "BPE", "Roberta Longformer Bart", "roberta", _ROBERTA, _CLS_SEP, roberta_frame,
         ("vocab.json", "merges.txt")),
    _row("clip", "BPE", "CLIP", "clip clip_text_model",
         {"unk_token": "<|endoftext|>", "bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>",
          "pad_token": "<|endoftext|>"},
         _BOS_EOS, clip_frame, ("vocab.json", "merges.txt")),
    _row("xlm-roberta", "Unigram", "XLMRoberta", "xlm-roberta xmod gte jina_embeddings_v3", _ROBERTA, _BOS_EOS,
         xlm_frame, _SPM),
    _row("camembert", "Unigram", "Camembert", "camembert", _ROBERTA, _BOS_EOS, xlm_frame, _SPM),
    _row("albert", "Unigram", "Albert", "albert",
         _BERT | {"bos_token": "[CLS]", "eos_token": "[SEP]", "unk_token": "<unk>", "pad_token": "<pad>"}, _CLS_SEP,
         bert_frame, ("spiece.model",)),
    _row("t5", "Unigram", "T5 MT5", "t5 mt5", {"eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"},
         ("eos_token", "eos_token"), t5_frame, ("spiece.model",)),
    _row("deberta-v2", "Unigram", "DebertaV2", "deberta-v2", _BERT | {"bos_token": "[CLS]", "eos_token": "[SEP]"},
         _CLS_SEP, bert_frame, ("spm.model",)),
)  # fmt: skip


def find_kind(settings: TokenizerSettings, model_type: str) -> TokenizerKind | None:
    """The kind that the class in the settings names, or else the family of the model. None for any other."""
    name = settings.class_name()
    if name is not None:
        return next((kind for kind in _KINDS if name in kind.classes), None)
    return next((kind for kind in _KINDS if model_type in kind.families), None)
