"""The kind `mistakes`: the test images that a run was most sure of and wrong about. One run, its first seed.

Reads what evaluation laid beside the predictions: `images` [n, H, W, 3], `index`, `target`, `guess`, `confidence` [n].
"""

import numpy as np
from matplotlib.axes import Axes

from stages.plot.figures import FigureEntry, Sources, Table
from stages.plot.figures.style import INK

COLUMNS = 5


class Entry(FigureEntry):
    """`classes`: the names, in the order of their numbers."""

    classes: list[str]
    x_label: str = "image"
    y_label: str = "confidence"


def read(entry: Entry, sources: Sources) -> Table:
    """Run, seed, x (the image's place among the test images), target, guess, value and smoothed (the confidence), side,
    and its pixels as hexadecimal digits.
    """
    (run, label), *_ = entry.runs.items()
    seed, found = next(iter(sources.tensors(run).items()))
    rows = [
        (
            *(label, seed, int(found["index"][i]), entry.classes[found["target"][i]], entry.classes[found["guess"][i]]),
            *(float(found["confidence"][i]), float(found["confidence"][i])),
            *(image.shape[0], np.ascontiguousarray(image).tobytes().hex()),
        )
        for i, image in enumerate(found["images"])
    ]
    return Table(("run", "seed", "x", "target", "guess", "value", "smoothed", "side", "pixels"), rows)


def draw(entry: Entry, table: Table, axes: Axes) -> None:  # noqa: ARG001
    """Rows of images; below each what it was taken for, how surely, and what it is."""
    axes.axis("off")
    down = -(-len(table.rows) // COLUMNS)
    for place, (_, _, _, target, guess, confidence, _, side, pixels) in enumerate(table.rows):
        row, column = divmod(place, COLUMNS)
        cell = axes.inset_axes((column / COLUMNS, 1.1 - (row + 0.8) / down * 1.14, 0.9 / COLUMNS, 0.78 / down))
        image = np.frombuffer(bytes.fromhex(pixels), np.uint8).reshape(side, -1, 3)
        cell.imshow(image, interpolation="nearest")
        cell.axis("off")
        cell.text(
            *(0.5, -0.06, f"{guess} {confidence:.0%}\nis: {target}"),
            transform=cell.transAxes,
            ha="center",
            va="top",
            fontsize=7.5,
            color=INK,
        )
