"""The kind `curves`: one column of the training histories against steps or epochs, a line a run.

One seed: a smoothed line over the faint raw values. Several: the mean of the seeds' smoothed curves over a band from
the lowest to the highest of them.
"""

from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from pydantic import BaseModel, ConfigDict, model_validator

from stages.lib.errors import InputError
from stages.plot.figures import FigureEntry, Sources, Table
from stages.plot.figures.style import MUTED, stroke

POINTS = 300


class Reference(BaseModel):
    """A horizontal line, such as the value that a report gives."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    value: float
    label: str


class Entry(FigureEntry):
    curve: str
    x: Literal["step", "epoch"] = "step"
    x_label: str
    y_label: str
    x_max: float | None = None
    y_range: tuple[float, float] | None = None
    y_scale: Literal["linear", "log"] = "linear"
    reference: Reference | None = None
    #: How much one unit of x counts for in some runs, such as a step that evaluates the loss many times.
    counts_as: dict[str, float] = {}

    @model_validator(mode="after")
    def _range_rises(self) -> "Entry":
        if self.y_range and self.y_range[0] >= self.y_range[1]:
            raise ValueError("y_range wants the lower end first")
        return self


def smooth(values: np.ndarray, reach: int | None = None) -> np.ndarray:
    """Local straight-line fits with tricube weights over `reach` neighbours on each side (Cleveland 1979); [n] → [n].

    A straight line comes back unchanged, and so do the ends of a curve: a moving average would lift or lower them.
    Without `reach` it is a twentieth of the length; short curves stay as they are. Where a line points beyond all
    values, to an F1 below 0 say, the farthest of them stands.
    """
    n = len(values)
    if reach is None:
        reach = round(n / 20)
    if reach < 1 or n < 3:
        return values.astype(float)
    distance = np.arange(-reach, reach + 1)
    weight = (1 - np.abs(distance / (reach + 1)) ** 3) ** 3
    inside, values = np.ones(n), np.asarray(values, dtype=float)

    def moment(kernel: np.ndarray, signal: np.ndarray) -> np.ndarray:
        # np.convolve flips its kernel; the slice keeps the n places at which the window's centre lies on the curve.
        return np.convolve(signal, kernel[::-1])[reach : reach + n]

    w0, w1, w2 = (moment(weight * distance**power, inside) for power in (0, 1, 2))
    y0, y1 = (moment(weight * distance**power, values) for power in (0, 1))
    return np.clip((w2 * y0 - w1 * y1) / (w0 * w2 - w1**2), values.min(), values.max())


def thin(n: int, most: int = POINTS) -> np.ndarray:
    """Indices of at most `most` of `n` points, evenly spread, first and last among them."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(int))


def read(entry: Entry, sources: Sources) -> Table:
    """Run, seed, x, value, smoothed: smoothed over all points, then thinned. x counts the entry's `x`."""
    rows = []
    for run, label in entry.runs.items():
        for seed, curve in sources.history(run, entry.x, entry.curve).items():
            x, y = np.array(curve.x) * entry.counts_as.get(run, 1), np.array(curve.y)
            if entry.x_max is not None:
                x, y = x[x <= entry.x_max], y[x <= entry.x_max]
            if not len(x):
                raise InputError(f"reports.yaml: a figure's x_max {entry.x_max} leaves nothing of the run {run!r}")
            if entry.y_scale == "log" and y.min() <= 0:
                raise InputError(f"reports.yaml: a figure of the run {run!r} has y_scale log, but {entry.curve} is ≤ 0")
            smoothed = np.exp(smooth(np.log(y))) if entry.y_scale == "log" else smooth(y)
            rows += [(label, seed, number(x[i]), float(y[i]), float(smoothed[i])) for i in thin(len(x))]
    return Table(("run", "seed", "x", "value", "smoothed"), rows)


def number(x: float) -> int | float:
    return int(x) if x == int(x) else float(x)


def draw(entry: Entry, table: Table, axes: Axes) -> None:
    """The table's curves, x and y as the entry labels them."""
    seen: list[np.ndarray] = []
    for index, run in enumerate(dict.fromkeys(row[0] for row in table.rows)):
        look = stroke(index)
        seeds: dict[int, list] = {}
        for _, seed, x, value, smoothed in (row for row in table.rows if row[0] == run):
            seeds.setdefault(seed, []).append((x, value, smoothed))
        curves = [np.array(points, dtype=float).T for points in seeds.values()]
        if len(curves) == 1:
            x, raw, line = curves[0]
            axes.plot(x, raw, color=look.color, linewidth=0.7, alpha=0.28, zorder=2)
            # Single spikes may leave the picture; the smoothed lines and nearly all raw points stay in it.
            seen.append(np.percentile(raw, (1, 99)))
        else:
            x, line, low, high = _band([(points[0], points[2]) for points in curves])
            axes.fill_between(x, low, high, color=look.color, alpha=0.16, linewidth=0, zorder=2)
            seen += [low, high]
        marker = "o" if len(x) < 12 else ""
        axes.plot(
            x, line, color=look.color, linestyle=look.dashes, linewidth=1.9, marker=marker, ms=4, label=run, zorder=3
        )
        seen.append(line)
    values = np.concatenate(seen)
    if entry.reference:
        axes.axhline(entry.reference.value, color=MUTED, linewidth=1, linestyle=(0, (1, 2)), zorder=1.5)
        axes.annotate(
            *(entry.reference.label, (1, entry.reference.value)),
            xycoords=("axes fraction", "data"),
            xytext=(-2, 3),
            textcoords="offset points",
            ha="right",
            color=MUTED,
            fontsize=8.5,
        )
        values = np.append(values, entry.reference.value)
    _limits(entry, values, axes)
    axes.set_xlabel(entry.x_label)
    axes.set_ylabel(entry.y_label)
    axes.margins(x=0.01)
    axes.locator_params(axis="x", integer=True)


def _limits(entry: Entry, values: np.ndarray, axes: Axes) -> None:
    axes.set_yscale(entry.y_scale)
    low, high = entry.y_range or (values.min(), values.max())
    if not entry.y_range:
        if entry.y_scale == "log":
            low, high = low / 1.2, high * 1.2
        else:
            margin = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
            low, high = low - margin, high + margin
    axes.set_ylim(low, high)


def _band(curves: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """x, mean, lowest and highest of curves [(x, y), …], over the stretch that all of them cover."""
    first, last = max(x[0] for x, _ in curves), min(x[-1] for x, _ in curves)
    grid = max((x for x, _ in curves), key=len)
    grid = grid[(grid >= first) & (grid <= last)]
    stack = np.stack([np.interp(grid, x, y) for x, y in curves])
    return grid, stack.mean(0), stack.min(0), stack.max(0)
