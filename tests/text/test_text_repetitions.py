"""Long texts that repeat themselves, and long runs of spaces: a part of them has the tokens of the whole."""

from __future__ import annotations

import random
from collections.abc import Callable
from unicodedata import normalize

import pytest
from polysemy.text.joined import JoinedEncoding
from polysemy.text.patterns import Sight, names_digit, sight
from polysemy.text.repetitions import end_of_repetition
from polysemy.text.tokenizer import TextTokenizer
from tokenizer_folders import QWEN, counted
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

pytestmark = pytest.mark.usefixtures("short_texts_are_long")
CLIP = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
LINES = [QWEN, QWEN.replace(r"\p{N}", r"\p{N}{1,3}")]
BLANKS = [
    *LINES,
    r"a?\s*\n|\p{L}|\s+|[^\s\p{L}]+",
    r"\s*[\t,]|\p{L}+|\s+(?!\S)|\s+|,",
    r"a?\s*,|\s*\t\s*|\s+|\w|,",
]
SPLITS = [
    *LINES, r"\p{L}{1,7}|\p{N}+|[^\p{L}\p{N}]", r"[^\n]+|\n", r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+|\p{L}+|\s+",
]  # fmt: skip
COUNTS = [QWEN.replace(r"\p{N}", f"\\p{{N}}{{1,{count}}}") for count in (2, 3, 3, 7)] + [
    r"[0-9]{1,3}|\p{N}+|[^\p{N}]", r"[0-46]{1,3}|\d|[^\d]+?", r" ?\p{N}{1,3}| ?\p{L}+|[^\p{L}\p{N}]",
]  # fmt: skip
SORTS = [
    *("a", "ab", "aab", "aaab", "7", "789", "a7", "7a=", "=-", "\u94f6", "\u94f6\u884c", "\U0001f642"),
    *(" ", "\n", " \n", "\n  ", "a ", "e\u0301"),
]


