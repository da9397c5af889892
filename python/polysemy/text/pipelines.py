"""What a tokenizer does to a text before and after its vocabulary, for each kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .kinds import TokenizerKind
from .settings import TokenizerSettings

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["set_pipeline"]

_SPACE = "\u2581"
_CLIP_WORDS = (
    r"""<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"""
)


def set_pipeline(
    tokenizer: Tokenizer, kind: TokenizerKind, settings: TokenizerSettings, charsmap: bytes
) -> None:
    """Give a tokenizer that has only its vocabulary a normalizer and a pre-tokenizer.

    ``charsmap`` is SentencePiece's table of replacements, or empty.
    """
    from tokenizers import Regex, normalizers, pre_tokenizers

    precompiled: list[Any] = [normalizers.Precompiled(charsmap)] if charsmap else []
    prefix = settings.flag("add_prefix_space", default=kind.model == "Unigram")
    match kind.name:
        case "bert" | "mpnet":
            tokenizer.normalizer = normalizers.BertNormalizer(
                clean_text=True,
                handle_chinese_chars=settings.flag("tokenize_chinese_chars", default=True),
                strip_accents=settings.optional_flag("strip_accents"),
                lowercase=settings.flag("do_lower_case", default=True),
            )
            tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        case "roberta":
            tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
        case "clip":
            tokenizer.normalizer = normalizers.Sequence(
                [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
            )
            tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
                [
                    pre_tokenizers.Split(Regex(_CLIP_WORDS), behavior="removed", invert=True),
                    pre_tokenizers.ByteLevel(add_prefix_space=False),
                ]
            )
        case "deberta-v2":
            lower = [normalizers.Lowercase()] if settings.flag("do_lower_case", default=False) else []
            spaces = normalizers.Replace(Regex(r"\s{2,}|[\n\r\t]"), " ")
            tokenizer.normalizer = normalizers.Sequence(
                [*lower, spaces, normalizers.NFC(), normalizers.Strip(left=False, right=True)]
            )
            marks = pre_tokenizers.Metaspace(
                replacement=_SPACE, prepend_scheme="always" if prefix else "first"
            )
            punctuation = settings.flag("split_by_punct", default=False)
            split = [pre_tokenizers.Punctuation(behavior="isolated")] if punctuation else []
            tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*split, marks])
        case _:
            steps = _albert_steps(settings) if kind.name == "albert" else []
            if steps or precompiled:
                tokenizer.normalizer = normalizers.Sequence([*steps, *precompiled])
            scheme = "always" if prefix or kind.name == "t5" else "never"
            tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
                [
                    pre_tokenizers.WhitespaceSplit(),
                    pre_tokenizers.Metaspace(replacement=_SPACE, prepend_scheme=scheme),
                ]
            )


def _albert_steps(settings: TokenizerSettings) -> list[Any]:
    from tokenizers import normalizers

    steps: list[Any] = [normalizers.Replace("``", '"'), normalizers.Replace("''", '"')]
    if not settings.flag("keep_accents", default=False):
        steps += [normalizers.NFKD(), normalizers.StripAccents()]
    if settings.flag("do_lower_case", default=True):
        steps.append(normalizers.Lowercase())
    return steps
