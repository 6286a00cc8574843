"""The kind `confusion`: of each class's test examples, the share that was taken for each class; mean over seeds."""

import numpy as np
import pandas as pd

from stages.lib.errors import InputError
from stages.lib.figures import Confusion
from stages.plot.evaluations import Evaluations
from stages.plot.style import INK, Sheet


def read(figure: Confusion, evaluations: Evaluations) -> pd.DataFrame:
    """Columns run, seed, target and prediction (classes), x (number of the predicted class), value (examples) and
    smoothed (their share of the target's).
    """
    from sklearn.metrics import confusion_matrix

    size = len(figure.classes)
    frames = []
    for run, label in figure.runs.items():
        for seed, rows in evaluations.outcomes(run, "test", "target", "prediction"):
            if rows[["target", "prediction"]].to_numpy().max() >= size:
                raise InputError(f"classes: {size} names, but {run} knows more classes")
            counts = confusion_matrix(rows["target"], rows["prediction"], labels=range(size))
            shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
            columns = {"run": label, "seed": seed, "target": np.repeat(figure.classes, size)}
            columns |= {"prediction": figure.classes * size, "x": np.tile(range(size), size)}
            columns |= {"value": counts.ravel(), "smoothed": shares.ravel()}
            frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)


def draw(figure: Confusion, table: pd.DataFrame, sheet: Sheet) -> None:
    """Darker where more; per cent where there is at least half of one."""
    axes = sheet.axes(xlabel=figure.x_label, ylabel=figure.y_label)
    names = figure.classes
    shares = table.pivot_table(index="target", columns="prediction", values="smoothed").loc[names, names].to_numpy()
    axes.imshow(np.sqrt(shares), cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), share in np.ndenumerate(shares):
        if share >= 0.005:
            color = "white" if share > 0.4 else INK
            axes.text(column, row, f"{100 * share:.0f}", ha="center", va="center", fontsize=8.5, color=color)
    axes.set_xticks(range(len(names)), names, rotation=30, ha="right", rotation_mode="anchor", fontsize=9)
    axes.set_yticks(range(len(names)), names, fontsize=9)
    axes.grid(visible=False)
