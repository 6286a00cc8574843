"""Numbers that sum up a training curve, so that "smoother" or "slower" in a report can be checked."""

import csv
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stages.errors import InputError


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
    the last and the first half once a straight line is taken off.
    """
    curve = np.asarray(values)
    window = math.ceil(len(curve) / 10)

    def around(share: float) -> float:
        start = min(len(curve) - window, max(0, round(share * len(curve)) - window // 2))
        return float(curve[start : start + window].mean())

    def swing(part: np.ndarray) -> float:
        places = np.arange(len(part))
        trend = np.polyval(np.polyfit(places, part, 1), places) if len(part) > 2 else part
        return float((part - trend).std())

    return {
        "first": float(curve[0]),
        "quarter": around(0.25),
        "half": around(0.5),
        "final": around(1.0),
        "best": float(curve.max() if rising else curve.min()),
        "swing": swing(curve[len(curve) // 2 :]),
        "early_swing": swing(curve[: len(curve) // 2 + 1]),
    }
