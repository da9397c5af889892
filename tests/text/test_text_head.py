"""A part of a long text has the tokens that the whole has, as far as a model reads."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from polysemy.text import extent
from polysemy.text.joined import JoinedEncoding
from polysemy.text.reach import reach
from polysemy.text.tokenizer import TextTokenizer
from tokenizer_folders import (
    QWEN,
    TEXTS,
    bert,
    clip,
    counted,
    mpnet,
    roberta,
    sentencepiece,
    trained_bpe,
    trained_clip,
    trained_pieces,
)
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

pytestmark = pytest.mark.usefixtures("short_texts_are_long")
FIELDS = ("ids", "tokens", "offsets", "word_ids", "type_ids", "sequence_ids", "special_tokens_mask")
WORDS = [
    *(
        "τράπεζα",
        "ΟΔΌΣ",
        "берег",
        "Ёж",
        "גדה",
        "ضفة",
        "شـط",
        "किनारा",
        "मुद्रा",
        "かわ",
        "ガギ",
        "銀行",
        "河岸",
    ),
    *("은행", "강가", "Fluß", "naïve", "ﾞｶ"),
]


def qwen() -> Tokenizer:
    tokenizer = Tokenizer.from_str(trained_bpe())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(QWEN), "isolated"), pre_tokenizers.ByteLevel(False, use_regex=False)]
    )
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return tokenizer


def gemma() -> Tokenizer:
    """The whole text is one word."""
    alphabet = sorted({letter for text in TEXTS for letter in text} - {" "})
    merges = [("t", "h"), ("th", "e"), ("\u2581", "t"), ("\u2581", "the"), ("i", "n"), ("\u2581", "\u2581")]
    bytewise = [f"<0x{byte:02X}>" for byte in range(256)]
    entries = [*bytewise, *alphabet, "\u2581", *("".join(pair) for pair in merges)]
    tokenizer = Tokenizer(
        models.BPE({entry: i for i, entry in enumerate(entries)}, merges, byte_fallback=True, fuse_unk=True)
    )
    tokenizer.normalizer = normalizers.Replace(" ", "\u2581")
    return tokenizer


def whitespace() -> Tokenizer:
    """Words as a WordLevel vocabulary has them: runs of punctuation are words."""
    words = sorted({word for text in TEXTS for word in text.lower().split()})
    tokenizer = Tokenizer(
        models.WordLevel({"?": 0, **{w: i + 1 for i, w in enumerate(words)}}, unk_token="?")
    )
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer


def llama() -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram(trained_pieces(), unk_id=0))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Strip(), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    return tokenizer


def family(make: Callable[..., Path], *names: str) -> Callable[[Path], Tokenizer]:
    def read(folder: Path) -> Tokenizer:
        made = TextTokenizer.from_folder(
            make(folder, *names),
            max_seq_length=None,
            max_positions=512,
            model_type=names[0] if names else make.__name__,
        )
        return made._tokenizer

    return read


KINDS: dict[str, Callable[[Path], Tokenizer]] = {
    "bert": family(bert), "mpnet": family(mpnet), "roberta": family(roberta, "roberta"), "clip": family(clip),
    **{name: family(sentencepiece, name) for name in ("xlm-roberta", "camembert", "albert", "t5", "deberta-v2")},
    "qwen": lambda _: qwen(), "gemma": lambda _: gemma(), "whitespace": lambda _: whitespace(),
    "llama": lambda _: llama(),
}  # fmt: skip


def stretch(draw: random.Random) -> str:
    """Some hundred characters of one sort."""
    count = draw.choice([1, 2, 7, 60, 99, 100, 101, 290, 300, 310, 900])
    return draw.choice(
        [
            lambda: " ".join(draw.choices(TEXTS, k=3)),
            lambda: " " * count,
            lambda: "".join(draw.choices(" \n\t\u3000\u200b", k=count)),
            lambda: "".join(draw.choices("bank", k=count)),
            lambda: "a" * count,
            lambda: "7" * count,
            lambda: "\u0301" * count,
            lambda: "".join(draw.choices("e\u0301\u0327", k=count)),
            lambda: "\x00" * count,
            lambda: "".join(draw.choices("ab\x00", k=count)),
            lambda: "".join(draw.choices("\u94f6\u884c\u6cb3\u5cb8\u3002", k=count)),
            lambda: "".join(draw.choices("\U0001f642\U0001f3e6\u200d\ufe0f", k=count)),
            lambda: "".join(draw.choices("\ue000\u0e01", k=count)),
            lambda: "".join(draw.choices("\ue000\x00\u0e31", k=count)),
            lambda: "".join(draw.choices(" \u0301\u0e33\uff9e\u037a", k=count)),
            lambda: " ".join(draw.choices(WORDS, k=count // 4)),
            lambda: "".join(draw.choices("?!.-", k=count)),
            lambda: "".join(draw.choices("\uac00\u1100\u1161\u11a8", k=count)),
            lambda: draw.choice(
                ["[MASK]", "<mask>", "[E2]", " [SEP] ", "<0x0A>", "\u2581", "'ll", "it's", "`` ''"]
            ),
        ]
    )()


def text_of(draw: random.Random, stretches: int) -> str:
    return draw.choice([" ", "", "\n", "  "]).join(stretch(draw) for _ in range(stretches))


def whole(tokenizer: TextTokenizer, text: str) -> object:
    return tokenizer._tokenizer.encode(text, add_special_tokens=tokenizer._special)


@pytest.mark.parametrize("trials", [40, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("kind", KINDS)
def test_same_tokens(kind: str, side: str, trials: int, tmp_path: Path) -> None:
    """What is cut on the left, too: in pieces, from a space near the end, or from inside of a word."""
    tokenizer = TextTokenizer(KINDS[kind](tmp_path / "m"), 16, side=side)
    draw = random.Random(kind)
    tail = side == "left" and kind not in ("bert", "mpnet")
    parts = 0
    for _ in range(trials):
        text = text_of(draw, draw.randint(4, 30))
        (found,), expected = tokenizer.encode([text]), whole(tokenizer, text)
        assert len(found) == len(expected)  # type: ignore[arg-type]
        for name in FIELDS:
            values = getattr(found, name), getattr(expected, name)
            one, other = map(counted, values) if tail and name == "word_ids" else values
            assert one == other, name
        parts += isinstance(found, JoinedEncoding)
        told, cut = tokenizer.tokens_cut(found), tokenizer.tokens_cut(expected)  # type: ignore[arg-type]
        assert told == cut or ((side == "right" or tail) and 24 <= told <= cut)
    assert parts > 5


@pytest.mark.parametrize(
    "kind", ["xlm-roberta", "camembert", "albert", "t5", "deberta-v2", "roberta", "qwen", "gemma", "clip"]
)
@pytest.mark.parametrize(
    "part",
    [
        *("\u94f6\u884c\u6cb3\u5cb8\u3002", "bank", "the\u3002riverbank", "\U0001f642a\ue000", "a\u0301b"),
        "bank\u034f\u034f\u034f\ufe0f\ufe0f\ufe0f",
    ],
)
def test_cut_on_the_left_in_a_word(kind: str, part: str, tmp_path: Path) -> None:
    """Where no space ends a word near the end, tokens are read from inside of one."""
    tokenizer = TextTokenizer(KINDS[kind](tmp_path / "m"), 16, side="left")
    draw = random.Random(part)
    parts = 0
    for count in (20_000, 20_001, 25_000, 30_000):
        text = "the bank " + "".join(draw.choices(part, k=count))
        (found,), expected = tokenizer.encode([text]), whole(tokenizer, text)
        for name in ("ids", "tokens", "offsets"):
            assert getattr(found, name) == getattr(expected, name), name
        assert counted(found.word_ids) == counted(expected.word_ids)  # type: ignore[attr-defined]
        assert 24 <= tokenizer.tokens_cut(found) <= tokenizer.tokens_cut(expected)  # type: ignore[arg-type]
        parts += isinstance(found, JoinedEncoding)
    assert parts >= 3


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_acts_from_far(kind: str, side: str, tmp_path: Path) -> None:
    """Marks that normalization sorts, and added tokens that take spaces: from the other end of a long run."""
    tokenizer = KINDS[kind](tmp_path / "m")
    tokenizer.add_special_tokens([AddedToken("<both>", lstrip=True, rstrip=True)])
    cutting = TextTokenizer(tokenizer, 16, side=side)
    pairs = [
        ("x", "\u0327"),
        ("\u0327\u0301", "x"),
        ("<both>", "x"),
        ("x", "<both>"),
        ("\n", "\n"),
        ("<both>", "<both>"),
    ]
    for run in ("\u0301", "\u0327", " ", "\n "):
        for before, behind in pairs:
            text = "e" + before + run * 4000 + behind + " the bank" * 5
            for one in (text, text[: text.rindex(behind) + len(behind)]):
                (found,), expected = cutting.encode([one]), whole(cutting, one)
                for name in ("ids", "tokens", "offsets"):
                    assert getattr(found, name) == getattr(expected, name), (name, run, before, behind)
                assert counted(found.word_ids) == counted(expected.word_ids)  # type: ignore[attr-defined]


SPLITS = [
    r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+|\p{L}+|\s+",
    r"\p{L}{1,7}|\p{N}+|[^\p{L}\p{N}]",
    r"\p{L}{2,9}|\p{L}|\p{N}{2}|\p{N}|[^\p{L}\p{N}]+",
    r"\p{Lu}*\p{Ll}+|\p{Lu}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+|\s+",
    r"[^\n]+|\n",
]


def random_bytes(draw: random.Random, letters: str, merges: int) -> Tokenizer:
    """Byte pairs merged at random, inside of characters and across them, in words of any sort, with ends or without."""
    end = draw.choice(["", "</w>"])
    bytewise = pre_tokenizers.ByteLevel(False, use_regex=False)
    spelled = list(bytewise.pre_tokenize_str(letters)[0][0])
    last = [letter + end for letter in spelled]
    entries, pairs = sorted(pre_tokenizers.ByteLevel.alphabet()), list[tuple[str, str]]()
    entries += [letter + end for letter in entries] if end else []
    while len(pairs) < merges:
        pair = draw.choice(spelled), draw.choice(last if draw.random() < 0.3 else spelled)
        if pair[0] + pair[1] not in entries:
            pairs.append(pair)
            entries.append(pair[0] + pair[1])
            (last if end and entries[-1].endswith(end) else spelled).append(entries[-1])
    vocabulary = {entry: i for i, entry in enumerate(entries)}
    tokenizer = Tokenizer(models.BPE(vocabulary, pairs, **({"end_of_word_suffix": end} if end else {})))
    words = pre_tokenizers.Split(Regex(draw.choice(SPLITS)), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([words, bytewise])
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return tokenizer


@pytest.mark.parametrize("trials", [30, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("side", ["right", "left"])
def test_tokens_across_characters(side: str, trials: int) -> None:
    """Where a token begins inside of a character, no beginning of the text ends where it does.

    Nor may what is read depend on where words of a counted length begin.
    """
    draw = random.Random(side)
    sorts = [
        "\u94f6\u884c",
        "\u94f6",
        "\U0001f642\U0001f3e6",
        "\u00e9a",
        "ab",
        "\u94f6\u3002a",
        "0123456789",
        "7aB",
    ]
    parts = 0
    for _ in range(trials):
        letters = draw.choice(sorts)
        tokenizer = TextTokenizer(random_bytes(draw, letters, draw.randint(2, 40)), 16, side=side)
        text = "".join(draw.choices(letters, k=draw.randint(3000, 12_000)))
        (found,), expected = tokenizer.encode([text]), whole(tokenizer, text)
        for name in ("ids", "tokens", "offsets"):
            assert getattr(found, name) == getattr(expected, name), name
        assert counted(found.word_ids) == counted(expected.word_ids)  # type: ignore[attr-defined]
        parts += isinstance(found, JoinedEncoding)
    assert parts > trials // 3


@pytest.mark.parametrize("trials", [40, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("kind", KINDS)
def test_all_tokens_in_pieces(
    kind: str, side: str, trials: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As windows read a text: in pieces of any text, or from space to space where a space ends a word.

    Llama's normalizer strips the space before a piece, which is the place of its first token.
    """
    monkeypatch.setattr(extent, "_MOST", 300)
    tokenizer = TextTokenizer(KINDS[kind](tmp_path / "m"), 16, side=side).unlimited()
    draw = random.Random(kind)
    parts = 0
    for _ in range(trials):
        text = text_of(draw, draw.randint(4, 30))
        (found,), expected = tokenizer.encode([text]), whole(tokenizer, text)
        assert isinstance(found, JoinedEncoding) <= (len(text) > 600)
        parts += isinstance(found, JoinedEncoding)
        assert isinstance(found, JoinedEncoding) or len(text) <= 600 or kind not in ("bert", "mpnet")
        for name in FIELDS:
            assert getattr(found, name) == getattr(expected, name), name
    assert (parts > trials // 4) == (kind != "gemma")


@pytest.mark.parametrize("trials", [12, pytest.param(300, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", KINDS)
def test_same_pairs(kind: str, trials: int, tmp_path: Path) -> None:
    """Which of two long texts is longer decides which has the odd token."""
    for most in (16, 17):
        tokenizer = TextTokenizer(KINDS[kind](tmp_path / str(most)), most)
        assert tokenizer._pairs is not None
        draw = random.Random(kind)
        for _ in range(trials):
            pair = text_of(draw, draw.randint(1, 20)), text_of(draw, draw.randint(1, 20))
            if draw.random() < 0.5:
                pair = pair[0], pair[0] + draw.choice(["", " a", " ", "\x00"])
            if draw.random() < 0.5:
                pair = pair[::-1]
            (found,) = tokenizer.encode([pair])
            counts = [
                len(e) + sum(map(len, e.overflowing))
                for e in tokenizer._encode(pair, spans=True, num_threads=1, special=False)
            ]
            assert (counts[0] > counts[1]) == tokenizer._long_texts().first_is_longer(*pair)
            size, tokenizer._part_size = tokenizer._part_size, 1 << 40
            (expected,) = tokenizer.encode([pair])
            tokenizer._part_size = size
            for name in FIELDS:
                assert getattr(found, name) == getattr(expected, name), name


@pytest.mark.parametrize(
    ("pattern", "near"),
    [
        (QWEN, True), (r"\w+|[^\w\s]+", True), (r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*", True), (r"\S+", True),
        (r"\S+@", False), (r"[^\n]*\n", False), (r"[^a]+?b", False), (r"a.", False), (r"(a)\1", False), (r"\.+", True),
        (r"a(?=b)", False), (r"(?<=a)b", False), (r"a(?!\d)", False), (r"\s+(?!\S)", True), (r"[\]^a]+x", False),
        (r"\P{L}+x", False), (r" {1,500}", False), (r"a{12}", False), (r"\p{N}{,10}", False), (r"\p{N}{2,9}", True),
    ],
)  # fmt: skip
def test_patterns(pattern: str, near: bool) -> None:
    """What a pattern matches may depend on what follows far away."""
    tokenizer = qwen()
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(pattern), "isolated")
    assert (reach(tokenizer) is not None) == near


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("nothing", (True, True)), ("pattern", None), ("pattern ahead", None), ("pre-tokenizer", None),
        ("added token", (True, False)), ("added word", (True, False)), ("dropout", (False, True)),
        ("suffix", (True, True)),
    ],
)  # fmt: skip
def test_what_may_look_anywhere(change: str, expected: tuple[bool, bool] | None) -> None:
    """All of the text is read, or less is known of the tokenizer: whether words are spliced, and end at spaces."""
    tokenizer = qwen()
    match change:
        case "pattern":
            tokenizer.normalizer = normalizers.Replace(Regex("a.*b"), "c")
        case "pattern ahead":
            digits = pre_tokenizers.Split(Regex(r"\d{1,3}(?=(\d{3})*\b)"), "isolated")
            tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(False)])
        case "pre-tokenizer":
            tokenizer.pre_tokenizer = pre_tokenizers.FixedLength(length=7)
        case "added token":
            tokenizer.add_tokens(["river bank"])
        case "added word":
            tokenizer.add_tokens([AddedToken("river", rstrip=True)])
        case "dropout":
            tokenizer.model.dropout = 1.0  # of every merge, so that the same text has the same tokens
        case "suffix":
            tokenizer = Tokenizer.from_str(trained_clip())
    known = reach(tokenizer)
    assert (None if known is None else (known.spliced, known.spaces)) == expected
    assert known is None or not known.parted


@pytest.mark.parametrize(("end", "bytewise"), [("", False), ("</w>", False), ("", True), ("</w>", True)])
def test_words_that_are_cut_between_letters(end: str, bytewise: bool) -> None:
    """Where letters stand for bytes, or the last one is marked, no text that is cut ends as its tokens do."""
    tokenizer = Tokenizer(models.BPE({"a": 0}, [], **({"end_of_word_suffix": end} if end else {})))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(False) if bytewise else pre_tokenizers.Whitespace()
    known = reach(tokenizer)
    assert known is not None
    assert known.lettered == (bool(end) or bytewise)
