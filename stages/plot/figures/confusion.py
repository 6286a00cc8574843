"""The kind `confusion`: of each class's test examples, the share that was taken for each class.

One run, its first seed. Predictions are lists with one probability a class, targets the class's number.
"""

import ast

import numpy as np
from matplotlib.axes import Axes

from stages.plot.figures import FigureEntry, Sources, Table
from stages.plot.figures.style import INK


class Entry(FigureEntry):
    """`classes`: the names, in the order of their numbers."""

    classes: list[str]
    x_label: str
    y_label: str


def read(entry: Entry, sources: Sources) -> Table:
    """Run, seed, target, x (the class that was predicted), examples, and their share of the target's (smoothed)."""
    (run, label), *_ = entry.runs.items()
    seed, lines = next(iter(sources.table(run).items()))
    counts = np.zeros((len(entry.classes), len(entry.classes)), dtype=int)
    for line in lines:
        if line["split"] == "test":
            counts[int(line["target"]), int(np.argmax(ast.literal_eval(line["prediction"])))] += 1
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    rows = [
        (label, seed, target, guess, int(counts[i, j]), float(shares[i, j]))
        for i, target in enumerate(entry.classes)
        for j, guess in enumerate(entry.classes)
    ]
    return Table(("run", "seed", "target", "x", "value", "smoothed"), rows)


def draw(entry: Entry, table: Table, axes: Axes) -> None:
    """Darker where more; per cent where there is at least half of one."""
    size = len(entry.classes)
    shares = np.array([row[-1] for row in table.rows]).reshape(size, size)
    axes.imshow(np.sqrt(shares), cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (i, j), share in np.ndenumerate(shares):
        if share >= 0.005:
            axes.text(
                j, i, f"{100 * share:.0f}", ha="center", va="center", fontsize=8, color="white" if share > 0.4 else INK
            )
    axes.set_xticks(range(size), entry.classes, rotation=30, ha="right", fontsize=8)
    axes.set_yticks(range(size), entry.classes, fontsize=8)
    axes.grid(visible=False)
    axes.set_xlabel(entry.x_label)
    axes.set_ylabel(entry.y_label)
    left, bottom, width, height = axes.get_position().bounds
    axes.set_position((left + 0.06, bottom + 0.06, width - 0.06, height + 0.03))
