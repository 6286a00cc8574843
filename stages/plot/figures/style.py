"""How every figure looks, and how it becomes the same bytes each time: no dates, fixed ids, fonts drawn as outlines."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

# Okabe & Ito 2008, "Color universal design": told apart with any colour vision. Their yellow is left out: too pale for
# a line on white.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#000000", "#56B4E9")
DASHES: tuple[Any, ...] = ("solid", (0, (6, 2)), (0, (2, 1.4)), (0, (7, 2, 1.5, 2)), (0, (4, 1.5, 1.5, 1.5, 1.5, 1.5)))
INK, MUTED, GRID = "#1c2430", "#5b6675", "#e3e7ec"

_RC = {
    "svg.hashsalt": "figure",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 10.5,
    "text.color": INK,
    "axes.unicode_minus": True,
    "path.simplify": True,
}


@dataclass(frozen=True)
class Stroke:
    """Colour and dashes of one run: up to 35 runs differ, and the first seven already differ in colour alone."""

    color: str
    dashes: Any


def stroke(index: int) -> Stroke:
    return Stroke(PALETTE[index % len(PALETTE)], DASHES[index % len(DASHES)])


def frame(axes: Axes) -> None:
    """Two quiet spines and a grid behind the data; also for axes that a figure adds within the sheet's."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("bottom", "left"):
        axes.spines[side].set(color=MUTED, linewidth=0.8)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=3)
    axes.tick_params(which="both", color=MUTED, labelcolor=MUTED)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set_color(INK)


class Sheet:
    """One figure with a title, one pair of axes, a legend above them and a footer that names the data."""

    def __init__(self, title: str, footer: str, sample: bool) -> None:
        with rc_context(_RC):
            self.figure = Figure(figsize=(6.4, 4.4), dpi=100, facecolor="white")
            self.axes: Axes = self.figure.add_axes((0.115, 0.165, 0.85, 0.64))
            frame(self.axes)
            self.figure.text(0.02, 0.955, title, fontsize=13, fontweight="bold", va="center")
            self.figure.text(0.02, 0.022, footer, fontsize=7.5, color=MUTED, va="center")
            if sample:
                self.axes.text(
                    *(0.5, 0.5, "sample data"),
                    transform=self.axes.transAxes,
                    fontsize=42,
                    fontweight="bold",
                    color=MUTED,
                    alpha=0.13,
                    rotation=20,
                    ha="center",
                    va="center",
                    zorder=0.5,
                )

    def legend(self) -> None:
        """A legend of as few rows as fit between title and axes; the axes give way to the rows."""
        handles, labels = self.axes.get_legend_handles_labels()
        if not labels:
            return
        rows = next(n for n in range(1, len(labels) + 1) if n == len(labels) or _width(labels, n) < 0.96)
        left, bottom, width, _ = self.axes.get_position().bounds
        self.axes.set_position((left, bottom, width, 0.9 - 0.052 * rows - bottom))
        self.figure.legend(
            handles,
            labels,
            loc="upper left",
            bbox_to_anchor=(0.008, 0.93),
            ncols=-(-len(labels) // rows),
            frameon=False,
            fontsize=9.5,
            labelcolor=INK,
            handlelength=2.6,
            columnspacing=1.6,
            labelspacing=0.4,
        )

    def save_svg(self, path: Path) -> None:
        with rc_context(_RC):
            FigureCanvasSVG(self.figure).print_svg(path, metadata={"Date": None, "Creator": None})

    def save_png(self, path: Path) -> None:
        """Twice the screen's resolution, so that it stays sharp in a README."""
        with rc_context(_RC):
            self.figure.set_dpi(200)
            FigureCanvasAgg(self.figure).print_png(path, metadata={"Software": None})


def _width(labels: list[str], rows: int) -> float:
    """About how much of the sheet's width a legend takes: 1.2 % a character, 8.5 % a line sample with its gaps."""
    return sum(0.085 + 0.0118 * max(map(len, labels[i : i + rows])) for i in range(0, len(labels), rows))
