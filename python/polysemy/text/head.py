"""The part of a long text that has the tokens of the whole, as far as a model reads.

A model reads some hundred tokens. Tokenizing megabytes to throw all else away takes seconds with the interpreter
locked, and memory that may not be there.
"""

from __future__ import annotations

import re
import sys
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING
from unicodedata import combining, normalize

from . import extent
from .calls import encode_texts
from .digits import run_of_digits, script_of, with_one_digit
from .library import library
from .patterns import MOST_COUNTED
from .pieces import Tokens, moved, pieces
from .reach import Reach, longest_token, reach
from .repetitions import end_of_repetition
from .runs import Runs, Shortened, may_have_run
from .spelling import Spelling
from .trimming import trimmed, untrimmed

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["LongTexts"]

# A space between ordinary letters: no mark, no run of spaces, nothing that a pattern could join across. Those of Latin,
# Greek, Cyrillic, Hebrew, Arabic, Devanagari, kana, Chinese characters, and Hangul.
_LETTER = (
    r"[A-Za-z0-9\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u017f\u0391-\u03a1\u03a3-\u03ce\u0400-\u0481\u05d0-\u05ea"
    r"\u0621-\u064a\u0905-\u0939\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fff\uac00-\ud7a3]"
)
_SPACE = f"(?<={_LETTER}) (?={_LETTER})"  # compiled where it is needed first: that takes milliseconds
# What regular expressions call white space.
_WHITE = r"\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
# More characters than the longest word whose length a pattern counts.
_WORD = MOST_COUNTED + 1


