"""The kind `forecast`: what was predicted along a sequence beside what came, or how the error grows on the way.

Reads the outcomes `start` (points known), `target` (the whole sequence, T points) and `forecast` (the T − start
points after those).
"""

import numpy as np
import pandas as pd

from stages.lib.figures import Forecast
from stages.plot.bands import across_seeds, draw_band
from stages.plot.evaluations import Evaluations
from stages.plot.smoothing import smooth_log, thin
from stages.plot.style import MUTED, Sheet

REAL = "real"


def read(figure: Forecast, evaluations: Evaluations) -> pd.DataFrame:
    """Columns run, seed, x, value, smoothed.

    values: the first sequence, x from 0, and the first seed's forecasts of it. error: squared error, mean over all
    sequences, of every seed, x the distance from the last known point; smoothed over all points, then thinned.
    """
    frames = []
    for run, label in figure.runs.items():
        for seed, rows in evaluations.outcomes(run, figure.split, "start", "target", "forecast"):
            start = int(rows["start"].min() if figure.from_first else rows["start"].max())
            rows = rows[rows["start"] == start]
            targets, forecasts = np.stack(rows["target"]), np.stack(rows["forecast"])
            if figure.show == "error":
                errors = ((forecasts - targets[:, start:]) ** 2).mean(axis=0, dtype=float)
                x = np.arange(1, len(errors) + 1)
                # Errors span decades; where a forecast crosses the sequence they are 0.
                smoothed = smooth_log(x, np.maximum(errors, 1e-12))
                line = pd.DataFrame({"run": label, "seed": seed, "x": x, "value": errors, "smoothed": smoothed})
                frames.append(line.iloc[thin(len(line))])
                continue
            if not frames:
                frames.append(_series(REAL, 0, 0, targets[0]))
            frames.append(_series(label, seed, start, forecasts[0]))
            break
    return pd.concat(frames, ignore_index=True)


def _series(label: str, seed: int, start: int, values: np.ndarray) -> pd.DataFrame:
    x = np.arange(start, start + len(values))
    return pd.DataFrame({"run": label, "seed": seed, "x": x, "value": values, "smoothed": values})


def draw(figure: Forecast, table: pd.DataFrame, sheet: Sheet) -> None:
    """Real points grey and thick below the forecasts; errors on a log axis."""
    is_error = figure.show == "error"
    axes = sheet.axes(xlabel=figure.x_label, ylabel=figure.y_label, yscale="log" if is_error else "linear")
    real, forecasts = table[table["run"] == REAL], table[table["run"] != REAL]
    if not is_error:
        axes.plot(real["x"], real["smoothed"], color=MUTED, linewidth=3.2, alpha=0.45, label=REAL, zorder=2)
    for index, (label, rows) in enumerate(forecasts.groupby("run", sort=False)):
        draw_band(axes, index, label, across_seeds(rows, "smoothed", geometric=is_error), width=1.6)
    axes.margins(x=0.01)
