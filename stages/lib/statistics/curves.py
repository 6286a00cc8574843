"""One number of one seed's curve, to be compared over seeds.

A curve has x [T], strictly rising (steps or epochs), and y [T]. Every function raises NoValue, with the reason in its
message, where the curve gives no number: if fewer than eight points are there to tell a shape from noise, if a value in
the part that is read is not finite, or as the function says. `first`, `level_at` and `final_level` are levels and no
shapes and need no eight points.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy import ndimage

FEWEST_POINTS = 8


class NoValue(ValueError):
    """The curve gives no such number. The message says why."""


class Reached(NamedTuple):
    """A place on the x axis, and whether the curve got there; if not, the place is the last x, a lower bound.

    A difference from a run that did get there is then too small, never too large: "faster" stays a careful verdict as
    long as the runs that did not get there are on the slower side.
    """

    value: float
    reached: bool


def log_swing(x: np.ndarray, y: np.ndarray, start: float, stop: float) -> float:
    """Log of the standard deviation of the first differences of y where start ≤ x ≤ stop.

    Differences take a trend out (von Neumann et al. 1941): what is left is how far the curve jumps from point to
    point. It depends on the spacing of the points, so curves that are compared must be measured at the same x. The
    logarithm makes the ratio of two swings a difference, and the spread over seeds even. NoValue for a straight line.

    J. von Neumann et al., Annals of Mathematical Statistics 12 (1941) 153.
    """
    x, y = _curve(x, y)
    part = y[(x >= start) & (x <= stop)]
    _enough(part, f"from {start:g} to {stop:g}")
    swing = float(np.std(np.diff(part), ddof=1))
    if swing <= 1e-12 * float(np.abs(part).max()):
        raise NoValue(f"the curve is a straight line from {start:g} to {stop:g}")
    return math.log(swing)


def log_steps_to(x: np.ndarray, y: np.ndarray, level: float, falling: bool) -> Reached:
    """Log of the x at which the curve first reaches the level, from above if falling, else from below.

    The curve is the running median of three points, the ends as they are (Tukey 1977): a single lucky point does not
    count, which would favour noisy curves, and a curve without noise stays as it is, where a running mean would shift
    it. Between two points the crossing is interpolated, so that the grid of measurements does not make seeds look
    alike. A curve that never gets there gives the log of the last x, marked as not reached.
    NoValue if it is there from the start: such a level says nothing about speed.
    """
    x, y = _curve(x, y)
    _enough(y, "in all")
    smooth = ndimage.median_filter(y, size=3, mode="nearest")
    there = smooth <= level if falling else smooth >= level
    if there[0]:
        raise NoValue(f"the curve starts at {y[0]:g}, where the level {level:g} is reached already")
    if not there.any():
        return Reached(math.log(x[-1]), False)
    place = int(np.argmax(there))
    before, after = smooth[place - 1], smooth[place]
    return Reached(math.log(x[place - 1] + (x[place] - x[place - 1]) * (level - before) / (after - before)), True)


def plateau(x: np.ndarray, y: np.ndarray) -> Reached:
    """The first x after which the mean stays within its noise: where a curve levels off.

    MSER (White 1997): the start k whose remainder y[k:] has the smallest squared standard error of its mean,
    Var(y[k:]) / (T - k). A point is dropped as long as it lies further from the rest's mean than their noise explains
    (about 1.4 standard deviations). At least eight points must remain; if the best start is the last one allowed the
    curve still moves, which is marked as not reached, with the last x.

    K. P. White, Simulation 69 (1997) 323.
    """
    x, y = _curve(x, y)
    _enough(y, "in all")
    starts = range(len(y) - FEWEST_POINTS + 1)
    errors = [float(np.var(y[k:])) / (len(y) - k) for k in starts]
    best = int(np.argmin(errors))
    if best and best == starts[-1]:
        return Reached(float(x[-1]), False)
    return Reached(float(x[best]), True)


def first(x: np.ndarray, y: np.ndarray) -> float:
    """The first value."""
    return float(_finite(_curve(x, y)[1][:1])[0])


def level_at(x: np.ndarray, y: np.ndarray, at: float) -> float:
    """The value at this x, on a straight line between its two neighbours. NoValue beyond the ends of the curve."""
    x, y = _curve(x, y)
    if not x[0] <= at <= x[-1]:
        raise NoValue(f"the curve goes from {x[0]:g} to {x[-1]:g} and has no value at {at:g}")
    return float(_finite(np.interp([at], x, y))[0])


def final_level(x: np.ndarray, y: np.ndarray) -> float:
    """Mean of y over the last tenth of x; at least the last point is in it."""
    x, y = _curve(x, y)
    return float(_finite(y[x >= x[-1] - (x[-1] - x[0]) / 10]).mean())


def _curve(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if x.ndim != 1 or x.shape != y.shape or not len(x):
        raise ValueError(f"x and y of a curve have the shapes {x.shape} and {y.shape}")
    if not (np.diff(x) > 0).all():
        raise ValueError("x of a curve must rise from point to point")
    return x, y


def _enough(y: np.ndarray, where: str) -> None:
    if len(y) < FEWEST_POINTS:
        raise NoValue(f"{len(y)} points {where}; fewer than {FEWEST_POINTS} decide nothing")
    _finite(y)


def _finite(y: np.ndarray) -> np.ndarray:
    if not np.isfinite(y).all():
        raise NoValue("the curve has a value that is not finite")
    return y
