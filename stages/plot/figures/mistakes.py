"""The kind `mistakes`: the test images that a run was most sure of and wrong about, of its first seed.

Evaluation keeps them as plot samples: `images` [n, H, W, 3] bytes, `index`, `target`, `prediction`, `confidence` [n].
"""

import numpy as np
import pandas as pd

from stages.lib.errors import InputError
from stages.lib.figures import Mistakes
from stages.plot.evaluations import Evaluations
from stages.plot.style import INK, Sheet

COLUMNS = 5


def read(figure: Mistakes, evaluations: Evaluations) -> pd.DataFrame:
    """Columns run, seed, x (position in the test split), target, prediction, value and smoothed (the confidence),
    side (pixels) and the image's bytes as hexadecimal digits.
    """
    ((run, label),) = figure.runs.items()
    seed, samples = next(iter(evaluations.plot_samples(run).items()))
    if max(samples["target"].max(initial=0), samples["prediction"].max(initial=0)) >= len(figure.classes):
        raise InputError(f"classes: {len(figure.classes)} names, but {run} knows more classes")
    return pd.DataFrame(
        {
            "run": label,
            "seed": seed,
            "x": samples["index"],
            "target": [figure.classes[i] for i in samples["target"]],
            "prediction": [figure.classes[i] for i in samples["prediction"]],
            "value": samples["confidence"],
            "smoothed": samples["confidence"],
            "side": samples["images"].shape[1],
            "pixels": [np.ascontiguousarray(image).tobytes().hex() for image in samples["images"]],
        }
    )


def draw(figure: Mistakes, table: pd.DataFrame, sheet: Sheet) -> None:  # noqa: ARG001
    rows = max(-(-len(table) // COLUMNS), 1)
    cells = sheet.subplots(rows, COLUMNS)
    sheet.set_height(1.62 * rows)
    for axes in cells:
        axes.axis("off")
    for axes, image in zip(cells, table.itertuples(), strict=False):
        pixels = np.frombuffer(bytes.fromhex(image.pixels), np.uint8).reshape(image.side, -1, 3)
        axes.imshow(pixels, interpolation="nearest")
        below = f"{image.prediction} {image.value:.0%}\nis: {image.target}"
        axes.text(0.5, -0.05, below, transform=axes.transAxes, ha="center", va="top", fontsize=8.5, color=INK)
