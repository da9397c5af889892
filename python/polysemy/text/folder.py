"""From a model folder to a tokenizer: ``tokenizer.json``, or the older files, with the settings beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import _core
from ..errors import TokenizerError
from ..io.files import is_there
from ..shown import shown
from .decoding import set_decoder
from .growth import check_growth, check_table, check_tables
from .kinds import TokenizerKind, find_kind
from .library import library
from .pipelines import set_pipeline
from .sentencepiece import read_pieces, unigram
from .settings import TokenizerSettings, read_settings
from .vocabulary import byte_pairs, read_file, word_pieces

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["read_plain_tokenizer", "read_tokenizer", "special_ids"]

# The largest, of multilingual models with 262,000 tokens, have 33 MB.
_TOKENIZER_BYTES = 64 << 20
_OLDER_FILES = (
    "vocab.txt",
    "vocab.json",
    "sentencepiece.bpe.model",
    "spiece.model",
    "spm.model",
    "tokenizer.model",
)


def read_tokenizer(folder: Path, model_type: str = "") -> tuple[Tokenizer, TokenizerSettings]:
    """The tokenizer of a folder as transformers would use it, and its settings.

    ``model_type`` is the family, which decides what older files mean where the settings name no class. Raises
    ``TokenizerError``, or ``UnsupportedModelError`` for a vocabulary of a kind that can't be read here.
    """
    settings = read_settings(folder)
    kind = find_kind(settings, model_type)
    source = folder / "tokenizer.json"
    if is_there(source):
        tokenizer = _from_json(source)
        check_growth(tokenizer, str(source))
        applied = kind if kind is not None and type(tokenizer.model).__name__ == kind.model else None
        with library(f"{source}: the settings beside it can't be applied"):
            _apply(tokenizer, applied, settings)
    else:
        kind, source = _older(folder, kind, settings)
        with library(f"{source} is not a usable tokenizer"):
            tokenizer = _from_older(source, kind, settings)
        check_growth(tokenizer, str(source))
    return tokenizer, settings


def read_plain_tokenizer(folder: Path) -> tuple[Tokenizer, int | None]:
    """``tokenizer.json`` as the tokenizers library reads it, and the length to which it says that texts are cut.

    No other file is looked at. Raises ``TokenizerError``.
    """
    source = folder / "tokenizer.json"
    if not is_there(source):
        raise TokenizerError(f"{folder} has no tokenizer: tokenizer.json is not there")
    tokenizer = _buffered(source)
    check_growth(tokenizer, str(source))
    with library(f"{source} is not a usable tokenizer"):
        truncation: dict[str, Any] | None = tokenizer.truncation
        tokenizer.no_padding()
        tokenizer.no_truncation()
    return tokenizer, truncation["max_length"] if truncation else None


def special_ids(tokenizer: Tokenizer, settings: TokenizerSettings, model_type: str) -> dict[str, int]:
    """The ids of special tokens by their role, ``mask_token`` for example, as far as the vocabulary has them."""
    kind = find_kind(settings, model_type)
    ids: dict[str, int] = {}
    for role in ("unk_token", "pad_token", "mask_token", "cls_token", "sep_token", "eos_token"):
        token = settings.token(role, None if kind is None else kind.defaults.get(role))
        with library("tokenizer: a token can't be looked up"):
            number = None if token is None else tokenizer.token_to_id(token.content)
        if number is not None:
            ids[role] = number
    return ids


def _from_json(source: Path) -> Tokenizer:
    tokenizer = _buffered(source)
    with library(f"{source} is not a usable tokenizer"):
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return tokenizer


def _buffered(source: Path) -> Tokenizer:
    from tokenizers import Tokenizer

    data = read_file(source, _TOKENIZER_BYTES)
    twice = _core.repeated_key(data)  # of which the library would take the last one
    if twice is not None:
        key = shown(twice.decode("utf-8", "replace"))
        raise TokenizerError(f"{source} is not usable: the key {key} occurs twice in one object")
    check_tables(data, str(source))
    with library(f"{source} is not a usable tokenizer"):
        return Tokenizer.from_buffer(data)


def _older(
    folder: Path, kind: TokenizerKind | None, settings: TokenizerSettings
) -> tuple[TokenizerKind, Path]:
    """What the older files of a folder are: as the settings say, or BERT's, whose file has a name of its own."""
    there = [name for name in _OLDER_FILES if is_there(folder / name)]
    if not there:
        raise TokenizerError(f"{folder} has no tokenizer: neither tokenizer.json nor vocab.txt is there")
    if kind is None and there == ["vocab.txt"] and settings.class_name() is None:
        kind = find_kind(settings, "bert")
    if kind is None or not all(is_there(folder / name) for name in kind.files):
        meant = "of an unknown class" if kind is None else f"{' and '.join(kind.files)} for {kind.name}"
        raise TokenizerError(
            f"{folder} has no tokenizer.json, and its {', '.join(there)} can't be read: expected a vocabulary {meant}, "
            f"with tokenizer_class={shown(settings.class_name())}. Make a tokenizer.json of it once: load the folder "
            "with transformers.AutoTokenizer and call save_pretrained"
        )
    return kind, folder / kind.files[0]


