"""Text to tokens, on top of the `tokenizers` library."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import CheckpointError, TokenizerError
from ..io.jsonfile import read_json_object
from .check import shortened
from .threads import prepare_pool
from .wordpiece import wordpiece_from_vocab

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

__all__ = ["TextTokenizer"]

# How many tokens of a text an error message spells out.
_SHOWN = 20


class TextTokenizer:
    """Tokenizes with special tokens, without padding, and never longer than ``max_length`` tokens.

    The settings of the underlying tokenizer are fixed here, once; afterwards it is only read, so any number
    of threads may share it.
    """

    __slots__ = ("_tokenizer", "max_length", "uncased")

    def __init__(self, tokenizer: Tokenizer, max_length: int, *, side: str = "right") -> None:
        special = tokenizer.num_special_tokens_to_add(False)
        if max_length < special:
            raise TokenizerError(
                f"tokenizer: max_length must be at least {special}, the number of special tokens of a text, "
                f"got {max_length}"
            )
        tokenizer.no_padding()
        tokenizer.enable_truncation(max_length, stride=0, strategy="longest_first", direction=side)
        self._tokenizer = tokenizer
        self.max_length = max_length
        # By behaviour, since every normalizer can lower case: can the model tell the two apart?
        upper, lower = self.encode(["A"])[0], self.encode(["a"])[0]
        self.uncased = upper.ids == lower.ids
        if any(lower.type_ids):
            raise TokenizerError("tokenizer: token types other than 0 for a single text are not supported")

    @classmethod
    def from_folder(
        cls, folder: Path, *, max_seq_length: int | None, max_positions: int, lowercase: bool = False
    ) -> TextTokenizer:
        """Read ``tokenizer.json``, or ``vocab.txt`` of older BERT folders.

        Texts are cut to ``max_seq_length``, or to the tokenizer's own ``model_max_length`` where that is
        None, and in any case to ``max_positions``. ``lowercase`` lowers text before all else. Raises
        ``TokenizerError`` when there is no readable tokenizer.
        """
        try:
            settings = _settings(folder / "tokenizer_config.json")
        except CheckpointError as error:
            raise TokenizerError(str(error)) from None
        tokenizer = _load(folder, settings)
        if lowercase:
            _lower_first(tokenizer)
        limit = max_seq_length if max_seq_length is not None else settings.get("model_max_length")
        max_length = max_positions
        # A tokenizer without a limit stores a huge number, as a float in some files.
        if isinstance(limit, (int, float)) and not isinstance(limit, bool) and limit >= 1:
            max_length = int(min(limit, max_positions))
        side = "left" if settings.get("truncation_side") == "left" else "right"
        return cls(tokenizer, max_length, side=side)

    def encode(self, texts: Sequence[str], *, spans: bool = True, num_threads: int = 0) -> list[Encoding]:
        """One encoding per text. ``spans=False`` is faster and leaves the character offsets empty.

        No more than ``num_threads`` threads take part; 0 is the default of this process.

        Raises ``TokenizerError`` when the tokenizer fails, as it does for text that is not valid Unicode.
        """
        try:
            if len(texts) < 2 or not prepare_pool(self._tokenizer, num_threads):
                return [self._tokenizer.encode(text) for text in texts]
            if spans:
                return self._tokenizer.encode_batch(texts)
            return self._tokenizer.encode_batch_fast(texts)
        except Exception as error:  # the library raises bare Exception, for example without an unknown token
            raise TokenizerError(f"tokenizer: a text can't be tokenized: {error}") from None

    def tokens_cut(self, encoding: Encoding) -> int:
        """How many tokens of the text did not fit, special tokens not counted."""
        if len(encoding) < self.max_length:
            return 0
        # What did not fit comes in further pieces, each with special tokens of its own.
        return sum(piece.special_tokens_mask.count(0) for piece in encoding.overflowing)

    def token_of(self, token_id: int) -> str:
        """The vocabulary entry of an id; a placeholder for an id that the tokenizer does not use."""
        token = self._tokenizer.id_to_token(token_id)
        return f"<{token_id}>" if token is None else token

    def single_token(self, token: str, name: str) -> int:
        """The id of an entry of the vocabulary, or of a text that is exactly one token.

        Raises ``ValueError``, which begins with ``name``, for any other.
        """
        number = self._tokenizer.token_to_id(token)
        if number is not None:
            return number
        encoding = self._tokenizer.encode(token, add_special_tokens=False)
        count = len(encoding) + sum(map(len, encoding.overflowing))
        if count == 1:
            return encoding.ids[0]
        names = [*map(repr, encoding.tokens[:_SHOWN]), *(["..."] if count > _SHOWN else [])]
        raise ValueError(f"{name}: {shortened(token)} is not one token but {count}: [{', '.join(names)}]")


def _settings(source: Path) -> dict[str, object]:
    return read_json_object(source) if source.is_file() else {}


def _load(folder: Path, settings: dict[str, object]) -> Tokenizer:
    from tokenizers import Tokenizer

    source, vocab = folder / "tokenizer.json", folder / "vocab.txt"
    if source.is_file():
        try:
            return Tokenizer.from_file(str(source))
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # the library raises bare Exception, and panics are BaseException
            raise TokenizerError(f"{source} is not a usable tokenizer: {error}") from None
    if vocab.is_file():
        return wordpiece_from_vocab(vocab, settings)
    raise TokenizerError(f"{folder} has no tokenizer: neither tokenizer.json nor vocab.txt is there")


def _lower_first(tokenizer: Tokenizer) -> None:
    from tokenizers.normalizers import Lowercase, Sequence

    steps = [Lowercase()]
    if tokenizer.normalizer is not None:
        steps.append(tokenizer.normalizer)
    tokenizer.normalizer = Sequence(steps)
