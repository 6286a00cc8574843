"""The kind `matrices`: small matrices of a computed statement side by side, and below each what was made of it.

Reads tables with the columns matrix, part, row, column and value.
"""

import pandas as pd
from matplotlib.patches import Rectangle

from stages.lib.figures import Matrices
from stages.plot.evaluations import Evaluations
from stages.plot.style import INK, MUTED, PALETTE, Sheet

_BETWEEN = 1.6  # cells between a matrix and what is below it


def read(figure: Matrices, evaluations: Evaluations) -> pd.DataFrame:
    """Columns run (the matrix), seed, part, x (column), row, value; `smoothed` repeats the value for `dvc plots`."""
    frames = []
    for run in figure.runs:
        for seed, rows in evaluations.tables(run, "matrix", "part", "row", "column", "value"):
            columns = {"run": rows["matrix"].str.replace("_", " "), "seed": seed, "part": rows["part"]}
            columns |= {"x": rows["column"].astype(int), "row": rows["row"].astype(int)}
            columns |= {"value": rows["value"], "smoothed": rows["value"]}
            frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)


def draw(figure: Matrices, table: pd.DataFrame, sheet: Sheet) -> None:  # noqa: ARG001
    """Cells as squares with their values; those other than 0 are shaded."""
    axes = sheet.axes()
    left, bottom = 0.0, 0.0
    for matrix, parts in table.groupby("run", sort=False):
        top, width = 0.0, 0
        for part, cells in parts.groupby("part", sort=False):
            axes.text(left, top - 0.45, part if top else matrix, fontsize=9, color=INK)
            for cell in cells.itertuples():
                at = (left + cell.x, top + cell.row)
                shade = PALETTE[0] if cell.value else "white"
                axes.add_patch(Rectangle(at, 1, 1, facecolor=shade, edgecolor=MUTED, alpha=0.25))
                axes.text(at[0] + 0.5, at[1] + 0.5, f"{cell.value:g}", ha="center", va="center", fontsize=9)
            top += cells["row"].max() + 1 + _BETWEEN
            # Names take about five cells.
            width = max(width, cells["x"].max() + 1, 5)
        left, bottom = left + width + 0.8, max(bottom, top)
    axes.set_xlim(-0.3, left)
    axes.set_ylim(bottom, -1.6)
    axes.set_aspect("equal")
    sheet.set_height(6.2 * (bottom + 1.6) / (left + 0.3))
    axes.axis("off")
