"""How every figure looks, and how it becomes the same bytes each time: no dates, fixed ids, text as outlines."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Text
from matplotlib.ticker import LogFormatterSciNotation
from matplotlib.transforms import Bbox

# Okabe & Ito 2008, "Color universal design": told apart with any colour vision. Their yellow is left out: too pale
# for a line on white.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#000000", "#56B4E9")
DASHES: tuple[Any, ...] = ("solid", (0, (6, 2)), (0, (2, 1.4)), (0, (7, 2, 1.5, 2)), (0, (4, 1.5, 1.5, 1.5, 1.5, 1.5)))
INK, MUTED, GRID = "#1c2430", "#5b6675", "#e3e7ec"

#: Settings of matplotlib while a figure is drawn and saved.
RC = {
    "svg.hashsalt": "figure",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 10.5,
    "text.color": INK,
    "axes.unicode_minus": True,
    "path.simplify": True,
}

_WIDTH, _HEIGHT = 6.4, 3.5  # inches; the height is that of the axes
_SMALL = 8.0  # points
_SIDE, _GAP = 0.1, 0.08  # inches


@dataclass(frozen=True)
class Stroke:
    """Colour and dashes of one run: up to 35 runs differ, and the first seven already differ in colour alone."""

    color: str
    dashes: Any


def stroke(index: int) -> Stroke:
    return Stroke(PALETTE[index % len(PALETTE)], DASHES[index % len(DASHES)])


class PlainLog(LogFormatterSciNotation):
    """Ticks of log axes as 0.2 and 50 where that is short, and as powers of ten beyond."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        label = super().__call__(x, pos)
        return f"{x:g}" if label and 1e-3 <= abs(x) < 1e4 else label


class Sheet:
    """A figure: title and legend on top, then the axes, and below them how to read it and what the data are.

    Drawn under the settings `RC`. Title, legend and notes take the height that they need; the axes keep theirs.
    """

    def __init__(self) -> None:
        self.figure = Figure(figsize=(_WIDTH, _HEIGHT), dpi=100, facecolor="white", layout="constrained")
        FigureCanvasAgg(self.figure)
        self._height = _HEIGHT

    def axes(self, **options: Any) -> Axes:
        """The only axes of the figure, with the given options of `Figure.add_subplot`."""
        axes = self.figure.add_subplot(**options)
        _quiet(axes)
        return axes

    def subplots(self, rows: int, columns: int, **options: Any) -> list[Axes]:
        """Axes side by side or one above the other, with the given options of `Figure.subplots`."""
        grid = self.figure.subplots(rows, columns, squeeze=False, **options)
        for axes in grid.flat:
            _quiet(axes)
        return list(grid.flat)

    def set_height(self, inches: float) -> None:
        """Height of all axes together, with their labels."""
        self._height = inches

    def finish(self, title: str, reading: str, source: str, sample: bool) -> None:
        """Add all that is outside the axes, and give each its place."""
        for axes in self.figure.axes:
            axes.set_ylabel(textwrap.fill(axes.get_ylabel(), 40))
            for axis in (axes.xaxis, axes.yaxis):
                if axis.get_scale() == "log":
                    axis.set_major_formatter(PlainLog())
                    axis.set_minor_formatter(PlainLog(minor_thresholds=(1.5, 0.4)))
        above = self._text([title], fontsize=13, fontweight="bold", va="top", linespacing=1.15)
        below = self._text([reading, source], fontsize=_SMALL, color=MUTED, va="bottom", linespacing=1.25)
        legend = self._legend()

        # Everything from the top down, in inches.
        head = _SIDE + self._inches(above) + _GAP
        legend_height = self._inches(legend) if legend else 0.0
        foot = _GAP + self._inches(below) + _SIDE
        height = head + legend_height + self._height + foot
        self.figure.set_figheight(height)
        above.set_y(1 - _SIDE / height)
        below.set_y(_SIDE / height)
        if legend:
            legend.set_bbox_to_anchor((0.005, 1 - head / height), transform=self.figure.transFigure)
        side = _SIDE / _WIDTH
        place = (side, foot / height, 1 - 2 * side, self._height / height)
        self.figure.get_layout_engine().set(rect=place, w_pad=0.02, h_pad=0.02)
        if sample:
            self.figure.text(
                *(0.5, (foot + self._height / 2) / height, "sample data"),
                fontsize=42,
                fontweight="bold",
                color=MUTED,
                alpha=0.13,
                rotation=20,
                ha="center",
                va="center",
                zorder=10,
            )

    def _text(self, paragraphs: Sequence[str], **options: Any) -> Text:
        """Paragraphs at the left side, in lines as long as the sheet is wide."""
        text = self.figure.text(_SIDE / _WIDTH, 0, "", **options)
        for width in range(130, 10, -2):
            text.set_text("\n".join(textwrap.fill(paragraph, width) for paragraph in paragraphs))
            if self._box(text).width <= (_WIDTH - 2 * _SIDE) * self.figure.dpi:
                break
        return text

    def _legend(self) -> Legend | None:
        """One legend for all axes, in as many columns as the sheet's width takes."""
        entries: dict[str, Any] = {}
        for axes in self.figure.axes:
            for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
                entries.setdefault(label, handle)
        for columns in range(len(entries), 0, -1):
            legend = self.figure.legend(
                entries.values(),
                entries.keys(),
                loc="upper left",
                ncols=columns,
                frameon=False,
                fontsize=9.5,
                labelcolor=INK,
                handlelength=2.6,
                columnspacing=1.6,
                labelspacing=0.4,
                borderaxespad=0.1,
            )
            if columns == 1 or self._box(legend).width <= (_WIDTH - _SIDE) * self.figure.dpi:
                return legend
            legend.remove()
        return None

    def _box(self, artist: Artist) -> Bbox:
        """What an artist covers, in pixels."""
        return artist.get_window_extent(self.figure.canvas.get_renderer())

    def _inches(self, artist: Artist) -> float:
        return self._box(artist).height / self.figure.dpi

    def save_svg(self, path: Path) -> None:
        FigureCanvasSVG(self.figure).print_svg(path, metadata={"Date": None, "Creator": None})

    def save_png(self, path: Path) -> None:
        """Twice the screen's resolution, so that it stays sharp in a README."""
        self.figure.set_dpi(200)
        FigureCanvasAgg(self.figure).print_png(path, metadata={"Software": None})


def _quiet(axes: Axes) -> None:
    """Two quiet spines and a grid behind the data."""
    axes.set_facecolor("none")
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
