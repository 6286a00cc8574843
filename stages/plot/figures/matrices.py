"""The kind `matrices`: small matrices of numbers side by side, and below each what was made of it."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from stages.plot.figures import FigureEntry, Sources, Table
from stages.plot.figures.style import INK, MUTED, PALETTE

GAP = 1.6


class Entry(FigureEntry):
    x_label: str = ""
    y_label: str = ""


def read(entry: Entry, sources: Sources) -> Table:
    """Run (the matrix), seed, part, x and y (column and row), value; `smoothed` repeats it for `dvc plots`."""
    rows = [
        (
            line["matrix"].replace("_", " "),
            seed,
            line["part"],
            int(line["column"]),
            int(line["row"]),
            float(line["value"]),
        )
        for run in entry.runs
        for seed, lines in sources.table(run).items()
        for line in lines
    ]
    return Table(("run", "seed", "part", "x", "row", "value", "smoothed"), [(*row, row[-1]) for row in rows])


def draw(entry: Entry, table: Table, axes: Axes) -> None:  # noqa: ARG001
    """Cells as squares with their values; those other than 0 are shaded."""
    left, bottom = 0.0, 0.0
    for matrix in dict.fromkeys(row[0] for row in table.rows):
        top, width = 0.0, 0
        for part in dict.fromkeys(row[2] for row in table.rows if row[0] == matrix):
            cells = {(row[4], row[3]): row[5] for row in table.rows if row[0] == matrix and row[2] == part}
            rows, columns = np.array(list(cells)).max(0) + 1
            axes.text(left, top - 0.45, matrix if not top else part, fontsize=9, color=INK)
            for (row, column), value in cells.items():
                shade = PALETTE[0] if value else "white"
                axes.add_patch(
                    Rectangle((left + column, top + row), 1, 1, facecolor=shade, edgecolor=MUTED, alpha=0.25)
                )
                axes.text(left + column + 0.5, top + row + 0.5, f"{value:g}", ha="center", va="center", fontsize=9)
            top += rows + GAP
            width = max(width, columns, 5)
        left, bottom = left + width + 0.8, max(bottom, top)
    axes.set_xlim(-0.3, left)
    axes.set_ylim(bottom, -1.6)
    axes.set_aspect("equal")
    axes.axis("off")
