"""The kind `batch_accuracy`: the accuracy of each batch of test images, as report B draws it after training."""

import numpy as np
import pandas as pd

from stages.lib.figures import BatchAccuracy
from stages.plot.evaluations import Evaluations
from stages.plot.style import Sheet, stroke

BATCH = 50


def read(figure: BatchAccuracy, evaluations: Evaluations) -> pd.DataFrame:
    """Columns run, seed, x (batch, from 1), value, smoothed (accuracy over all batches so far)."""
    frames = []
    for run, label in figure.runs.items():
        seed, rows = next(evaluations.outcomes(run, "test", "target", "prediction"))
        correct = (rows["target"] == rows["prediction"]).to_numpy(float)
        # The file goes class by class; the report's test batches are mixed.
        correct = correct[np.random.default_rng(0).permutation(len(correct))]
        batches = correct[: len(correct) // BATCH * BATCH].reshape(-1, BATCH).mean(axis=1)
        number = np.arange(1, len(batches) + 1)
        columns = {"run": label, "seed": seed, "x": number, "value": batches, "smoothed": batches.cumsum() / number}
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)


def draw(figure: BatchAccuracy, table: pd.DataFrame, sheet: Sheet) -> None:
    axes = sheet.axes(xlabel=figure.x_label, ylabel=figure.y_label)
    for index, (label, rows) in enumerate(table.groupby("run", sort=False)):
        look = stroke(index)
        axes.plot(rows["x"], rows["value"], ".", color=look.color, alpha=0.45, ms=5, zorder=2)
        axes.plot(
            rows["x"], rows["smoothed"], color=look.color, linestyle=look.dashes, linewidth=1.9, label=label, zorder=3
        )
    axes.margins(x=0.01)
    axes.locator_params(axis="x", integer=True)
