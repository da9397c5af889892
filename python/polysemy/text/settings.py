"""What the files beside a tokenizer say about it, as transformers reads them.

``tokenizer_config.json`` holds settings and special tokens. Where it has no ``added_tokens_decoder``, which is the
form of folders saved before 2023, ``special_tokens_map.json`` overrides its special tokens, and
``added_tokens.json`` adds further ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import CheckpointError, TokenizerError
from ..io.files import is_there
from ..io.jsonfile import TOKENIZER_CONFIG_BYTES, read_json_object
from ..record import record
from ..shown import shown

if TYPE_CHECKING:
    from tokenizers import AddedToken

__all__ = ["ROLES", "TokenizerSettings", "read_settings"]

ROLES = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
_EXTRA = ("extra_special_tokens", "additional_special_tokens")
# The most that a model in use has are 6,400, of up to 30 characters. The library takes a time for them that grows
# with the square of their number.
_MOST_ADDED = 10_000
_LONGEST_TOKEN = 1_000
_FLAGS = ("single_word", "lstrip", "rstrip", "normalized", "special")


@record
class TokenizerSettings:
    """Settings by name, and the tokens that are added to the vocabulary, in order. Getters check types.

    ``source`` names the file in errors, all of which are ``TokenizerError``.
    """

    values: Mapping[str, object]
    added: tuple[AddedToken, ...] = ()
    source: str = "tokenizer_config.json"

    def flag(self, name: str, default: bool) -> bool:
        """A switch; null counts as absent."""
        value = self.values.get(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise TokenizerError(f"{self.source}: {name} must be true or false, got {shown(value)}")
        return value

    def optional_flag(self, name: str) -> bool | None:
        """A switch that may be left to the tokenizer."""
        return None if self.values.get(name) is None else self.flag(name, default=False)

    def token(self, role: str, default: str | None, *, lstrip: bool = False) -> AddedToken | None:
        """The special token with this role, with the flags that some file gives it."""
        value = self.values.get(role)
        if value is None:
            value = default
        if lstrip and isinstance(value, str):
            value = {"content": value, "normalized": False, "lstrip": True}
        token = _added_token(value, f"{self.source}: {role}", special=True)
        if token is None:
            return None
        return next((added for added in self.added if added.content == token.content), token)

    def special_tokens(
        self, defaults: Mapping[str, str], *, mask_takes_space: bool = False
    ) -> list[AddedToken]:
        """The special tokens that have a role, here or by ``defaults``, and those that are named without one.

        ``mask_takes_space``: a mask token of which only the text is given matches with the spaces before it.
        """
        tokens = [
            self.token(role, defaults.get(role), lstrip=mask_takes_space and role == "mask_token")
            for role in ROLES
        ]
        for name in _EXTRA:
            extra = self.values.get(name)
            items = list(extra.values()) if isinstance(extra, dict) else extra
            if not isinstance(items, (list, type(None))):
                raise TokenizerError(f"{self.source}: {name} must be a list of tokens, got {shown(extra)}")
            _check_count(len(items or ()), f"{self.source}: {name}")
            tokens += [_added_token(item, f"{self.source}: {name}", special=True) for item in items or ()]
        return [token for token in tokens if token is not None]

    def class_name(self) -> str | None:
        """The class in transformers, without the ending of its fast version."""
        value = self.values.get("tokenizer_class")
        if value is not None and not isinstance(value, str):
            raise TokenizerError(f"{self.source}: tokenizer_class must be a string, got {shown(value)}")
        return value and value.removesuffix("Fast")

    def model_max_length(self) -> int | None:
        """The longest text in tokens. A tokenizer without a limit stores a huge number, some as a float."""
        value = self.values.get("model_max_length")
        if value is None or value == math.inf:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 1:
            raise TokenizerError(
                f"{self.source}: model_max_length must be a positive number, got {shown(value)}"
            )
        return int(value)

    def truncation_side(self) -> str:
        """The end at which a text that is too long loses tokens: left or right."""
        value = self.values.get("truncation_side", "right")
        if value not in ("left", "right"):
            raise TokenizerError(f"{self.source}: truncation_side must be left or right, got {shown(value)}")
        return str(value)


def read_settings(folder: Path) -> TokenizerSettings:
    """Read the three files, as far as they are there and count."""
    source = folder / "tokenizer_config.json"
    values = _object(source)
    decoder = values.get("added_tokens_decoder")
    if decoder is not None:
        return TokenizerSettings(
            values, tuple(_decoded(decoder, f"{source}: added_tokens_decoder")), str(source)
        )
    values |= _object(folder / "special_tokens_map.json")
    plain = TokenizerSettings(values, source=str(source))
    special = {token.content for token in plain.special_tokens({})}
    return TokenizerSettings(values, tuple(_listed(folder / "added_tokens.json", special)), str(source))


def _object(source: Path) -> dict[str, object]:
    try:
        return read_json_object(source, TOKENIZER_CONFIG_BYTES) if is_there(source) else {}
    except CheckpointError as error:
        raise TokenizerError(str(error)) from None


def _decoded(decoder: object, source: str) -> list[AddedToken]:
    if not isinstance(decoder, dict) or not all(key.isascii() and key.isdigit() for key in decoder):
        raise TokenizerError(f"{source} must be an object of tokens by id, got {shown(decoder)}")
    _check_count(len(decoder), source)
    tokens = []
    for key in sorted(decoder, key=lambda key: (len(key.lstrip("0")), key)):  # by number, however long
        token = _added_token(decoder[key], source, special=False)
        if token is None:
            raise TokenizerError(f"{source} must be an object of tokens by id, got null for {shown(key)}")
        tokens.append(token)
    return tokens


def _listed(source: Path, special: set[str]) -> list[AddedToken]:
    """Tokens of ``added_tokens.json``, which maps them to ids."""
    from tokenizers import AddedToken

    tokens = _object(source)
    _check_count(len(tokens), str(source))
    for token, number in tokens.items():
        if isinstance(number, bool) or not isinstance(number, int) or number < 0:
            raise TokenizerError(
                f"{source}: the id of {shown(token)} must be a whole number, got {shown(number)}"
            )
    ordered = sorted(tokens, key=lambda token: tokens[token])  # type: ignore[arg-type,return-value]
    return [
        AddedToken(token, normalized=token not in special, special=token in special)
        for token in ordered
        if _short(token, str(source))
    ]


def _check_count(count: int, source: str) -> None:
    if count > _MOST_ADDED:
        raise TokenizerError(f"{source} must have at most {_MOST_ADDED:,} tokens, got {count:,}")


def _short(token: str, source: str) -> bool:
    if len(token) > _LONGEST_TOKEN:
        raise TokenizerError(
            f"{source}: a token must have at most {_LONGEST_TOKEN:,} characters, got {shown(token)}"
        )
    return True


def _added_token(value: object, source: str, *, special: bool) -> AddedToken | None:
    """A token is stored as its text, or as an object with the text and flags."""
    from tokenizers import AddedToken

    match value:
        case None:
            return None
        case str() if _short(value, source):
            return AddedToken(value, special=special, normalized=not special)
        case {"content": str(content), **others} if _short(content, source):
            flags = {name: flag for name, flag in others.items() if name in _FLAGS}
            if all(isinstance(flag, bool) for flag in flags.values()):
                return AddedToken(content, **({"special": special} | flags))
    raise TokenizerError(
        f"{source} must be a token, a string or an object with 'content', got {shown(value)}"
    )
