"""The kind `forecast`: what was predicted along a sequence beside what came, or how the error grows on the way.

Reads the predictions that evaluation left: lists with None where a real point was known.
"""

import ast
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes

from stages.lib.errors import InputError
from stages.plot.figures import FigureEntry, Sources, Table
from stages.plot.figures.curves import smooth
from stages.plot.figures.style import MUTED, stroke

REAL = "real"


class Entry(FigureEntry):
    """`split`: the sequences to show · `from_first`: forecasts from the first point, else those from the middle ·
    `example`: which of them (values).
    """

    show: Literal["values", "error"] = "values"
    split: str = "test"
    from_first: bool = False
    example: int = 0
    x_label: str
    y_label: str


def read(entry: Entry, sources: Sources) -> Table:
    """Values: the first seed's forecasts of one sequence, and the sequence. Error: mean square over all, every seed."""
    rows: list[tuple[Any, ...]] = []
    for run, label in entry.runs.items():
        for seed, lines in sources.table(run).items():
            pairs = [
                (ast.literal_eval(line["target"]), ast.literal_eval(line["prediction"]))
                for line in lines
                if line["split"] == entry.split
            ]
            known = {pair[1].count(None) for pair in pairs}
            start = min(known) if entry.from_first else max(known)
            pairs = [(real, forecast) for real, forecast in pairs if forecast.count(None) == start]
            if entry.show == "error":
                errors = np.mean([np.subtract(f[start:], real[start:]) ** 2 for real, f in pairs], axis=0)
                # Errors span decades, and a forecast crosses the real curve now and then: smoothed as logarithms.
                smoothed = np.exp(smooth(np.log(np.maximum(errors, 1e-12))))
                rows += [(label, seed, x + 1, y, z) for x, (y, z) in enumerate(zip(errors, smoothed, strict=True))]
                continue
            if entry.example >= len(pairs):
                raise InputError(f"reports.yaml: a figure's example {entry.example}: the run {run!r} has {len(pairs)}")
            real, forecast = pairs[entry.example]
            if not rows:
                rows += [(REAL, 0, x, y, y) for x, y in enumerate(real)]
            rows += [(label, seed, x, forecast[x], forecast[x]) for x in range(start, len(forecast))]
            break
    return Table(("run", "seed", "x", "value", "smoothed"), rows)


def draw(entry: Entry, table: Table, axes: Axes) -> None:
    """Real points grey and thick below the forecasts; errors on a log axis, the mean of seeds over their band."""
    for index, run in enumerate(name for name in dict.fromkeys(row[0] for row in table.rows) if name != REAL):
        look = stroke(index)
        seeds: dict[int, list[tuple[float, float]]] = {}
        for _, seed, x, _, value in (row for row in table.rows if row[0] == run):
            seeds.setdefault(seed, []).append((x, value))
        x, _ = np.array(next(iter(seeds.values()))).T
        values = np.array([[value for _, value in points] for points in seeds.values()])
        if entry.show == "error":
            axes.fill_between(x, values.min(0), values.max(0), color=look.color, alpha=0.16, linewidth=0, zorder=2)
            values = np.exp(np.log(values).mean(0, keepdims=True))
        axes.plot(x, values[0], color=look.color, linestyle=look.dashes, linewidth=1.6, label=run, zorder=3)
    real = np.array([(row[2], row[3]) for row in table.rows if row[0] == REAL])
    if len(real):
        axes.plot(*real.T, color=MUTED, linewidth=3.2, alpha=0.45, label=REAL, zorder=2)
    if entry.show == "error":
        axes.set_yscale("log")
    axes.set_xlabel(entry.x_label)
    axes.set_ylabel(entry.y_label)
    axes.margins(x=0.01)
