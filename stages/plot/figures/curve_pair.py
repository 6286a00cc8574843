"""The kind `curve_pair`: two columns of the training histories side by side, such as training loss and accuracy."""

from typing import Literal

import numpy as np
from matplotlib.axes import Axes

from stages.plot.figures import FigureEntry, Sources, Table
from stages.plot.figures.curves import number, smooth, thin
from stages.plot.figures.style import frame, stroke


class Entry(FigureEntry):
    """`curves` and `y_labels`: the two columns, left and right, and what their axes say."""

    curves: tuple[str, str]
    y_labels: tuple[str, str]
    x: Literal["step", "epoch"] = "epoch"
    x_label: str
    y_label: str = ""


def read(entry: Entry, sources: Sources) -> Table:
    """Run, seed, curve, x, value, smoothed."""
    rows = []
    for run, label in entry.runs.items():
        for name in entry.curves:
            for seed, curve in sources.history(run, entry.x, name).items():
                smoothed = smooth(np.array(curve.y))
                rows += [
                    (label, seed, name, number(curve.x[i]), curve.y[i], float(smoothed[i])) for i in thin(len(curve.x))
                ]
    return Table(("run", "seed", "curve", "x", "value", "smoothed"), rows)


def draw(entry: Entry, table: Table, axes: Axes) -> None:
    """A line a run and seed; both halves share their legend."""
    axes.axis("off")
    for side, (name, y_label) in enumerate(zip(entry.curves, entry.y_labels, strict=True)):
        half = axes.inset_axes((0.57 * side, 0, 0.43, 1))
        half.set_facecolor("none")
        frame(half)
        for index, run in enumerate(dict.fromkeys(row[0] for row in table.rows)):
            look = stroke(index)
            seeds: dict[int, list[tuple[float, float]]] = {}
            for _, seed, curve, x, _, value in (row for row in table.rows if row[0] == run):
                if curve == name:
                    seeds.setdefault(seed, []).append((x, value))
            for points in seeds.values():
                marker = "o" if len(points) < 12 else ""
                half.plot(*zip(*points, strict=True), color=look.color, linestyle=look.dashes, marker=marker, ms=4)
            if not side:
                axes.plot([], [], color=look.color, linestyle=look.dashes, label=run)
        half.set_xlabel(entry.x_label)
        half.set_ylabel(y_label)
        half.margins(x=0.025)
        half.locator_params(axis="x", integer=True)
