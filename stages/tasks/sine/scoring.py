"""Scores of sine forecasting, from forecasts and the real waves."""

from collections.abc import Mapping, Sequence
from math import log10
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import argrelmax
from sklearn.metrics import mean_squared_error
from torch import nn

from stages.lib.results import MetricDefinition
from stages.lib.task import Batch, Split
from stages.tasks.sine.training.task import NOISE, TASK
from stages.tasks.sine.training.waves import Wave, lag

if TYPE_CHECKING:
    import pandas as pd

#: A forecast beyond this has run away from a wave of amplitude 1.
DIVERGED = 1.5

#: Stands in for 0 where a logarithm or a quotient is taken.
SMALLEST = 1e-30

Forecasts = Sequence[Sequence[float]]

METRICS = {
    "mse": MetricDefinition("mean", ("squared_error",)),
    "one_point_mse": MetricDefinition("mean", ("one_point_squared_error",)),
    "log10_mse": MetricDefinition("seed"),
    **{f"mse_quarter_{number}": MetricDefinition("seed") for number in range(1, 5)},
    "error_growth": MetricDefinition("seed"),
    "log10_error_growth": MetricDefinition("seed"),
    "largest_value": MetricDefinition("seed"),
    "diverged": MetricDefinition("seed"),
    "one_point_lag": MetricDefinition("seed"),
    "one_point_late_peaks": MetricDefinition("seed"),
    # Of the noisy splits, from `diagnostics`.
    "log10_mse_increase": MetricDefinition("seed"),
}


def scores(predictions: Forecasts, targets: Sequence[Wave]) -> dict[str, float]:
    """Of the forecasts from the middle on: mse and its log10_mse; mse_quarter_1 to mse_quarter_4, of each quarter of
    the forecast; error_growth, the fourth quarter's divided by the first's, and its log10_error_growth; largest_value,
    the largest absolute forecast; diverged, 1 where that is beyond DIVERGED, else 0.

    Of the forecasts from the second point on, where there are any: one_point_mse; one_point_lag, by how many points
    they are late; one_point_late_peaks, the fraction of real peaks after which the forecast still rises.
    """
    forecasts, real = _pairs(predictions, targets, from_first=False)
    quarters = zip(np.array_split(real, 4, axis=1), np.array_split(forecasts, 4, axis=1), strict=True)
    errors = [float(mean_squared_error(*quarter)) for quarter in quarters]
    values = {"mse": float(mean_squared_error(real, forecasts))}
    values |= {f"mse_quarter_{number}": error for number, error in enumerate(errors, start=1)}
    values["error_growth"] = errors[3] / max(errors[0], SMALLEST)
    values["log10_mse"] = log10(max(values["mse"], SMALLEST))
    values["log10_error_growth"] = log10(max(values["error_growth"], SMALLEST))
    values["largest_value"] = float(np.abs(forecasts).max())
    values["diverged"] = float(values["largest_value"] > DIVERGED)
    forecasts, real = _pairs(predictions, targets, from_first=True)
    if len(real):
        pairs = list(zip(forecasts, real, strict=True))
        values["one_point_mse"] = float(mean_squared_error(real, forecasts))
        values["one_point_lag"] = float(np.mean([lag(*map(torch.from_numpy, pair)) for pair in pairs]))
        late = np.concatenate([late_peaks(*pair) for pair in pairs])
        values["one_point_late_peaks"] = float(late.mean()) if len(late) else 0.0
    return values


def outcomes(predictions: Forecasts, targets: Sequence[Wave]) -> "pd.DataFrame":
    """Columns start (number of known points), target (all T points), forecast (the T − start points after the known),
    and the mean squared error of the forecast: squared_error where it starts at the middle, one_point_squared_error
    where it starts at the second point; the other is NaN.
    """
    import pandas as pd

    rows = []
    for forecast, (start, points) in zip(predictions, targets, strict=True):
        error = float(mean_squared_error(points[start:], forecast))
        rows.append(
            {
                "start": start,
                "target": np.asarray(points, np.float32),
                "forecast": np.asarray(forecast, np.float32),
                "squared_error": error if start > 1 else np.nan,
                "one_point_squared_error": error if start == 1 else np.nan,
            }
        )
    return pd.DataFrame(rows)


def trivial(targets: Sequence[Wave]) -> dict[str, float]:
    """The scores of repeating the last known point."""
    values = scores([[wave.points[wave.start - 1]] * (len(wave.points) - wave.start) for wave in targets], targets)
    return {name: value for name, value in values.items() if name.endswith("mse")}


@torch.no_grad()
def diagnostics(network: nn.Module, splits: Mapping[str, Split]) -> dict[str, float]:
    """<noisy split>.log10_mse_increase: log10 of its MSE divided by the MSE of the same forecasts without noise."""
    device = next(network.parameters()).device
    network.eval()
    errors = {}
    for name in ("test", *NOISE):
        split = splits[name]
        index = (split.start > 1).nonzero()[:, 0]
        inputs, target = split.batch(index)
        predictions = TASK.predict(network, Batch(tuple(tensor.to(device) for tensor in inputs), target))
        targets = split.targets
        errors[name] = scores(predictions, [targets[i] for i in index.tolist()])["log10_mse"]
    return {f"{name}.log10_mse_increase": errors[name] - errors["test"] for name in NOISE}


def late_peaks(forecast: NDArray[np.float64], real: NDArray[np.float64]) -> NDArray[np.bool_]:
    """For each peak of `real` [T], whether `forecast` [T] rises on the step after it."""
    (peaks,) = argrelmax(real)
    return np.diff(forecast)[peaks] > 0


def _pairs(
    predictions: Forecasts, targets: Sequence[Wave], from_first: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Forecasts and real points [n, T − start] of the sequences that start at the second point, or of the others."""
    chosen = [
        (forecast, wave.points[wave.start :])
        for forecast, wave in zip(predictions, targets, strict=True)
        if (wave.start == 1) == from_first
    ]
    forecasts, real = zip(*chosen, strict=True) if chosen else ((), ())
    return np.array(forecasts, dtype=np.float64), np.array(real, dtype=np.float64)
