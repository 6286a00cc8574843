"""One number a run with its 95 % interval: what dot plots and specification curves show."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from stages.lib.statistics import Measurements, mean
from stages.plot.evaluations import Evaluations


def seeds_with_interval(runs: Mapping[str, str], metric: str, evaluations: Evaluations) -> pd.DataFrame:
    """Columns id, run (label), seed, value (the seed's), smoothed (mean over seeds), low and high (its 95 % interval;
    NaN with one seed).
    """
    frames = []
    for run, label in runs.items():
        scores = evaluations.scores(run, metric)
        estimate = mean(Measurements(np.array(list(scores.values()))))
        columns = {"id": run, "run": label, "seed": scores.keys(), "value": scores.values(), "smoothed": estimate.value}
        frames.append(pd.DataFrame(columns).assign(low=_or_nan(estimate.low), high=_or_nan(estimate.high)))
    return pd.concat(frames, ignore_index=True)


def _or_nan(value: float | None) -> float:
    return np.nan if value is None else value
