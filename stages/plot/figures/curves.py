"""The kind `curves`: one column of the training histories against steps or epochs, a line a run.

One seed: a smoothed line over the faint values as logged. Several: the mean of the seeds' smoothed curves over a band
from the lowest to the highest of them.
"""

import numpy as np
import pandas as pd

from stages.lib.errors import InputError
from stages.lib.figures import Curves
from stages.plot.bands import across_seeds, draw_band
from stages.plot.evaluations import Evaluations
from stages.plot.smoothing import smooth, smooth_log, thin
from stages.plot.style import MUTED, Sheet, stroke


def read(figure: Curves, evaluations: Evaluations) -> pd.DataFrame:
    """Columns run, seed, x, value, smoothed: smoothed over all points, then thinned."""
    frames = []
    for run, label in figure.runs.items():
        for seed, x, y in evaluations.curves(run, figure.x, figure.curve):
            x = x * figure.counts_as.get(run, 1)
            if figure.y_scale == "log" and y.min() <= 0:
                raise InputError(f"y_scale = log, but {figure.curve} of {run}, seed {seed} has values of 0 or below")
            smoothed = smooth_log(x, y) if figure.y_scale == "log" else smooth(x, y)
            rows = pd.DataFrame({"run": label, "seed": seed, "x": x, "value": y, "smoothed": smoothed})
            frames.append(rows.iloc[thin(len(rows))])
    return pd.concat(frames, ignore_index=True)


def draw(figure: Curves, table: pd.DataFrame, sheet: Sheet) -> None:
    axes = sheet.axes(xlabel=figure.x_label, ylabel=figure.y_label, yscale=figure.y_scale)
    visible = []
    for index, (label, rows) in enumerate(table.groupby("run", sort=False)):
        band = across_seeds(rows, "smoothed", geometric=figure.y_scale == "log")
        visible += [band["low"], band["high"]]
        if rows["seed"].nunique() == 1:
            axes.plot(rows["x"], rows["value"], color=stroke(index).color, linewidth=0.7, alpha=0.28, zorder=2)
            # Single spikes may leave the figure; the smoothed lines and nearly all logged values stay in it.
            visible.append(np.percentile(rows["value"], (1, 99)))
        draw_band(axes, index, label, band)
    if figure.reference:
        value = figure.reference.value
        axes.axhline(value, color=MUTED, linewidth=1.2, linestyle=(0, (1, 2)), label=figure.reference.label, zorder=1.5)
        visible.append([value])
    values = np.concatenate(visible)
    low, high = values.min(), values.max()
    if figure.y_scale == "log":
        axes.set_ylim(low / 1.2, high * 1.2)
    else:
        margin = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
        axes.set_ylim(low - margin, high + margin)
    axes.margins(x=0.01)
    axes.locator_params(axis="x", integer=True)
