"""Long runs that are one token or none: shortened, and only where their length makes no difference."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from polysemy.errors import TokenizerError
from polysemy.text.joined import JoinedEncoding
from polysemy.text.tokenizer import TextTokenizer
from tokenizer_folders import TEXTS, charsmap, counted, sentencepiece
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

FIELDS = ("ids", "tokens", "offsets", "word_ids")
LETTERS = sorted({letter for text in TEXTS for letter in text} - {" "})
EMOJI, PRIVATE, MARK, CEDILLA = "\U0001f642\U0001f3e6", "\ue000", "\u0302", "\u0327"


def unigram(
    splitters: list[pre_tokenizers.PreTokenizer], normalizer: normalizers.Normalizer | None
) -> Tokenizer:
    scores = {"<unk>": 0.0, "\u2581": -2.0, **dict.fromkeys(LETTERS, -3.0), "th": -3.5, "\u2581th": -4.0}
    tokenizer = Tokenizer(models.Unigram([*scores.items()], unk_id=0))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(splitters)
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    return tokenizer


def byte_pairs(**options: bool) -> Tokenizer:
    spelled = [f"<0x{byte:02X}>" for byte in range(256)] if options.get("byte_fallback") else []
    numbers = {entry: i for i, entry in enumerate(["<unk>", *spelled, "\u2581", *LETTERS, "th"])}
    tokenizer = Tokenizer(models.BPE(numbers, [("t", "h")], unk_token="<unk>", **options))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    return tokenizer


def some_spaces(pattern: str) -> normalizers.Normalizer:
    return normalizers.Replace(Regex(pattern), " ")


METASPACE, SPLIT = pre_tokenizers.Metaspace(), pre_tokenizers.WhitespaceSplit()
# A tokenizer, a run, and whether it is one token or none.
CASES: dict[str, tuple[Callable[[], Tokenizer], str, bool]] = {
    "unknown": (lambda: unigram([METASPACE], None), EMOJI, True),
    "unknown, split before": (lambda: unigram([SPLIT, METASPACE], None), PRIVATE, True),
    "unknown, made of letters": (lambda: unigram([METASPACE], normalizers.NFKC()), "\u00bd\u2177", False),
    "unknown, composed": (lambda: unigram([METASPACE], normalizers.NFC()), "\u1100\u1161", False),
    "unknown, with marks": (lambda: unigram([METASPACE], None), 8 * PRIVATE + MARK, True),
    "unknown, marks in order": (lambda: unigram([METASPACE], normalizers.NFC()), 8 * PRIVATE + MARK + CEDILLA, False),
    "unknown, a mark in order": (lambda: unigram([METASPACE], normalizers.NFC()), 8 * PRIVATE + CEDILLA, True),
    "marks": (lambda: unigram([METASPACE], normalizers.NFC()), MARK + CEDILLA, False),
    "unknown, two at a time": (lambda: unigram([METASPACE], normalizers.Replace(2 * PRIVATE, "e")), PRIVATE, False),
    "unknown, split": (lambda: unigram([pre_tokenizers.Punctuation(), METASPACE], None), "\u2020", False),
    "unknown, by bytes": (lambda: byte_pairs(byte_fallback=True, fuse_unk=True), EMOJI, False),
    "unknown, fused": (lambda: byte_pairs(fuse_unk=True), EMOJI, True),
    "unknown, not fused": (lambda: byte_pairs(fuse_unk=False), EMOJI, False),
    "letters": (lambda: unigram([METASPACE], None), "the", False),
    "gone": (lambda: unigram([METASPACE], normalizers.BertNormalizer()), "\x00\u200b", True),
    "gone, split": (lambda: unigram([pre_tokenizers.Punctuation()], normalizers.BertNormalizer()), "\x00", True),
    "unknown and gone": (lambda: unigram([METASPACE], normalizers.BertNormalizer()), 9 * EMOJI + "\x00\u200b", True),
    "spaces": (lambda: unigram([METASPACE], None), " ", False),
    "spaces, split": (lambda: unigram([SPLIT, METASPACE], None), " \n\u3000", True),
    "spaces, joined": (lambda: unigram([METASPACE], some_spaces(r"\s{2,}")), " \t", True),
    "spaces, joined by threes": (lambda: unigram([METASPACE], some_spaces(" {3}")), " ", False),
    "spaces, joined by hundreds": (lambda: unigram([METASPACE], some_spaces(" {1,500}")), " ", False),
    "spaces, stripped": (lambda: unigram([METASPACE], normalizers.Strip()), " ", False),
    "spaces, before": (lambda: unigram([METASPACE], normalizers.Prepend("a")), " ", False),
    "no letter stays": (lambda: unigram([METASPACE], normalizers.Replace("a", "")), EMOJI, False),
}  # fmt: skip


@pytest.mark.usefixtures("short_texts_are_long")
@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("kind", CASES)
def test_shortened(kind: str, side: str) -> None:
    """At the beginning, inside of words and between them, at the end: the tokens of the whole text."""
    make, part, expected = CASES[kind]
    tokenizer = TextTokenizer(make(), 16, side=side, special=False)
    draw = random.Random(kind)
    shortened = 0
    for count in (1_000, 1_001, 1_500, 4_000):
        run = "".join(draw.choices(part, k=count))
        for text in (
            run,
            "the bank" + run,
            run + "t",
            "bank th" + run + "en the bank " + run + " of",
            " " + run + " ",
        ):
            whole = tokenizer._tokenizer.encode(text)
            (found,) = tokenizer.encode([text])
            complete = tokenizer.unlimited()._tokenizer.encode(text)
            (window,) = tokenizer.unlimited().encode([text])
            runs = tokenizer._long and tokenizer._long._runs
            if runs is not None and runs.shortened(text) is not None:
                shortened += 1
            for name in FIELDS:
                values = getattr(found, name), getattr(whole, name)
                one, other = map(counted, values) if side == "left" and name == "word_ids" else values
                assert one == other, name
                assert getattr(window, name) == getattr(complete, name), name
            told, cut = tokenizer.tokens_cut(found), tokenizer.tokens_cut(whole)
            assert told == cut or 24 <= told < cut
    assert shortened == (20 if expected else 0)


@pytest.mark.usefixtures("short_texts_are_long")
@pytest.mark.parametrize("trials", [40, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("side", ["right", "left"])
def test_unknown_characters_and_others_that_are_gone(side: str, trials: int) -> None:
    """Wherever a token begins and ends in a run of both, and whether it has any."""
    draw = random.Random(side)
    gone = "\x00\u200b\ufe0f"
    shortened = 0
    for _ in range(trials):
        steps = draw.choice(
            [[normalizers.BertNormalizer()], [normalizers.NFKD(), normalizers.StripAccents()]]
        )
        tokenizer = TextTokenizer(
            unigram([METASPACE], normalizers.Sequence(steps)), 16, side=side, special=False
        )

        def stretch() -> str:
            count = draw.choice([1, 3, 60, 70, 130, 300, 1000, 3000])
            if draw.random() < 0.2:
                return draw.choice(["the bank", " ", "t", " of "])
            return "".join(draw.choices(draw.choice([EMOJI, gone, EMOJI + gone, 5 * EMOJI + gone]), k=count))

        text = "".join(stretch() for _ in range(draw.randint(3, 20)))
        whole = tokenizer._tokenizer.encode(text)
        (found,) = tokenizer.encode([text])
        for name in FIELDS:
            values = getattr(found, name), getattr(whole, name)
            one, other = map(counted, values) if side == "left" and name == "word_ids" else values
            assert one == other, name
        runs = tokenizer._long and tokenizer._long._runs
        shortened += runs is not None and runs.shortened(text) is not None
    assert shortened > trials // 2


def test_names_and_places(tmp_path: Path) -> None:
    """A token's name is what it spells, all of it, and its place that in the whole text."""
    folder = sentencepiece(tmp_path / "m", "xlm-roberta", charsmap=charsmap("\ufb01", "fi"))
    tokenizer = TextTokenizer.from_folder(
        folder, max_seq_length=None, max_positions=64, model_type="xlm-roberta"
    )
    runs = [EMOJI * 20_000, PRIVATE * 50_001]
    (found,) = tokenizer.encode([f"\ufb01{runs[0]} bank{runs[1]}\ufb01"])
    assert isinstance(found, JoinedEncoding)
    names = dict(zip(found.offsets, found.tokens, strict=True))
    assert names[1, 40_001] == runs[0]
    assert names[40_006, 90_007] == runs[1]
    assert found.offsets[-2][1] == 90_008


def test_unpaired_surrogate(tmp_path: Path) -> None:
    """Refused as in a text that is read whole."""
    folder = sentencepiece(tmp_path / "m", "xlm-roberta")
    tokenizer = TextTokenizer.from_folder(
        folder, max_seq_length=None, max_positions=64, model_type="xlm-roberta"
    )
    with pytest.raises(TokenizerError, match="a text can't be tokenized"):
        tokenizer.encode([PRIVATE * 50_000 + "\ud800"])
