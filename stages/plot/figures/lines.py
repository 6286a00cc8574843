"""The kind `lines`: the series of a computed statement's table, y against x; columns series, x and y."""

import pandas as pd

from stages.lib.figures import Lines
from stages.plot.bands import across_seeds, draw_band
from stages.plot.evaluations import Evaluations
from stages.plot.style import Sheet


def read(figure: Lines, evaluations: Evaluations) -> pd.DataFrame:
    """Columns run (the series), seed, x, value and smoothed, which repeats the value."""
    frames = []
    for run in figure.runs:
        for seed, rows in evaluations.tables(run, "series", "x", "y"):
            columns = {"run": rows["series"], "seed": seed, "x": rows["x"], "value": rows["y"], "smoothed": rows["y"]}
            frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)


def draw(figure: Lines, table: pd.DataFrame, sheet: Sheet) -> None:
    axes = sheet.axes(xlabel=figure.x_label, ylabel=figure.y_label, xscale=figure.x_scale, yscale=figure.y_scale)
    for index, (series, rows) in enumerate(table.groupby("run", sort=False)):
        draw_band(axes, index, series, across_seeds(rows, "smoothed", geometric=figure.y_scale == "log"))
    axes.margins(x=0.01)
