"""Scores of sentence similarity: mean squared error and correlations."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.dummy import DummyRegressor
from sklearn.metrics import mean_squared_error, root_mean_squared_error

from stages.lib.results import MetricDefinition

METRICS = {
    "mse": MetricDefinition("mean", ("squared_error",)),
    "rmse": MetricDefinition("seed"),
    "pearson": MetricDefinition("pearson", ("prediction", "target"), larger_is_better=True),
    "spearman": MetricDefinition("spearman", ("prediction", "target"), larger_is_better=True),
}


def scores(predictions: Sequence[float], targets: Sequence[float]) -> dict[str, float]:
    """MSE (squared score points) and its root, Pearson's r and Spearman's ρ; a correlation with a constant is 0."""
    constant = np.ptp(predictions) == 0 or np.ptp(targets) == 0
    return {
        "mse": float(mean_squared_error(targets, predictions)),
        "rmse": float(root_mean_squared_error(targets, predictions)),
        "pearson": 0.0 if constant else float(stats.pearsonr(predictions, targets).statistic),
        "spearman": 0.0 if constant else float(stats.spearmanr(predictions, targets).statistic),
    }


def outcomes(predictions: Sequence[float], targets: Sequence[float]) -> pd.DataFrame:
    """One row per pair: target and prediction (0 to 5), and the squared error."""
    table = pd.DataFrame({"target": targets, "prediction": predictions}, dtype=float)
    return table.assign(squared_error=(table["prediction"] - table["target"]) ** 2)


def trivial(targets: Sequence[float]) -> dict[str, float]:
    """The scores of the constant that has the lowest MSE, the mean."""
    no_features = np.zeros((len(targets), 1))
    constant = DummyRegressor(strategy="mean").fit(no_features, targets).predict(no_features)
    return scores(constant.tolist(), targets)
