"""The kind `batch_accuracy`: the accuracy of each batch of test examples, as report B draws it after training."""

import ast

import numpy as np
from matplotlib.axes import Axes

from stages.plot.figures import FigureEntry, Sources, Table
from stages.plot.figures.style import stroke


class Entry(FigureEntry):
    batch_size: int = 50
    x_label: str
    y_label: str


def read(entry: Entry, sources: Sources) -> Table:
    """Run, seed, x (the batch, from 1), value and smoothed (the accuracy over all batches so far)."""
    rows = []
    for run, label in entry.runs.items():
        for seed, lines in sources.table(run).items():
            hits = np.array(
                [
                    int(np.argmax(ast.literal_eval(line["prediction"]))) == int(line["target"])
                    for line in lines
                    if line["split"] == "test"
                ]
            )
            # The file goes class by class; the report's test batches are mixed.
            hits = hits[np.random.default_rng(0).permutation(len(hits))]
            ends = range(entry.batch_size, len(hits) + 1, entry.batch_size)
            rows += [
                (label, seed, number, float(hits[end - entry.batch_size : end].mean()), float(hits[:end].mean()))
                for number, end in enumerate(ends, start=1)
            ]
    return Table(("run", "seed", "x", "value", "smoothed"), rows)


def draw(entry: Entry, table: Table, axes: Axes) -> None:
    """A point a batch, and the line that their mean follows."""
    for index, run in enumerate(dict.fromkeys(row[0] for row in table.rows)):
        look = stroke(index)
        seed = next(row[1] for row in table.rows if row[0] == run)
        x, value, mean = np.array([row[2:] for row in table.rows if row[:2] == (run, seed)]).T
        axes.plot(x, value, ".", color=look.color, alpha=0.45, ms=5, zorder=2)
        axes.plot(x, mean, color=look.color, linestyle=look.dashes, linewidth=1.9, label=run, zorder=3)
    axes.set_xlabel(entry.x_label)
    axes.set_ylabel(entry.y_label)
    axes.margins(x=0.01)
