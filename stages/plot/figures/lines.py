"""The kind `lines`: the series of one run's table, y against x; several seeds as their mean over a band."""

from typing import Literal

import numpy as np
from matplotlib.axes import Axes

from stages.plot.figures import FigureEntry, Sources, Table
from stages.plot.figures.style import stroke


class Entry(FigureEntry):
    x_label: str
    y_label: str
    x_scale: Literal["linear", "log"] = "linear"
    y_scale: Literal["linear", "log"] = "linear"


def read(entry: Entry, sources: Sources) -> Table:
    """Run (the series' name), seed, x, value and smoothed; the last two are the same, as nothing is smoothed here."""
    rows = [
        (line["series"], seed, float(line["x"]), float(line["y"]), float(line["y"]))
        for run in entry.runs
        for seed, lines in sources.table(run).items()
        for line in lines
    ]
    return Table(("run", "seed", "x", "value", "smoothed"), rows)


def draw(entry: Entry, table: Table, axes: Axes) -> None:
    """A line a series; over several seeds the mean (on a log axis the geometric one), and lowest to highest."""
    for index, series in enumerate(dict.fromkeys(row[0] for row in table.rows)):
        look = stroke(index)
        seeds: dict[int, list[tuple[float, float]]] = {}
        for _, seed, x, value, _ in (row for row in table.rows if row[0] == series):
            seeds.setdefault(seed, []).append((x, value))
        x, _ = np.array(next(iter(seeds.values()))).T
        values = np.array([[value for _, value in points] for points in seeds.values()])
        middle = np.exp(np.log(values).mean(0)) if entry.y_scale == "log" else values.mean(0)
        marker = "o" if len(x) < 12 else ""
        axes.fill_between(x, values.min(0), values.max(0), color=look.color, alpha=0.16, linewidth=0, zorder=2)
        axes.plot(
            x,
            middle,
            color=look.color,
            linestyle=look.dashes,
            linewidth=1.9,
            marker=marker,
            ms=4,
            label=series,
            zorder=3,
        )
    axes.set_xscale(entry.x_scale)
    axes.set_yscale(entry.y_scale)
    axes.set_xlabel(entry.x_label)
    axes.set_ylabel(entry.y_label)
    axes.margins(x=0.01)
