"""The curve of `polysemy compare` as a picture."""

from __future__ import annotations

from pathlib import Path

from .drift import Drift
from .outfile import check_writable, replacing

__all__ = ["check_plot", "draw"]

_FORMATS = (".png", ".svg", ".pdf")


def check_plot(path: Path) -> None:
    """Find out before the work whether a picture can be drawn there. Raises ``ValueError`` or ``OSError``."""
    if path.suffix.lower() not in _FORMATS:
        raise ValueError(f"--plot: the ending must be one of {', '.join(_FORMATS)}, got {path.name!r}")
    check_writable(path)
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise ValueError("--plot needs matplotlib: pip install matplotlib") from None


def draw(drift: Drift, path: Path) -> None:
    """Write the picture."""
    from matplotlib.figure import Figure

    rows = drift.rows()
    places = range(len(rows))
    cosines = [cosine for _, cosine in rows]
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(places, cosines, marker="o", color="#1f5fa8")
    for place, cosine in zip(places, cosines, strict=True):
        axes.annotate(f"{cosine:.2f}", (place, cosine), (0, 7), textcoords="offset points", ha="center")
    labels = ["static\nrow", "embedding\noutput", "layer\n1", *map(str, range(2, len(drift.layers)))]
    axes.set_xticks(places, labels[: len(rows)])
    axes.set_ylim(min(0.0, *cosines) - 0.02, 1.1)
    axes.set_ylabel(f"cosine between the two uses of “{drift.word}”")
    axes.set_title("\n".join(drift.texts), fontsize=10)
    axes.grid(axis="y", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    with replacing(path) as part:
        figure.savefig(part, format=path.suffix[1:].lower(), dpi=120)