class LongTexts:
    """What of a long text is read."""

    __slots__ = (
        "_keep_end",
        "_longest",
        "_most",
        "_names",
        "_needed",
        "_reach",
        "_runs",
        "_spelling",
        "_tokenizer",
    )

    def __init__(self, tokenizer: Tokenizer, max_length: int, *, keep_end: bool) -> None:
        self._tokenizer = tokenizer
        self._keep_end = keep_end
        self._most = extent.part_size(max_length)
        self._needed = extent.tokens_needed(max_length)
        self._reach: Reach | bool | None = False  # not known yet
        self._longest = 0
        self._runs: Runs | None = None
        self._spelling: Spelling | None = None
        self._names: dict[int, str] = {}  # each once, not once per token

    def read(self, text: str, most: int) -> tuple[Tokens, int] | None:
        """At most ``most`` tokens of the text, and how many are left out; None where the library has to say it.

        Where not all of the text is read, at least `counted_up_to` are left out.
        """
        known = self._known()
        if known is None:
            return None
        if known.parted:
            return self._streamed(text, most, known)
        windows = self._needed >= len(text)
        found = None if windows else self._part(text, most, known, self._most)
        if found is None and not windows and self._keep_end and known.paired:
            found = self._repetition(text, most, known) or self._digits(text, most, known)
        if found is not None:
            return found
        short = self._shortened(text, known)
        if short is None:
            return self._part(text, most, known, len(text))
        part = self._part(short.text, most, known, len(text))
        tokens, cut = self._streamed(short.text, most, None) if part is None else part
        return short.restored(tokens), cut

    def _part(self, text: str, most: int, known: Reach, largest: int) -> tuple[Tokens, int] | None:
        """What `read` gives, where at most ``largest`` characters show it, or a part at a time."""
        if self._needed >= len(text):  # all of it is read
            spaces = known.placed and _space(text, extent.SHORT)
            return self._streamed(text, most, known) if spaces else None
        read = self._tail if self._keep_end else self._head
        size = self._most
        while size <= largest and 2 * size < len(text):
            found = read(text, most, known, size)
            if found is not None:
                return found
            size *= 4
        return None

    def _shortened(self, text: str, known: Reach) -> Shortened | None:
        return self._known_runs(known).shortened(text) if may_have_run(text) else None

    def _known_runs(self, known: Reach) -> Runs:
        if self._runs is None:  # two threads at once make two: either will do
            self._runs = Runs(self._tokenizer, known.margin, self._tokens)
        return self._runs

    def _streamed(self, text: str, most: int, known: Reach | None) -> tuple[Tokens, int]:
        parts: deque[Tokens] = deque()
        count = first = 0  # tokens, and those of parts that are gone
        for part in self._parts(text, known):
            parts.append(part)
            count += len(part)
            if not self._keep_end and count >= self._needed:
                break
            while self._keep_end and count - first - len(parts[0]) >= most:
                first += len(parts.popleft())
        tokens = [token for part in parts for token in part]
        kept = tokens[max(len(tokens) - most, 0) :] if self._keep_end else tokens[:most]
        return kept, count - len(kept)

    def _head(self, text: str, most: int, known: Reach, size: int) -> tuple[Tokens, int] | None:
        """The first tokens, from ``size`` characters; None where what follows could still change them."""
        less = size - size // 8
        some = self._tokens(text[:less])
        tokens = some[: self._needed]
        if len(tokens) < self._needed:
            return None
        rest = text[tokens[-1][2] : less - known.margin]
        if known.sorted and not _has_starter(rest):
            return None
        behind = ""
        if (known.blank or known.stripped) and not self._has_letter(rest):
            behind = self._behind(text, less, size, known)
            some = self._tokens(text[:less] + behind) if behind else []
            tokens = some[: self._needed]
        more = self._tokens(text[:size] + behind)
        if not tokens or tokens != more[: self._needed]:
            return None
        _, _, end, word, _ = tokens[-1]
        if word == some[-1][3] or behind:
            seen = [token for token in more if token[3] == word and token[2] <= less]
            same = known.spliced and self._same_in_a_word(text, size, tokens, seen, known)
        else:
            same = end <= less - known.margin
        return (tokens[:most], len(tokens) - most) if same else None

    def _behind(self, text: str, start: int, stop: int, known: Reach) -> str:
        """What stands behind the spaces from ``start`` to beyond ``stop``, and the last of them.

        Whether a run of spaces is one word depends on what ends it, and on the last one of a kind in it, such as that
        ends a line. Empty where there is no such run, or where normalization may change it.
        """
        letter = re.compile(f"[^{_WHITE}]").search(text, start)
        end = len(text) if letter is None else letter.start()
        kinds = {*text[start:end]}
        last = max(min((text.rfind(kind, start, end) for kind in kinds), default=end) - known.margin, stop)
        kept = all(self._normalized(f"a{kind}a")[1:-1].isspace() for kind in kinds)
        behind = text[last : end + known.margin]
        return behind if kept and stop < end and (letter is None or self._has_letter(behind)) else ""

    def _tail(self, text: str, most: int, known: Reach, size: int) -> tuple[Tokens, int] | None:
        """The last tokens, read from a space that ends a word, or in a word; the words are counted from there."""
        border = _space(text, len(text) - size, len(text) - size // 2) if known.spaces else None
        if border is not None:
            tokens = moved(self._tokens(text[border.start() :]), border.start())
        else:
            same = self._same_to_the_end if known.spliced else self._same_by_words
            tokens = same(text, size, known)
        return self._last(tokens, most)

    def _last(self, tokens: Tokens, most: int) -> tuple[Tokens, int] | None:
        """What `read` gives, of tokens that are the last ones of the text; None if there are too few."""
        return (tokens[-most:] if most else [], len(tokens) - most) if len(tokens) >= self._needed else None

    def _same_to_the_end(self, text: str, size: int, known: Reach) -> Tokens:
        """The last `tokens_needed` tokens, if they are the same wherever a token begins near here; else none.

        Before each beginning stands a character of which no token is a part that has others.
        """
        window = self._window(text, len(text) - size, size)
        mark = self._known_runs(known).mark({*text[-size:]}) if window and not known.lettered else ""
        if not mark:
            return self._same_by_words(text, size, known)
        found: Tokens = []
        for start in window:
            tokens = self._tokens(mark + text[start:])[-self._needed :]
            tokens = moved(tokens, start - len(mark), -(tokens[0][3] or 0))
            if len(tokens) < self._needed or tokens[0][1] < window.stop or (found and tokens != found):
                return []
            found = tokens
        return found if self._stands_alone(text[window.stop : found[0][1]], known) else []

    def _same_by_words(self, text: str, size: int, known: Reach) -> Tokens:
        """The same where there is no such character, or where words can only be cut between letters of the model.

        The first of them is in a later word than the first one, wherever the text begins; or this word goes on before
        all of these places, and they are the same wherever in it a token begins.
        """
        start = len(text) - size
        tokens = moved(self._tokens(text[start:]), start)
        if len(tokens) < self._needed:
            return []
        found = tokens[-self._needed :]
        word = [token for token in tokens if token[3] == found[0][3]]
        inside = word[0][3] == tokens[0][3]
        if inside:
            kept = sum(token[3] == found[0][3] for token in found)
            if not (known.paired and self._letters(known).same_before(word, kept)):
                return []
            window = range(start + 1, start + _WORD)
        else:
            window = range(word[0][1] - known.margin - _WORD, word[0][1] - known.margin)
        if window.start < start or len(window) * (len(text) - window.start) > len(text):
            return []
        if not self._stands_alone(text[window.stop : found[0][1]], known):
            return []
        found = moved(found, 0, -(found[0][3] or 0))
        for place in window:
            tokens = self._tokens(text[place:])
            last = tokens[-self._needed :]
            if not last or moved(last, place, -(last[0][3] or 0)) != found:
                return []
            if not inside and last[0][3] == tokens[0][3]:
                return []
        return found

    def _repetition(self, text: str, most: int, known: Reach) -> tuple[Tokens, int] | None:
        """The last tokens of a text that repeats itself near its end."""
        return self._last(self._repeated(text, known), most)

    def _digits(self, text: str, most: int, known: Reach) -> tuple[Tokens, int] | None:
        """The last tokens of a text with a run of digits near its end, of which some at a time are a word."""
        run = run_of_digits(text, len(text) - self._most) if known.digits else None
        if run is None or not self._spells_digits(text[run.start]):
            return None
        kept = self._repeated(with_one_digit(text, run, known.margin), known)
        return self._last(self._from_a_word(text, kept, run.stop - known.margin), most)

    def _from_a_word(self, text: str, like: Tokens, before: int) -> Tokens:
        """Tokens of the text from one of its words on, if all of these begin where words of ``like`` do.

        The first of them lies ``before`` this place, or there are none.
        """
        begins = _word_starts(like)
        first = begins[_WORD] if len(begins) > _WORD else before
        if first >= before:
            return []
        tokens = moved(self._tokens(text[begins[0] :]), begins[0])
        if [place for place in _word_starts(tokens) if place >= first] != begins[_WORD:]:
            return []
        kept = [token for token in tokens if token[1] >= first]
        return moved(kept, 0, -(kept[0][3] or 0))

    def _spells_digits(self, digit: str) -> bool:
        """Does normalization leave each of the ten digits of its script as it is, or put another in its place?"""
        ten = [self._normalized(f"a{other}a")[1:-1] for other in script_of(digit)]
        single = all(len(other) == 1 and other.isdecimal() for other in ten)
        return single and "".join(ten) == script_of(ten[0])

    def _repeated(self, text: str, known: Reach) -> Tokens:
        """The last `tokens_needed` tokens and more of such a text, none of another one."""

        def begin(place: int) -> int | None:
            border = _space(text, place - self._most, place) if known.spaces and place > self._most else None
            return border.start() if border is not None else 0 if place <= self._most else None

        def encode(part: str) -> Tokens:
            return untrimmed(self._tokens(part), part) if known.trimmed else self._tokens(part)

        around = max(self._longest_token(), known.margin) + _WORD
        tokens = end_of_repetition(text, len(text) - self._most, self._needed, around, begin, encode)
        return trimmed(tokens, text) if known.trimmed else tokens

    def _stands_alone(self, text: str, known: Reach) -> bool:
        """Does nothing that is far before this text, and in the same run of marks or spaces, act beyond it?"""
        return not (known.sorted and not _has_starter(text)) and not (
            known.followed and not self._has_letter(text)
        )

    def _window(self, text: str, start: int, size: int) -> range:
        """Places from ``start`` on, between which normalization leaves as many characters as the longest token has.

        None where to read ``size`` characters for each would take longer than to read the text.
        """
        longest = count = self._longest_token()
        while count * size < len(text) and start + count <= len(text):
            if self._length(text[start : start + count]) >= longest:
                return range(start, start + count)
            count *= 2
        return range(0)

    def _letters(self, known: Reach) -> Spelling:
        if self._spelling is None:  # two threads at once make two: either will do
            with library("tokenizer: its vocabulary can't be read"):
                vocabulary = self._tokenizer.get_vocab()
            self._spelling = Spelling(self._tokenizer.model, vocabulary, self._longest_token(), known.margin)
        return self._spelling

    def _longest_token(self) -> int:
        self._longest = self._longest or longest_token(self._tokenizer)
        return self._longest

    def first_is_longer(self, first: str, second: str) -> bool:
        """Has the first text more tokens than the second? No more is read than shows it."""
        known = self._known()
        counts = []
        for text in (first, second):
            short = None if known is None or known.parted else self._shortened(text, known)
            counts.append(map(len, self._parts(text if short is None else short.text, known)))
        totals = [0, 0]
        while True:
            behind = int(totals[0] > totals[1])
            count = next(counts[behind], None)
            if count is None:
                return totals[0] > totals[1]
            totals[behind] += count

    def _known(self) -> Reach | None:
        if isinstance(self._reach, bool):
            self._reach = reach(self._tokenizer)
        return self._reach

    def _parts(self, text: str, known: Reach | None) -> Iterator[Tokens]:
        """The tokens of the text, a piece at a time where they are known to be the same."""
        if known is not None and known.parted:
            yield from pieces(text, known, self._tokens, self._length)
            return
        start = words = 0
        while start < len(text):
            border = _space(text, start + extent.SHORT) if known is not None and known.spaces else None
            stop = len(text) if border is None else border.start()
            tokens = self._tokens(text[start:stop])
            yield moved(tokens, start, words)
            words += 1 + max((word for _, _, _, word, _ in tokens if word is not None), default=-1)
            start = stop

    def _same_in_a_word(self, text: str, size: int, tokens: Tokens, seen: Tokens, known: Reach) -> bool:
        """Has the text these tokens, wherever a token ends near here? See `longest_token`.

        ``seen`` are those of the last word, some more of which are known.
        """
        if known.lettered:
            kept = sum(token[3] == tokens[-1][3] for token in tokens)
            return self._letters(known).same_after(seen, kept)
        window = self._window(text, size - self._longest_token(), size)
        return bool(window) and all(self._tokens(text[:stop])[: len(tokens)] == tokens for stop in window)

    def _tokens(self, text: str) -> Tokens:
        (encoding,) = encode_texts(self._tokenizer, [text], spans=True, special=False)
        parts = [encoding, *encoding.overflowing]
        names = self._names
        return [
            (number, *place, word, name if names.setdefault(number, name) != name else names[number])
            for part in (parts[::-1] if self._keep_end else parts)  # the one that is kept is the first
            for number, place, word, name in zip(
                part.ids, part.offsets, part.word_ids, part.tokens, strict=True
            )
        ]

    def _length(self, text: str) -> int:
        return len(self._normalized(text))

    def _has_letter(self, text: str) -> bool:
        """Or anything but spaces, both before normalization and after it?"""
        return text.strip() != "" and self._normalized(text).strip() != ""

    def _normalized(self, text: str) -> str:
        normalizer = self._tokenizer.normalizer
        with library("tokenizer: a text can't be normalized"):
            spelled: str = text if normalizer is None else normalizer.normalize_str(text)
        return spelled


def _word_starts(tokens: Tokens) -> list[int]:
    words = [token[3] for token in tokens]
    return [token[1] for token, word, last in zip(tokens[1:], words[1:], words, strict=False) if word != last]


def _has_starter(text: str) -> bool:
    """Anything but marks, which alone are sorted?"""
    return any(not combining(normalize("NFKD", char)[0]) for char in text)


def _space(text: str, start: int, stop: int = sys.maxsize) -> re.Match[str] | None:
    return re.compile(_SPACE).search(text, start, stop)