def random_pairs(draw: random.Random, letters: str, others: str, most: int, splits: list[str]) -> Tokenizer:
    """Byte pairs merged at random, of bytes or characters, in any order of ranks."""
    kind = draw.choice(["bytes", "bytes", "characters", "ends", "unknown"])
    bytewise = pre_tokenizers.ByteLevel(False, use_regex=False)
    spelled, entries = [*letters], sorted({*letters, *others, *normalize("NFC", letters)})
    if kind == "bytes":
        spelled, entries = (
            [*bytewise.pre_tokenize_str(letters)[0][0]],
            sorted(pre_tokenizers.ByteLevel.alphabet()),
        )
    elif kind == "unknown":
        spelled = [letter for letter in letters if draw.random() < 0.5] or [*letters[:1]]
        entries = [*sorted({*spelled, *others[::2]}), *(f"<0x{byte:02X}>" for byte in range(256))]
    end = "</w>" if kind == "ends" else ""
    last = [letter + end for letter in spelled]
    entries += [entry + end for entry in entries] if end else []
    pairs: list[tuple[str, str]] = []
    for _ in range(draw.randint(1, most)):
        pair = draw.choice(spelled), draw.choice(last if draw.random() < 0.3 else spelled)
        if pair not in pairs and len("".join(pair)) < 14:
            pairs.append(pair)
            if "".join(pair) not in entries:
                entries.append("".join(pair))
                (last if end and pair[1].endswith(end) else spelled).append(entries[-1])
    if draw.random() < 0.3:
        draw.shuffle(pairs)
    marked = {"end_of_word_suffix": end} if end else {"byte_fallback": kind == "unknown"}
    tokenizer = Tokenizer(models.BPE({entry: i for i, entry in enumerate(entries)}, pairs, **marked))
    words = pre_tokenizers.Split(Regex(draw.choice(splits)), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([words, bytewise] if kind == "bytes" else [words])
    if kind == "bytes":
        tokenizer.post_processor = processors.ByteLevel(trim_offsets=draw.random() < 0.3)
    if draw.random() < 0.3:
        tokenizer.normalizer = normalizers.NFC()
    return tokenizer


def same(tokenizer: Tokenizer, text: str, side: str) -> bool:
    """Whether a part was read, which has the tokens of the whole."""
    cutting = TextTokenizer(tokenizer, 16, side=side)
    (found,) = cutting.encode([text])
    expected = cutting._tokenizer.encode(text, add_special_tokens=cutting._special)
    for name in ("ids", "tokens", "offsets"):
        assert getattr(found, name) == getattr(expected, name), name
    assert counted(found.word_ids) == counted(expected.word_ids)
    told, cut = cutting.tokens_cut(found), cutting.tokens_cut(expected)  # type: ignore[arg-type]
    assert told == cut or 24 <= told <= cut
    return isinstance(found, JoinedEncoding)


def read_in_part(trials: int, side: str, case: Callable[[], tuple[Tokenizer, str]]) -> int:
    """Of so many texts, each of which has the tokens of the whole."""
    return sum(same(*case(), side) for _ in range(trials))


@pytest.mark.parametrize("trials", [60, pytest.param(3000, marks=pytest.mark.slow)])
def test_repetitions_cut_on_the_left(trials: int) -> None:
    """Whatever stands before them and behind them, and however words and tokens lie in them."""
    draw = random.Random(trials)

    def case() -> tuple[Tokenizer, str]:
        letters = draw.choice(SORTS)
        tokenizer = random_pairs(draw, letters, "the bankz", 25, SPLITS)
        unit = draw.choice([letters, "".join(draw.choices(letters, k=draw.randint(1, 5)))])
        before = draw.choice(
            [
                "",
                "the bank ",
                "z",
                "b" * draw.randint(1, 50),
                "".join(draw.choices(letters + " b", k=draw.randint(1, 3000))),
                "a b " * 2000 + "b",
            ]
        )
        behind = draw.choice(
            [
                "",
                unit[:1],
                "b",
                " the bank",
                "".join(draw.choices(letters + " z", k=draw.randint(1, 60))),
                "".join(draw.choices(letters, k=draw.randint(1, 60))),
            ]
        )
        return tokenizer, before + unit * (draw.randint(9000, 40_000) // len(unit)) + behind

    assert read_in_part(trials, "left", case) > trials // 2


@pytest.mark.parametrize("trials", [60, pytest.param(3000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("side", ["right", "left"])
def test_spaces_that_end_far_away(side: str, trials: int) -> None:
    """Whether they are one word with what stands before them depends on their end, and on the last line's."""
    draw = random.Random(side)

    def case() -> tuple[Tokenizer, str]:
        tokenizer = random_pairs(draw, " \na \n\t", "b\r\u3000,", 25, BLANKS)

        def stretch() -> str:
            count = draw.choice([1, 2, 5, 60, 290, 700, 3000])
            return draw.choice(
                [
                    " " * count,
                    "\n" * count,
                    "".join(draw.choices(" \n", k=count)),
                    "".join(draw.choices("    a", k=count)),
                    "a" * count,
                    draw.choice("ab,"),
                    "".join(draw.choices(" \t\u3000\r\n", [9, 1, 1, 0.1, 0.1], k=count)),
                    draw.choice("\n\ta") + " " * count + draw.choice("\n\t,"),
                ]
            )

        text = "".join(stretch() for _ in range(draw.randint(2, 20)))
        return tokenizer, text + draw.choice(["", "", " " * 4000])

    assert read_in_part(trials, side, case) > trials // 3


@pytest.mark.parametrize("trials", [60, pytest.param(3000, marks=pytest.mark.slow)])
def test_digits_by_threes(trials: int) -> None:
    """Where a word begins in a run of them depends on where the run does. One of some scripts, in any order."""
    draw = random.Random(trials)

    def case() -> tuple[Tokenizer, str]:
        ten = draw.choice(
            ["0123456789", "0123456789", "\u0660\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668\u0669"]
        )
        tokenizer = random_pairs(draw, ten, "the bankz ,.", 40, COUNTS)
        if draw.random() < 0.3:
            tokenizer.add_tokens([draw.choice(["k7", "77", "<7>", "1 "])])
        run = "".join(draw.choices(ten, k=draw.randint(9000, 40_000)))
        before = draw.choice(["", "the bank ", "k7", "b7,", "a 1 b " * 2000, "z" * 3000, ten * 30 + ". "])
        behind = draw.choice(["", " the bank", "k", ten * 5 + " ", "".join(draw.choices(ten + " z,.", k=60))])
        return tokenizer, before + run + behind

    assert read_in_part(trials, "left", case) > trials // 2


@pytest.mark.parametrize(
    "step",
    [
        pre_tokenizers.CharDelimiterSplit("7"),
        pre_tokenizers.Split("77", "isolated"),
        normalizers.Replace("7", "12"),
        normalizers.Replace(Regex("[78]"), "k"),
        normalizers.Replace("8", "7"),
    ],
)
def test_a_digit_that_is_no_other(step: pre_tokenizers.PreTokenizer | normalizers.Normalizer) -> None:
    """Where steps treat digits differently, a run of one digit shows nothing."""
    draw = random.Random(str(step))
    for _ in range(10):
        tokenizer = random_pairs(draw, "0123456789", "k", 40, COUNTS[2:3])
        if isinstance(step, normalizers.Normalizer):
            tokenizer.normalizer = step
        else:
            tokenizer.pre_tokenizer = pre_tokenizers.Sequence([step, tokenizer.pre_tokenizer])
        for last in ("0123456", "0123456789"):  # such digits may stand far away alone
            run = [*draw.choices("0123456789", k=6_001), *draw.choices(last, k=12_001)]
            same(tokenizer, "k" * 50 + "".join(run) + " k", "left")


@pytest.mark.parametrize("trials", [60, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("side", ["right", "left"])
def test_letters_spelled_as_bytes(side: str, trials: int) -> None:
    """Many different ones, which no entry has, and others among them."""
    draw = random.Random(side)

    def case() -> tuple[Tokenizer, str]:
        letters = "ab" + "".join(chr(0x13000 + draw.randrange(1000)) for _ in range(draw.randint(1, 200)))
        spelled = draw.choice(["ab", "abc", f"ab{letters[2]}"])
        entries = [*sorted({*spelled}), *(f"<0x{byte:02X}>" for byte in range(256)), "ab", "ba", "abab"]
        if draw.random() < 0.2:
            entries.append(draw.choice(["<0x41>a", "a<0xF0>"]))  # as if a merge made it
        pairs = [("a", "b"), ("b", "a"), ("ab", "ab")]
        tokenizer = Tokenizer(models.BPE({e: i for i, e in enumerate(entries)}, pairs, byte_fallback=True))
        text = "".join(draw.choices(letters, k=draw.randint(9000, 40_000)))
        return tokenizer, "ab" * draw.randint(0, 2000) + text

    assert read_in_part(trials, side, case) > trials // 2


@pytest.mark.parametrize("trials", [40, pytest.param(1000, marks=pytest.mark.slow)])
def test_words_that_are_split_again(trials: int) -> None:
    """Two steps that count give words that repeat themselves some times, and then don't."""
    draw = random.Random(trials)

    def case() -> tuple[Tokenizer, str]:
        letters = draw.choice(["7", "789", "a", "a7"])
        tokenizer = random_pairs(
            draw, letters, "k ", 10, [r"[\p{L}\p{N}]{1,3}|[^\p{L}\p{N}]", r"\p{N}{1,2}|\D+?"]
        )
        counts = draw.choice([r"\p{N}{1,8}|\P{N}", r"[a7]{1,7}", r"aaaaa|77777"])
        first = pre_tokenizers.Split(Regex(counts), "isolated")
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([first, tokenizer.pre_tokenizer])
        run = "".join(draw.choices(letters, k=draw.choice([1, 2, 5, 40_000])))
        text = (
            "k " * draw.randint(0, 3)
            + (run * 40_000)[: draw.randint(30_000, 40_000)]
            + draw.choice(["", " k"])
        )
        return tokenizer, text

    assert read_in_part(trials, "left", case) > trials // 2


@pytest.mark.parametrize("text", ["a\n" + " " * 400_000 + "\nb", "a" + " " * 400_000, "ab" * 200_000])
@pytest.mark.parametrize("side", ["right", "left"])
def test_of_real_length(side: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    pairs = [("\u010a", "\u0120"), ("\u0120", "\u0120"), ("a", "b"), ("ab", "ab")]
    entries = [*sorted(pre_tokenizers.ByteLevel.alphabet()), *map("".join, pairs)]
    tokenizer = Tokenizer(models.BPE({entry: i for i, entry in enumerate(entries)}, pairs))
    words = pre_tokenizers.Split(Regex(QWEN), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [words, pre_tokenizers.ByteLevel(False, use_regex=False)]
    )
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    assert same(tokenizer, text, side)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (QWEN, Sight.BLANK),
        (CLIP, Sight.NEAR),
        *((p, Sight.BLANK) for p in (r"\s*\n", r"(\s*)\n", r"\s+:|x", r"(?:\s+|a)b", r"\s*\n\s*", r"\s+(?!\S)|\s*,")),
        *((p, Sight.FAR) for p in (r" *\n", r"[ \t]+:|x", r"\s*\n\s*\t", r"\s*\n{2}", r"\s*(ab)", r"\p{L}+(?!\S)")),
        *((p, Sight.FAR) for p in (r"(?:\s*a?){2}b", r"(?:a+){3}", r"a(?!\d)", r"\s+(?![^a])", r"(\s+(?!\S)b)?")),
        *((p, Sight.NEAR) for p in (r"", r" {2,}", r"[[:alpha:]]+", r"(?i)a+", r"\p{L}+(?:'s)?", r"(?:a+|b)")),
        *((p, Sight.NEAR) for p in (r"(a+)?b?", r"a+(?:b)?|c", r"a+b?c*", r"[]a]+", r"a|b+", r"\x41+|\u0042*")),
        *((p, Sight.FAR) for p in (r"a+b|a", r"[a-z]+!|[a-z]", r"(?:ab)+c", r"(ab)+c|a", r"\p{L}+!", r"x*y")),
        *((p, Sight.FAR) for p in (r"(a+|b)c", r"(a+)?b", r"(a|b+)+", r"(?:[a-z]+-)+[a-z]", r"a{2,}b", r"a+(b|c)")),
        *((p, Sight.FAR) for p in (r"\p{L}{1,9}\p{N}{9}", r"(?:ab){9}", r"(?:a{2}b){2}", r"(a|b){2}")),
        *((p, Sight.NEAR) for p in (r"\p{L}{1,9}|\p{N}{9}", r"(?:a{9}|b)?", r"\p{L}{1,3}\p{N}{,9}", r"\p{L}{2}\p{N}+")),
        *((p, Sight.FAR) for p in ("\\s+\U0010ffff", r"(?<n>a)\g<n>", r"(?~a)", r"(?x)a+ b")),
        *((p, Sight.FAR) for p in (r"^a", r"a$", r"\bab", r"\Aa", r"a.b", r"[a-z&&[^b]]+", r"(a", r"a{", r"(?>a+)")),
        *((p, Sight.FAR) for p in (r"\p{Lu}*\p{Ll}+|\p{Lu}+", r"((?:a+)b)?", r"(x|(y|a+)z)", r"a+(?!\S)b")),
    ],
)  # fmt: skip
def test_how_far_a_pattern_looks(pattern: str, expected: Sight) -> None:
    assert sight(pattern) is expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        *((p, False) for p in (QWEN, CLIP, *COUNTS[:5], r"\d{1,3}", r"[0-9]+", r"[^0-9a-f]{2,}", r"a{,3}")),
        *((p, True) for p in (r"1", r"[1-9]\d*", r"[0-46]", r"0-95", r"\x{31}", r"\o{61}", r"[\u0660-\u0663]")),
        *((p, True) for p in ("[\u0660-\u0662]", r"(a)\1")),
    ],
)  # fmt: skip
def test_patterns_that_name_a_digit(pattern: str, expected: bool) -> None:
    assert names_digit(pattern) is expected


@pytest.mark.parametrize("part", ["a*", "(", "[", "(a*|", "\\", "a{1,", "[^]"])
def test_long_patterns(part: str) -> None:
    """Nobody waits for one that somebody made to be waited for."""
    assert sight(part * 1_000_000) is Sight.FAR
    sight(part * (1024 // len(part)))


@pytest.mark.parametrize("text", ["", "a" * 50, "river" * 1000 + "bank" * 10, "ab" * 20 + "c" * 3000])
def test_no_repetition(text: str) -> None:
    assert end_of_repetition(text, len(text) // 4, 10, 80, lambda _: 0, lambda _: []) == []
