"""Numbers of stored training histories, by the names that checks use."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import stats

from stages.lib import statistics
from stages.lib.errors import InputError
from stages.lib.questions.measures import CurveNumber, Level
from stages.lib.statistics.curves import FEWEST_POINTS, NoValue
from stages.report.measured import Unavailable
from stages.report.stored import Results

if TYPE_CHECKING:
    from stages.lib.questions import Question
    from stages.lib.questions.checks import MeasuredCheck

#: Named windows as fractions of the curve's x.
WINDOWS = {
    "all": (0, 1),
    "first fifth": (0, 1 / 5),
    "first third": (0, 1 / 3),
    "first half": (0, 1 / 2),
    "last half": (1 / 2, 1),
    "last third": (2 / 3, 1),
    "last fifth": (4 / 5, 1),
    "last tenth": (9 / 10, 1),
}


class Number(NamedTuple):
    """A curve's number; reached is false where it is only a lower bound."""

    value: float
    reached: bool = True


class Curve(NamedTuple):
    """x, strictly rising, and y of one seed."""

    x: np.ndarray
    y: np.ndarray


def read_curve(
    results: Results, question: "Question", check: "MeasuredCheck", wanted: CurveNumber, run: str, seed: int
) -> Number:
    """One number of one seed's curve. Raises Unavailable where the curve does not give it, InputError for a column that
    the history does not have.
    """
    try:
        curve = load_curve(results, wanted, run, seed)
        if wanted.needs is not None and curve.x[-1] < wanted.needs:
            raise NoValue(f"it takes {wanted.needs:g} {wanted.x}s, the run has {curve.x[-1]:g}")
        if wanted.until is not None:
            end = _saturation(results, check, wanted)
            curve = Curve(curve.x[curve.x < end], curve.y[curve.x < end])
        level = None
        if wanted.level is not None:
            level = _level(results, question, wanted, run)
        rising = results.larger_is_better(run, check.model_copy(update={"curve": wanted, "metric": None}))
        return number(curve, wanted, level, rising)
    except NoValue as error:
        raise Unavailable(str(error)) from None


def load_curve(results: Results, wanted: CurveNumber, run: str, seed: int) -> Curve:
    """Where the column was measured, x and the column, less another one if there is one."""
    history = results.history(run, seed)
    names = [wanted.x, wanted.column, *([wanted.less] if wanted.less else [])]
    for name in names:
        if name not in history:
            known = ", ".join(name for name in history if name not in ("run", "seed"))
            folder = results.group(run).folder
            raise InputError(f"{folder}/histories.parquet: {run}, seed {seed} has no column {name!r}; it has {known}")
    rows = history[names].dropna()
    y = rows[wanted.column].to_numpy(float)
    if wanted.less:
        y = y - rows[wanted.less].to_numpy(float)
    return Curve(rows[wanted.x].to_numpy(float), y)


def number(curve: Curve, wanted: CurveNumber, level: float | None, rising: bool) -> Number:
    """The number of a curve by its name; formulas in stages/lib/statistics/curves.py. Raises NoValue."""
    x, y = curve
    if not len(x):
        raise NoValue("the curve has no point")
    match wanted.number:
        case "first":
            return Number(statistics.first(x, y))
        case "last":
            return Number(statistics.level_at(x, y, x[-1]))
        case "level":
            return Number(statistics.final_level(x, y))
        case "at":
            return Number(statistics.level_at(x, y, wanted.at))
        case "steps_to":
            return Number(*statistics.log_steps_to(x, y, level, falling=not rising))
        case "plateau":
            return Number(*statistics.plateau(x, y))
        case "swing":
            return Number(statistics.log_swing(x, y, *bounds(curve, wanted.window)))
    default = "last fifth" if wanted.number == "slope" else "all"
    start, stop = bounds(curve, wanted.window or default)
    inside = (x >= start) & (x <= stop)
    if not inside.any() or not np.isfinite(y[inside]).all():
        raise NoValue(f"no finite values from {start:g} to {stop:g}")
    if wanted.number in ("slope", "mean"):
        _enough(curve, start, stop)
    if wanted.number == "slope":
        return Number(float(stats.linregress(x[inside], y[inside]).slope))
    return Number(float({"lowest": np.min, "highest": np.max, "mean": np.mean}[wanted.number](y[inside])))


def _enough(curve: Curve, start: float, stop: float) -> None:
    count = int(((curve.x >= start) & (curve.x <= stop)).sum())
    if count < FEWEST_POINTS:
        points = "1 point" if count == 1 else f"{count} points"
        raise NoValue(f"{points} from {start:g} to {stop:g}; fewer than {FEWEST_POINTS} decide nothing")


def bounds(curve: Curve, window: str | tuple[float, float]) -> tuple[float, float]:
    """From and to, in units of x. Raises NoValue for a window that the curve does not cover."""
    low, high = float(curve.x[0]), float(curve.x[-1])
    if isinstance(window, str):
        start, stop = WINDOWS[window]
        return low + start * (high - low), low + stop * (high - low)
    if window[1] > high:
        raise NoValue(f"the curve ends at {high:g}, before {window[1]:g}")
    return window


def spread_around(results: Results, wanted: CurveNumber, run: str, points: int, log: bool) -> float:
    """Root mean square over seeds of the standard deviation of the column over the points around x = `at`."""
    found = []
    for seed in results.seeds(run):
        x, y = load_curve(results, wanted, run, seed)
        nearest = np.sort(np.argsort(np.abs(x - (wanted.at or 0.0)), kind="stable")[:points])
        values = np.log(y[nearest]) if log else y[nearest]
        found.append(float(np.var(values, ddof=1)))
    return float(np.sqrt(np.mean(found)))


def _saturation(results: Results, check: "MeasuredCheck", wanted: CurveNumber) -> float:
    """The x before which no seed of any run of the check has passed the limit."""
    column = CurveNumber(column=wanted.until.column, number="last", x=wanted.x)
    ends = [np.inf]
    for run in check.runs:
        for seed in results.seeds(run):
            x, y = load_curve(results, column, run, seed)
            ends += list(x[y > wanted.until.above][:1])
    return min(ends)


def _level(results: Results, question: "Question", wanted: CurveNumber, run: str) -> float:
    level = wanted.level
    if isinstance(level, Level):
        for of in level.of:
            # Raises Unavailable where it is not trained.
            results.entry(of)
        finals = [
            np.mean([statistics.final_level(*load_curve(results, wanted, of, seed)) for seed in results.seeds(of)])
            for of in level.of
        ]
        rising = wanted.rising
        if rising is None:
            definition = results.definition(run, wanted.column.replace("_", ".", 1))
            rising = definition is not None and definition.larger_is_better
        worst = float(min(finals) if rising else max(finals))
        return worst if level.at_most is None else min(worst, level.at_most)
    if level == "trivial":
        return results.trivial(run, wanted.column.replace("_", ".", 1))
    return question.number(level)