def _from_older(source: Path, kind: TokenizerKind, settings: TokenizerSettings) -> Tokenizer:
    charsmap = b""
    if kind.model == "WordPiece":
        tokenizer = word_pieces(source.parent, kind, settings)
    elif kind.model == "BPE":
        tokenizer = byte_pairs(source.parent, kind, settings)
    else:
        model = read_pieces(source)
        tokenizer, charsmap = unigram(model, kind, settings), model.charsmap
        if charsmap:
            check_table(charsmap, str(source))
    set_pipeline(tokenizer, kind, settings, charsmap)
    set_decoder(tokenizer, kind)
    _set_special_tokens(tokenizer, kind, settings)
    return tokenizer


def _set_special_tokens(
    tokenizer: Tokenizer, kind: TokenizerKind | None, settings: TokenizerSettings
) -> None:
    """Which tokens there are beside the vocabulary, and which of them frame a text."""
    _add_tokens(tokenizer, settings, kind)
    if settings.flag("split_special_tokens", default=False):
        tokenizer.encode_special_tokens = True
    if kind is not None:
        tokens = [settings.token(role, kind.defaults[role]) for role in kind.ends]
        first, last = (token.content for token in tokens if token is not None)
        tokenizer.post_processor = kind.frame(tokenizer, first, last, settings)


def _add_tokens(tokenizer: Tokenizer, settings: TokenizerSettings, kind: TokenizerKind | None) -> None:
    """Tokens that are matched before all else, which the vocabulary may have or not."""
    known = {token.content: token for token in tokenizer.get_added_tokens_decoder().values()}
    strip = kind is not None and kind.name in ("mpnet", "camembert")
    named = settings.special_tokens(kind.defaults if kind else {}, mask_takes_space=strip)
    given = {token.content for token in settings.special_tokens({})}
    wanted = [token for token in settings.added if repr(known.get(token.content)) != repr(token)]
    for token in wanted:
        token.special = token.special or token.content in given
    seen = {*known, *(token.content for token in wanted)}
    for token in named:
        # By default a token has a role only where the vocabulary has it, or where its kind puts it behind the pieces.
        there = (kind is not None and kind.model == "Unigram") or tokenizer.token_to_id(
            token.content
        ) is not None
        if token.content not in seen and (token.content in given or there):
            wanted.append(token)
    tokenizer.add_tokens(wanted)


def _apply(tokenizer: Tokenizer, kind: TokenizerKind | None, settings: TokenizerSettings) -> None:
    """Let the settings beside a tokenizer.json win where they say something else, as they do in transformers."""
    if kind is not None and kind.model == "WordPiece":
        _set_normalizer(tokenizer, settings)
    if kind is not None and kind.name == "roberta":
        _set_prefix(tokenizer, settings)
    _set_special_tokens(tokenizer, kind, settings)


def _set_normalizer(tokenizer: Tokenizer, settings: TokenizerSettings) -> None:
    from tokenizers.normalizers import BertNormalizer

    normalizer = tokenizer.normalizer
    if not isinstance(normalizer, BertNormalizer):
        return
    wanted: dict[str, Any] = {
        "handle_chinese_chars": settings.flag("tokenize_chinese_chars", default=True),
        "strip_accents": settings.optional_flag("strip_accents"),
        "lowercase": settings.flag("do_lower_case", default=True),
    }
    if {name: getattr(normalizer, name) for name in wanted} != wanted:
        tokenizer.normalizer = BertNormalizer(clean_text=normalizer.clean_text, **wanted)


def _set_prefix(tokenizer: Tokenizer, settings: TokenizerSettings) -> None:
    """Whether words at the beginning get a space before them."""
    from tokenizers.pre_tokenizers import ByteLevel

    current = tokenizer.pre_tokenizer
    wanted = settings.flag("add_prefix_space", default=False)
    if isinstance(current, ByteLevel) and current.add_prefix_space != wanted:
        use_regex = json.loads(current.__getstate__()).get("use_regex", True)
        tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=wanted, use_regex=use_regex)
