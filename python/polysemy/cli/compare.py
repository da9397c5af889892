"""`polysemy compare`: how far two uses of one word drift apart from layer to layer."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from ..encoder import Encoder
from ..errors import PolysemyError
from ..output import EncoderOutput
from ..text.words import find_word, tokens_in
from .bars import bar, supports_blocks, text_width

__all__ = ["Drift", "measure", "run"]

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Drift:
    """Cosines between two uses of a word."""

    word: str
    texts: tuple[str, str]
    places: tuple[tuple[int, int], tuple[int, int]]
    """Where the word stands: (start, end) in characters."""
    occurrences: tuple[int, int]
    tokens: tuple[list[str], list[str]]
    static: float
    """Between the rows of the token table."""
    layers: list[float]
    """Between the hidden states; 0 is the embedding output, k what layer k gives."""
    sentence: float | None
    """Between the sentence embeddings; None for a model that has none."""

    def rows(self) -> list[tuple[str, float]]:
        """Label and cosine of each step on the word's way."""
        labels = ["embedding output", *(f"layer {k}" for k in range(1, len(self.layers)))]
        return [("static row", self.static), *zip(labels, self.layers, strict=True)]


def measure(encoder: Encoder, word: str, first: str, second: str) -> Drift:
    """Encode both texts at once and compare the first use of the word in each.

    Raises ``ValueError`` when the word is not in one of them.
    """
    if encoder.tokenizer is None:
        raise PolysemyError("compare: this model has no tokenizer")
    if not word.strip():
        raise ValueError("--word: must not be empty")
    texts = (first, second)
    output = encoder.forward(texts, layers=range(encoder.spec.layers + 1))
    uses = [_Use(encoder, output, i, text, word.strip()) for i, text in enumerate(texts)]
    a, b = uses
    return Drift(
        word=word,
        texts=texts,
        places=(a.place, b.place),
        occurrences=(a.occurrences, b.occurrences),
        tokens=(a.tokens, b.tokens),
        static=_cosine(a.static(encoder), b.static(encoder)),
        layers=[_cosine(a.state(output, k), b.state(output, k)) for k in range(encoder.spec.layers + 1)],
        sentence=None if encoder.head is None else _cosine(output.pooled[0], output.pooled[1]),
    )


class _Use:
    """The first use of a word in one of the texts, as `Encoder.word_vectors` finds it."""

    def __init__(self, encoder: Encoder, output: EncoderOutput, i: int, text: str, word: str) -> None:
        spans = output.spans(i)
        uncased = encoder.tokenizer is not None and encoder.tokenizer.uncased
        places = find_word(text, word, spans, output.word_ids(i), ignore_case=uncased)
        if not places:
            case = "" if uncased else "; this model tells upper from lower case"
            raise ValueError(f"--word: {word!r} is not a word of the text {text!r}{case}")
        self.i, self.place, self.occurrences = i, places[0], len(places)
        self.group = tokens_in(self.place, spans)
        if not self.group:
            raise ValueError(
                f"--word: {word!r} stands only beyond the {encoder.max_seq_length} tokens that the model "
                f"reads of the text {text[:60]!r}..."
            )
        names, ids = output.tokens(i), output.ids(i)
        self.tokens = [names[t] for t in self.group]
        self.ids = [int(ids[t]) for t in self.group]

    def static(self, encoder: Encoder) -> NDArray[np.float64]:
        return _mean(np.stack([encoder.static_embedding(token) for token in self.ids]))

    def state(self, output: EncoderOutput, layer: int) -> NDArray[np.float64]:
        return _mean(output.hidden_state(self.i, layer)[self.group])


def _mean(rows: Floats) -> NDArray[np.float64]:
    mean: NDArray[np.float64] = rows.mean(axis=0, dtype=np.float64)
    return mean


def _cosine(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    x, y = a.astype(np.float64), b.astype(np.float64)
    length = float(np.linalg.norm(x) * np.linalg.norm(y))
    return float(np.dot(x, y)) / length if length > 0 else 0.0


def run(arguments: argparse.Namespace) -> int:
    """Print the table, or JSON, and draw the plot if one is wanted."""
    if arguments.plot is not None:
        from .plot import check_plot

        check_plot(arguments.plot)
    encoder = Encoder.from_pretrained(arguments.model, num_threads=arguments.threads)
    drift = measure(encoder, arguments.word, arguments.first, arguments.second)
    if arguments.json:
        json.dump(asdict(drift), sys.stdout, indent=2, ensure_ascii=False)
        print()
    else:
        print("\n".join(table(drift, text_width(sys.stdout), blocks=supports_blocks(sys.stdout))))
    if arguments.plot is not None:
        from .plot import draw

        draw(drift, arguments.plot)
    return 0


def table(drift: Drift, width: int, *, blocks: bool) -> list[str]:
    """The lines that are printed, none longer than ``width`` unless a text is."""
    lines = [_marked(drift, i) for i in range(2)]
    split = [tokens for tokens in drift.tokens if len(tokens) > 1]
    if split:
        lines.append(f"{drift.word!r} is {len(split[0])} tokens: {' '.join(split[0])}")
    rows = [*drift.rows()]
    label_width = max(len(label) for label, _ in rows)
    room = max(10, min(40, width - label_width - 10))
    lines += ["", f"{'':{label_width}}  cosine"]
    last = [] if drift.sentence is None else [("sentence", drift.sentence)]
    for label, cosine in [*rows, *last]:
        if last and label == last[0][0]:
            lines.append("")
        lines.append(f"{label:{label_width}}  {cosine:6.3f}  {bar(cosine, room, blocks=blocks)}".rstrip())
    return lines


def _marked(drift: Drift, i: int) -> str:
    """The text with the compared word in brackets."""
    text, (start, end) = drift.texts[i], drift.places[i]
    marked = f"{'AB'[i]}  {text[:start]}[{text[start:end]}]{text[end:]}".replace("\n", " ")
    more = drift.occurrences[i] - 1
    return f"{marked}   (the first of {more + 1})" if more else marked
