"""Draws docs/images/bank.png: twelve uses of one word, of two meanings. Needs matplotlib, the default model.

python docs/plots/bank.py [FILE]
"""

from __future__ import annotations

import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import polysemy
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

FINANCE = {
    "I deposited money in the bank": "deposited money",
    "The bank approved our loan": "approved our loan",
    "She opened an account at the bank": "opened an account",
    "The bank raised its interest rates": "interest rates",
    "He robbed a bank and fled": "robbed",
    "My bank charges a fee for every transfer": "charges a fee",
}
RIVERSIDE = {
    "We sat on the bank of the river": "sat … of the river",
    "The fisherman rested on the bank": "fisherman rested",
    "Reeds grow along the muddy bank": "reeds, muddy",
    "The boat drifted to the far bank": "boat, the far bank",
    "The river burst its bank after the storm": "river burst",
    "Ducks nest on the bank of the stream": "ducks, stream",
}
COLOURS = ("#b5541c", "#1f5fa8")
Vectors = NDArray[np.float64]


def directions(encoder: polysemy.Encoder, layer: int) -> Vectors:
    """The vectors of the word after a layer, scaled to length 1: first finance, then riverside."""
    texts = [*FINANCE, *RIVERSIDE]
    vectors = np.array([encoder.word_vectors(text, "bank", layer)[0] for text in texts], dtype=np.float64)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def cosines(vectors: Vectors) -> tuple[list[float], list[float]]:
    """Cosines of all pairs: of the same meaning, of different meanings."""
    same: list[float] = []
    different: list[float] = []
    for i, j in combinations(range(len(vectors)), 2):
        group = same if (i < len(FINANCE)) == (j < len(FINANCE)) else different
        group.append(float(vectors[i] @ vectors[j]))
    return same, different


def draw_layers(axes: Axes, encoder: polysemy.Encoder) -> None:
    layers = range(len(encoder.spec.layers) + 1)
    pairs = [cosines(directions(encoder, layer)) for layer in layers]
    for group, label, colour in ((0, "the same meaning", "#3a7d44"), (1, "different meanings", "#7a4b94")):
        values = [pair[group] for pair in pairs]
        axes.plot(layers, [np.mean(v) for v in values], marker="o", color=colour, label=label)
        low, high = np.transpose([np.percentile(v, (25, 75)) for v in values])
        axes.fill_between(layers, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.set_xlabel("layer (0: embedding output)")
    axes.set_ylabel("cosine between two uses of “bank”")
    axes.set_title("pairs of uses: mean and middle half")
    axes.legend(frameon=False)
    axes.grid(alpha=0.3)


def draw_plane(axes: Axes, encoder: polysemy.Encoder) -> None:
    """The two directions along which the twelve vectors differ most (principal components)."""
    vectors = directions(encoder, len(encoder.spec.layers))
    centred = vectors - vectors.mean(axis=0)
    plane = centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T
    plane *= np.sign(plane[0])  # the sign of a principal component means nothing; fix it
    labels = [*FINANCE.values(), *RIVERSIDE.values()]
    for i, (point, label) in enumerate(zip(plane, labels, strict=True)):
        colour = COLOURS[i >= len(FINANCE)]
        axes.plot(*point, "o", color=colour)
        # The finance group lies to the right: its labels go outwards, and so do the others'.
        shift, side = ((7, -3), "left") if i < len(FINANCE) else ((-7, -3), "right")
        axes.annotate(label, point, shift, textcoords="offset points", color=colour, fontsize=8, ha=side)
    axes.margins(x=0.35)
    axes.set_title(f"“bank” after layer {len(encoder.spec.layers)}, in two dimensions")
    axes.set_xticks([])
    axes.set_yticks([])


def main(path: Path) -> None:
    encoder = polysemy.Encoder.from_pretrained()
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    draw_layers(left, encoder)
    draw_plane(right, encoder)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=100)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "images" / "bank.png")
