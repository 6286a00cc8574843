"""The kind `levels`: a dot plot of one number of each run with its interval, beside the numbers of the report."""

import numpy as np
import pandas as pd

from stages.lib.figures import Levels
from stages.plot.evaluations import Evaluations
from stages.plot.intervals import seeds_with_interval
from stages.plot.style import INK, PALETTE, Sheet


def read(figure: Levels, evaluations: Evaluations) -> pd.DataFrame:
    """Columns run, seed, x (the run's row, from 1), value (of the seed), smoothed (mean), low, high and reported."""
    table = seeds_with_interval(figure.runs, figure.metric, evaluations)
    rows = {run: number for number, run in enumerate(figure.runs, start=1)}
    table = table.assign(x=table["id"].map(rows), reported=table["id"].map(figure.reported).astype(float))
    return table[["run", "seed", "x", "value", "smoothed", "low", "high", "reported"]]


def draw(figure: Levels, table: pd.DataFrame, sheet: Sheet) -> None:
    runs = table.drop_duplicates("run")
    sheet.set_height(0.8 + 0.4 * len(runs))
    axes = sheet.axes(xlabel=figure.x_label, ylabel=figure.y_label, xscale=figure.x_scale)
    color, row = PALETTE[0], runs["x"]
    axes.hlines(row, runs["low"], runs["high"], color=color, linewidth=2.2, zorder=2)
    axes.plot(runs["smoothed"], row, "o", color=color, ms=7, label="measured", zorder=3)
    axes.plot(table["value"], table["x"] + 0.22, "o", color=color, ms=3, alpha=0.55, zorder=2)
    if runs["reported"].notna().any():
        axes.plot(runs["reported"], row, "D", mfc="none", mec=INK, mew=1.4, ms=8, label="report", zorder=4)
    axes.set_yticks(row, runs["run"])
    axes.set_ylim(len(runs) + 0.6, 0.4)
    axes.grid(visible=False, axis="y")
    axes.margins(x=0.06)
    if figure.x_scale == "linear" and np.ptp(table["value"]) == 0 and runs["reported"].isna().all():
        axes.set_xlim(*(table["value"].iloc[0] + np.array([-0.5, 0.5])))
