"""Numbers that sum up a training curve, so that "smoother" or "slower" in a report can be checked."""

import csv
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stages.lib.errors import InputError


def read_history(path: Path) -> dict[str, list[float]]:
    """The columns of a history.csv; in each only the rows that have a value."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; `dvc repro` makes it") from None
    if not rows:
        raise InputError(f"{path}: the history is empty; delete it and run `dvc repro`")
    return {name: [float(row[name]) for row in rows if row[name]] for name in rows[0]}


def summary(values: Sequence[float], rising: bool) -> dict[str, float]:
    """Where a curve starts, stands on the way, ends, and how much it swings.

    first: the first value · quarter, half: mean over a tenth of the curve around there · final: mean over the last
    tenth · best: the largest value of a rising curve, else the smallest · swing, early_swing: standard deviation of
    the last and the first half, of three points at least, once a straight line is taken off; swing_error,
    early_swing_error: the standard error of those, s / √(2 (n − 2)), as of independent normal values.
    """
    curve = np.asarray(values)
    window = math.ceil(len(curve) / 10)

    def around(share: float) -> float:
        # The first value stands at share 0, the last one at share 1.
        start = min(len(curve) - window, max(0, round(share * (len(curve) - 1) - (window - 1) / 2)))
        return float(curve[start : start + window].mean())

    def swing(name: str, part: np.ndarray) -> dict[str, float]:
        if len(part) < 3:
            return {name: 0.0, f"{name}_error": 0.0}
        places = np.arange(len(part))
        deviation = float((part - np.polyval(np.polyfit(places, part, 1), places)).std())
        return {name: deviation, f"{name}_error": deviation / math.sqrt(2 * (len(part) - 2))}

    return {
        "first": float(curve[0]),
        "quarter": around(0.25),
        "half": around(0.5),
        "final": around(1.0),
        "best": float(curve.max() if rising else curve.min()),
        **swing("swing", curve[max(0, min(len(curve) // 2, len(curve) - 3)) :]),
        **swing("early_swing", curve[: max(3, len(curve) // 2 + 1)]),
    }
