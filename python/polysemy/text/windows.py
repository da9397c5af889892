"""Long texts as overlapping windows, each of which a model can read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..arguments import whole
from ..record import record
from .pairs import Encoded, PairEncoding

if TYPE_CHECKING:
    from .check import Text
    from .tokenizer import TextTokenizer

__all__ = ["Window", "read_windows"]


class _Held:
    """The lists of an encoding, each made once: all windows of a text read them."""

    __slots__ = ("_encoding", "_lists")

    def __init__(self, encoding: Encoded) -> None:
        self._encoding = encoding
        self._lists: dict[str, list[Any]] = {}

    def get(self, name: str) -> list[Any]:
        found = self._lists.get(name)
        if found is None:
            found = self._lists[name] = getattr(self._encoding, name)
        return found


class _Selected(PairEncoding):
    """Some tokens of an encoding, in the form of one."""

    __slots__ = ("_held", "_places")

    def __init__(self, held: _Held, places: Sequence[int]) -> None:
        self._held = held
        self._places = places
        self.tokens_cut = 0

    def __len__(self) -> int:
        return len(self._places)

    def _some(self, name: str) -> list[Any]:
        values = self._held.get(name)
        return [values[place] for place in self._places]

    @property
    def ids(self) -> list[int]:
        return self._some("ids")

    @property
    def tokens(self) -> list[str]:
        return self._some("tokens")

    @property
    def offsets(self) -> list[tuple[int, int]]:
        return self._some("offsets")

    @property
    def word_ids(self) -> list[int | None]:
        return self._some("word_ids")

    @property
    def type_ids(self) -> list[int]:
        return self._some("type_ids")

    @property
    def sequence_ids(self) -> list[int | None]:
        return self._some("sequence_ids")

    @property
    def special_tokens_mask(self) -> list[int]:
        return self._some("special_tokens_mask")


@record
class Window:
    """What a model reads of a text at once: tokens ``first`` to ``last - 1`` of it, and what stands around them."""

    encoding: Encoded
    lead: int
    """The place of token ``first`` in the window."""
    first: int
    last: int


def read_windows(
    texts: Sequence[Text],
    tokenizer: TextTokenizer,
    overlap: object,
    name: str,
    *,
    kept: int = 0,
    num_threads: int = 0,
) -> list[list[Window]]:
    """The windows of each text, of a pair those of its second text; one for what can be read at once.

    Neighbours share ``overlap`` tokens; ``name`` is that of the argument. The first ``kept`` tokens of a text, special
    ones included, are in each of its windows, and so are all of a pair's first. Raises ``TypeError`` or ``ValueError``
    for an overlap that is none, or that leaves no room for further tokens.
    """
    shared = whole(overlap, name)
    if shared < 0:
        raise ValueError(f"{name} must be at least 0, got {shared}")
    encodings = tokenizer.unlimited().encode(texts, num_threads=num_threads)
    return [_windows(encoding, tokenizer.max_length, shared, kept, name) for encoding in encodings]


def _windows(encoding: Encoded, most: int, shared: int, kept: int, name: str) -> list[Window]:
    pair = isinstance(encoding, PairEncoding)
    wanted = 1 if pair else 0
    places = [i for i, number in enumerate(encoding.sequence_ids) if number == wanted]
    if not pair:
        places = [i for i in places if i >= kept]
    count, size = len(places), len(encoding)
    lead = places[0] if places else 0
    if size <= most:
        return [Window(encoding, lead, 0, count)]
    room = most - (size - count)
    if room <= shared:
        raise ValueError(
            f"{name} must be less than the {max(room, 0)} tokens that a window has room for, got {shared}"
        )
    windows, held = [], _Held(encoding)
    for first in range(0, count, room - shared):
        last = min(first + room, count)
        chosen = [*range(lead), *range(lead + first, lead + last), *range(lead + count, size)]
        windows.append(Window(_Selected(held, chosen), lead, first, last))
        if last == count:
            break
    return windows
