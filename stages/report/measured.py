"""Numbers of every seed with their outcomes by example: from columns of outcomes, and added up over runs."""

import itertools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from stages.lib import statistics
from stages.lib.errors import InputError
from stages.lib.questions.measures import Scale
from stages.lib.results import MetricDefinition
from stages.lib.statistics import Measurements

SCALES: dict[Scale, Callable[[float], float]] = {
    "linear": float,
    "log": math.log,
    "log2": math.log2,
    "log10": math.log10,
}
NOT_TRAINED = "not trained yet"
DID_NOT_LEARN = "did not learn"
NO_OUTCOMES = "outcomes by example are not stored"


class Unavailable(Exception):
    """A run has no such number. The message says why, for the page."""


@dataclass(frozen=True)
class Measured:
    """A number of every seed, of one run or of several added up.

    complete: no seed's number is a lower bound, as that of a curve that never reached a level is.
    labels: what the examples are, as bytes of their targets; runs are compared by example only where it is the same.
    """

    measurements: Measurements
    complete: bool = True
    labels: bytes | None = None

    @property
    def by_example(self) -> bool:
        """Whether outcomes by example count in its error."""
        return self.measurements.size is not None


def by_example(definition: MetricDefinition, outcomes: list[pd.DataFrame]) -> Measurements:
    """A metric of S seeds from their outcomes; raises InputError where columns are missing."""
    for name in definition.columns:
        if any(name not in rows for rows in outcomes):
            raise InputError(f"outcomes.parquet has no column {name!r}; evaluate the group again")
    columns = [np.stack([rows[name].to_numpy(float) for rows in outcomes]) for name in definition.columns]
    if definition.kind == "mean":
        return Measurements(columns[0].mean(axis=1), examples=columns[0])
    if definition.kind in ("pearson", "spearman"):
        if definition.kind == "spearman":
            columns = [stats.rankdata(column, axis=1) for column in columns]
        table, metric = statistics.moments(*columns), statistics.pearson_from_moments
    else:
        table = np.stack(columns, axis=-1)
        metric = {
            "precision": statistics.precision_from_counts,
            "recall": statistics.recall_from_counts,
            "f1": statistics.f1_from_counts,
        }[definition.kind]
    return Measurements(metric(table.sum(axis=1)), table=table, metric=metric)


def constant(value: float, like: Measured) -> Measured:
    """A number that is known exactly, with the seeds and examples of what it is compared with."""
    m = like.measurements
    seeds = np.full(len(m.seeds), value)
    if m.size is None:
        found = Measurements(seeds)
    elif m.examples is not None:
        found = Measurements(seeds, examples=np.full((len(seeds), m.size), value))
    else:
        table = np.zeros((len(seeds), m.size, 1))
        found = Measurements(seeds, table=table, metric=lambda sums: np.full(sums.shape[:-1], value))
    return Measured(found, labels=like.labels)


def same_examples(a: Measured, b: Measured) -> bool:
    """Whether two runs were scored on the same examples, by which they can be paired."""
    return a.measurements.size == b.measurements.size and a.labels == b.labels


def labels_of_examples(definition: MetricDefinition, rows: pd.DataFrame) -> bytes | None:
    """What tells examples apart whatever a run made of them: their targets, or how many terms there were to find."""
    if "target" in rows:
        # An array of strings holds their addresses.
        return pd.util.hash_pandas_object(rows["target"], index=False).to_numpy().tobytes()
    if definition.kind in ("precision", "recall", "f1"):
        found, _, missed = (rows[name].to_numpy() for name in definition.columns)
        return (found + missed).tobytes()
    return None


def weighted(parts: list[Measured], factors: list[float]) -> Measured:
    """The weighted sum of several numbers, seed by seed; runs have as many seeds as the one with the fewest.

    Which seeds of independent runs are added does not matter: the variance of the sum is that of independent parts.
    """
    count = min(len(part.measurements.seeds) for part in parts)
    complete = all(part.complete for part in parts)
    runs = [part.measurements for part in parts]
    seeds = _sum(factors, (run.seeds[:count] for run in runs))
    labels = parts[0].labels
    if runs[0].size is None or not all(same_examples(parts[0], part) for part in parts):
        return Measured(Measurements(seeds), complete)
    if all(run.examples is not None for run in runs):
        return Measured(
            Measurements(seeds, examples=_sum(factors, (run.examples[:count] for run in runs))), complete, labels
        )
    widths = np.cumsum([0, *(run.table.shape[-1] for run in runs)])

    def metric(sums: np.ndarray) -> np.ndarray:
        pieces = (sums[..., start:stop] for start, stop in itertools.pairwise(widths))
        return _sum(factors, (run.metric(piece) for run, piece in zip(runs, pieces, strict=True)))

    table = np.concatenate([run.table[:count] for run in runs], axis=-1)
    return Measured(Measurements(seeds, table=table, metric=metric), complete, labels)


def _sum(factors: list[float], arrays: Iterable[np.ndarray]) -> np.ndarray:
    return sum(factor * array for factor, array in zip(factors, arrays, strict=True))


def of_seeds(values: list[float]) -> Measured:
    if not values:
        raise Unavailable(NOT_TRAINED)
    return Measured(Measurements(np.array(values)))


def scaled(values: list[float], scale: Scale) -> list[float]:
    if scale != "linear" and not all(value > 0 for value in values):
        raise Unavailable("a value is not above 0 and has no logarithm")
    return [SCALES[scale](value) for value in values]
