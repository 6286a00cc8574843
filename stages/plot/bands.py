"""Lines of runs with several seeds: their mean over a band from the lowest to the highest of them."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from stages.plot.style import stroke

#: Curves with fewer points than this show them.
FEW = 12


def across_seeds(rows: pd.DataFrame, y: str, geometric: bool = False) -> pd.DataFrame:
    """Columns x, mean, low, high of the seeds' curves, over the stretch of x that all of them cover.

    rows: columns seed, x and `y`, x rising within a seed. geometric: the mean of logarithms, for numbers that span
    decades.
    """
    curves = [(part["x"].to_numpy(float), part[y].to_numpy(float)) for _, part in rows.groupby("seed", sort=True)]
    first, last = max(x[0] for x, _ in curves), min(x[-1] for x, _ in curves)
    x = max((x for x, _ in curves), key=len)
    x = x[(x >= first) & (x <= last)]
    values = np.stack([np.interp(x, *curve) for curve in curves])
    mean = np.exp(np.log(values).mean(0)) if geometric else values.mean(0)
    return pd.DataFrame({"x": x, "mean": mean, "low": values.min(0), "high": values.max(0)})


def draw_band(axes: Axes, index: int, label: str, band: pd.DataFrame, width: float = 1.9) -> None:
    """The mean as a line in the colour and dashes of run `index`, and the band where seeds differ."""
    look = stroke(index)
    if (band["low"] < band["high"]).any():
        axes.fill_between(band["x"], band["low"], band["high"], color=look.color, alpha=0.16, linewidth=0, zorder=2)
    axes.plot(
        *(band["x"], band["mean"]),
        color=look.color,
        linestyle=look.dashes,
        linewidth=width,
        marker="o" if len(band) < FEW else "",
        ms=4,
        label=label,
        zorder=3,
    )
