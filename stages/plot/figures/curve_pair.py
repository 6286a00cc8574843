"""The kind `curve_pair`: two columns of the training histories side by side, such as training loss and accuracy."""

import pandas as pd

from stages.lib.figures import CurvePair
from stages.plot.bands import across_seeds, draw_band
from stages.plot.evaluations import Evaluations
from stages.plot.smoothing import smooth, thin
from stages.plot.style import Sheet, stroke


def read(figure: CurvePair, evaluations: Evaluations) -> pd.DataFrame:
    """Columns run, seed, curve, x (epoch), value, smoothed."""
    frames = []
    for run, label in figure.runs.items():
        for name in figure.curves:
            for seed, x, y in evaluations.curves(run, "epoch", name):
                columns = {"run": label, "seed": seed, "curve": name, "x": x, "value": y, "smoothed": smooth(x, y)}
                frames.append(pd.DataFrame(columns).iloc[thin(len(x))])
    return pd.concat(frames, ignore_index=True)


def draw(figure: CurvePair, table: pd.DataFrame, sheet: Sheet) -> None:
    halves = sheet.subplots(1, 2, gridspec_kw={"wspace": 0.05})
    for axes, name, y_label in zip(halves, figure.curves, figure.y_labels, strict=True):
        axes.set(xlabel=figure.x_label, ylabel=y_label)
        curve = table[table["curve"] == name]
        for index, (label, rows) in enumerate(curve.groupby("run", sort=False)):
            if rows["seed"].nunique() == 1:
                axes.plot(rows["x"], rows["value"], color=stroke(index).color, linewidth=0.7, alpha=0.28, zorder=2)
            draw_band(axes, index, label, across_seeds(rows, "smoothed"))
        axes.margins(x=0.025)
        axes.locator_params(axis="x", integer=True)
