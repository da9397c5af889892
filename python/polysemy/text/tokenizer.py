"""Text to tokens, on top of the `tokenizers` library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..arguments import positive
from ..errors import TokenizerError
from .calls import encode_texts
from .check import Text, shortened
from .decoding import decode, joined
from .extent import is_long, part_size, tokens_needed
from .folder import read_plain_tokenizer, read_tokenizer, special_ids
from .joined import JoinedEncoding, Special, special_around
from .library import library
from .pairs import Encoded, PairEncoding, PairTemplate, cut_tokens, pair_template

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

    from .head import LongTexts

__all__ = ["TextTokenizer"]

_ANY_LENGTH = 1 << 30
# How many tokens of a text an error message spells out.
_SHOWN = 20


class TextTokenizer:
    """Tokenizes without padding, and never longer than ``max_length`` tokens; with special tokens if ``special``.

    The settings of the underlying tokenizer are fixed here, once; afterwards it is only read, so any number
    of threads may share it.
    """

    __slots__ = (
        "__weakref__",
        "_around",
        "_cleaned",
        "_keep_end",
        "_long",
        "_pairs",
        "_part_size",
        "_special",
        "_tokenizer",
        "_unlimited",
        "max_length",
        "roles",
        "uncased",
    )

    def __init__(
        self,
        tokenizer: Tokenizer,
        max_length: int,
        *,
        side: str = "right",
        special: bool = True,
        roles: Mapping[str, int] | None = None,
        cleaned: bool = False,
    ) -> None:
        """``roles`` are ids of special tokens, see `special_ids`; ``cleaned``: no space before punctuation."""
        self._special = special
        with library("tokenizer: its special tokens can't be counted"):
            count = tokenizer.num_special_tokens_to_add(False) if special else 1
        if max_length < count:
            raise TokenizerError(
                f"tokenizer: max_length must be at least {count}, the number of special tokens of a text, "
                f"got {max_length}"
            )
        self._tokenizer = tokenizer
        self._unlimited: TextTokenizer | None = None
        self._keep_end = side == "left"
        self._cleaned = cleaned
        self.roles = dict(roles or {})
        self._part_size = part_size(max_length)
        self._long: LongTexts | None = None
        self.max_length = max_length
        with library("tokenizer: it can't cut a text"):
            tokenizer.no_padding()
            tokenizer.no_truncation()
            self._pairs: PairTemplate | None = pair_template(tokenizer.encode("a", "a")) if special else None
            tokenizer.enable_truncation(max_length, stride=0, strategy="longest_first", direction=side)
        # By behaviour, since every normalizer can lower case: can the model tell the two apart?
        upper, lower = (
            self._encode([text], spans=True, num_threads=1, special=special)[0] for text in ("A", "a")
        )
        self.uncased = upper.ids == lower.ids
        self._around = special_around(lower)
        if any(lower.type_ids):
            raise TokenizerError("tokenizer: token types other than 0 for a single text are not supported")

    @classmethod
    def from_folder(
        cls,
        folder: Path,
        *,
        max_seq_length: int | None,
        max_positions: int,
        lowercase: bool = False,
        model_type: str = "",
        special: bool = True,
    ) -> TextTokenizer:
        """Read the tokenizer of a folder, see `read_tokenizer`.

        Texts are cut to ``max_seq_length``, or to the tokenizer's own ``model_max_length`` where that is
        None, and in any case to ``max_positions``. ``lowercase`` lowers text before all else. ``model_type`` is
        the family of the model. ``special=False`` adds no special tokens. Raises ``TokenizerError`` when there is
        no readable tokenizer, and ``UnsupportedModelError`` when it is one that can't be read here.
        """
        tokenizer, settings = read_tokenizer(folder, model_type)
        if lowercase:
            with library("tokenizer: text can't be lowered first"):
                _lower_first(tokenizer)
        stored = settings.model_max_length()
        limit = stored if max_seq_length is None else max_seq_length
        max_length = max_positions if limit is None else min(limit, max_positions)
        return cls(
            tokenizer,
            max_length,
            side=settings.truncation_side(),
            special=special,
            roles=special_ids(tokenizer, settings, model_type),
            cleaned=settings.flag("clean_up_tokenization_spaces", default=False),
        )

    def limited(self, most: int, name: str) -> TextTokenizer:
        """The same tokenizer with another ``max_length``. Raises ``ValueError``, which begins with ``name``."""
        with library("tokenizer: its special tokens can't be counted"):
            least = self._tokenizer.num_special_tokens_to_add(False) if self._special else 1
        positive(most, name)
        if most < least:
            raise ValueError(f"{name} must be at least {least}, the special tokens of a text, got {most}")
        return _of_parts(*self._parts(most))

    def __reduce__(self) -> tuple[Any, ...]:
        return _of_parts, self._parts(self.max_length)

    def _parts(self, max_length: int) -> tuple[type[TextTokenizer], str, bool, int, dict[str, Any]]:
        """What `_of_parts` makes a tokenizer of. The library's own description leaves a setting out."""
        with library("tokenizer: it can't be copied"):
            stored, split = self._tokenizer.to_str(), self._tokenizer.encode_special_tokens
        side = "left" if self._keep_end else "right"
        options = {"side": side, "special": self._special, "roles": self.roles, "cleaned": self._cleaned}
        return type(self), stored, split, max_length, options

    def unlimited(self) -> TextTokenizer:
        """The same tokenizer for texts of any length."""
        if self._unlimited is None:  # two threads at once make two: either will do
            self._unlimited = self.limited(_ANY_LENGTH, "tokenizer")
        return self._unlimited

    @classmethod
    def of_static(cls, folder: Path, *, max_positions: int) -> TextTokenizer:
        """That of a static embedding: ``tokenizer.json`` alone, and no special tokens.

        Texts are cut where that file says so. Raises ``TokenizerError``.
        """
        tokenizer, limit = read_plain_tokenizer(folder)
        return cls(tokenizer, max_positions if limit is None else min(limit, max_positions), special=False)

    def encode(self, texts: Sequence[Text], *, spans: bool = True, num_threads: int = 0) -> list[Encoded]:
        """One encoding per text, or pair of texts. ``spans=False`` is faster and leaves character offsets empty.

        No more than ``num_threads`` threads take part; 0 is the default of this process.

        Raises ``TokenizerError`` when the tokenizer fails, as it does for text that is not valid Unicode, or when
        it has no form for pairs.
        """
        if all(isinstance(text, str) for text in texts):
            return [*self._encode_texts(texts, spans=spans, num_threads=num_threads, special=self._special)]  # type: ignore[arg-type]
        pairs = [text for text in texts if isinstance(text, tuple)]
        alone = [text for text in texts if isinstance(text, str)]
        singles = iter(self._encode_texts(alone, spans=spans, num_threads=num_threads, special=self._special))
        joined = iter(self._encode_pairs(pairs, spans=spans, num_threads=num_threads))
        return [next(joined) if isinstance(text, tuple) else next(singles) for text in texts]

    def _encode_texts(
        self, texts: Sequence[str], *, spans: bool, num_threads: int, special: bool
    ) -> list[Encoding | JoinedEncoding]:
        """As much of each text as decides what the model reads, and of what is cut enough to be counted."""
        if not any(is_long(text, self._part_size) for text in texts):
            return [*self._encode(texts, spans=spans, num_threads=num_threads, special=special)]
        parts = [self._read_part(text, special=special) for text in texts]
        wholes = [text for text, part in zip(texts, parts, strict=True) if part is None]
        others = iter(self._encode(wholes, spans=spans, num_threads=num_threads, special=special))
        return [next(others) if part is None else part for part in parts]

    def _read_part(self, text: str, *, special: bool) -> JoinedEncoding | None:
        if not is_long(text, self._part_size):
            return None
        around = self._around if special else (Special([], [], []), Special([], [], []))
        read = self._long_texts().read(text, self.max_length - sum(len(part.ids) for part in around))
        return None if read is None else JoinedEncoding(*read, around)

    def _encode(
        self, texts: Sequence[str], *, spans: bool, num_threads: int, special: bool
    ) -> list[Encoding]:
        return encode_texts(self._tokenizer, texts, spans=spans, special=special, num_threads=num_threads)

    def _encode_pairs(
        self, pairs: Sequence[tuple[str, str]], *, spans: bool, num_threads: int
    ) -> list[PairEncoding]:
        form = self._pairs
        if form is None:
            raise TokenizerError("tokenizer: its form of a pair of texts is not supported")
        if self.max_length < form.special:
            raise TokenizerError(
                f"tokenizer: a pair of texts has {form.special} special tokens, more than the {self.max_length} "
                "tokens that the model reads"
            )
        texts = [text for pair in pairs for text in pair]
        parts = self._encode_texts(texts, spans=spans, num_threads=num_threads, special=False)
        return [
            PairEncoding(
                *two, form, self.max_length, keep_end=self._keep_end, lengths=self._lengths(pair, two, form)
            )
            for pair, two in zip(pairs, zip(parts[::2], parts[1::2], strict=True), strict=True)
        ]

    def _lengths(
        self,
        pair: tuple[str, str],
        encodings: tuple[Encoding | JoinedEncoding, Encoding | JoinedEncoding],
        form: PairTemplate,
    ) -> tuple[int, int]:
        """Tokens of each text: of a long one as many as are known, but more than the other's if it has more."""
        first, second = (len(encoding) + cut_tokens(encoding) for encoding in encodings)
        counted = not any(is_long(text, self._part_size) for text in pair)
        even = form.room(self.max_length) % 2 == 0  # both have the same
        if counted or even or min(first, second) < tokens_needed(self.max_length):
            return first, second
        if self._long_texts().first_is_longer(*pair):
            return first, min(second, first - 1)
        return min(first, second), second

    def _long_texts(self) -> LongTexts:
        if self._long is None:  # two threads at once make two: either will do
            from .head import LongTexts

            self._long = LongTexts(self._tokenizer, self.max_length, keep_end=self._keep_end)
        return self._long

    def prompt_tokens(self, prompt: str) -> int:
        """How many tokens a prompt has at the beginning of a text, with the special ones before it."""
        encoding = self.encode([prompt], spans=False)[0]
        return len(encoding) - (len(encoding) > 0 and encoding.special_tokens_mask[-1])

    def tokens_cut(self, encoding: Encoded) -> int:
        """How many tokens of the text, or of both, did not fit; special tokens are not counted.

        Where it is `counted_up_to` or more, there may be more: the end of a long text is not looked at.
        """
        if len(encoding) < self.max_length:
            return 0
        if isinstance(encoding, PairEncoding):
            return encoding.tokens_cut
        return cut_tokens(encoding)  # what did not fit comes in further pieces

    def token_of(self, token_id: int) -> str:
        """The vocabulary entry of an id; a placeholder for an id that the tokenizer does not use."""
        with library("tokenizer: a token has no name"):
            token = self._tokenizer.id_to_token(token_id)
        return f"<{token_id}>" if token is None else token

    def decode(self, ids: Sequence[int], *, skip_special: bool = False) -> str:
        """The text of token ids."""
        return decode(self._tokenizer, ids, skip_special=skip_special, cleaned=self._cleaned)

    def joined(self, tokens: Sequence[str]) -> str:
        """The text of tokens as the vocabulary spells them."""
        return joined(self._tokenizer, tokens)

    @property
    def marks_pieces(self) -> bool:
        """Whether the vocabulary spells a piece inside of a word differently from a word."""
        return bool(getattr(self._tokenizer.model, "continuing_subword_prefix", None))

    def number_of(self, token: str) -> int | None:
        """The id of an entry of the vocabulary, None for what is none."""
        with library("tokenizer: a token can't be looked up"):
            number: int | None = self._tokenizer.token_to_id(token)
        return number

    def single_token(self, token: str, name: str) -> int:
        """The id of an entry of the vocabulary, or of a text that is exactly one token.

        Raises ``ValueError``, which begins with ``name``, for any other.
        """
        number = self.number_of(token)
        if number is not None:
            return number
        with library("tokenizer: a text can't be tokenized"):
            encoding = self._tokenizer.encode(token, add_special_tokens=False)
        count = len(encoding) + sum(map(len, encoding.overflowing))
        if count == 1:
            return encoding.ids[0]
        names = [*map(repr, encoding.tokens[:_SHOWN]), *(["..."] if count > _SHOWN else [])]
        raise ValueError(f"{name}: {shortened(token)} is not one token but {count}: [{', '.join(names)}]")


def _of_parts(
    cls: type[TextTokenizer], stored: str, split_special: bool, max_length: int, options: dict[str, Any]
) -> TextTokenizer:
    from tokenizers import Tokenizer

    with library("tokenizer: it can't be copied"):
        tokenizer = Tokenizer.from_str(stored)
        tokenizer.encode_special_tokens = split_special
    return cls(tokenizer, max_length, **options)


def _lower_first(tokenizer: Tokenizer) -> None:
    from tokenizers.normalizers import Lowercase, Sequence

    steps = [Lowercase()]
    if tokenizer.normalizer is not None:
        steps.append(tokenizer.normalizer)
    tokenizer.normalizer = Sequence(steps)
