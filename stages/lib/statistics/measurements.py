"""What was measured of one metric in one run, and metrics that are computed from sums over examples."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

#: Sums over examples, [..., c], to the metric, [...].
Metric = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Measurements:
    """One metric of one run with S seeds and, where outcomes by example are known, n examples.

    seeds     [S]        the metric of each seed; a value may be infinite or nan (diverged, undefined)
    examples  [S, n]     for a metric that is a mean over examples: the values whose mean over n is `seeds`
                         (1 or 0 for correct, squared error, log loss)
    table     [S, n, c]  for one that is no mean: columns whose sums over n `metric` turns into `seeds`
    metric               sums [..., c] to values [...], such as `f1_from_counts` or `pearson_from_moments`

    A number read from a curve has `seeds` alone. Runs that are compared have the same examples in the same order.
    Raises ValueError if shapes do not fit or if the examples do not give the seeds' values (to 1 in 10,000): they are
    then those of another run.
    """

    seeds: np.ndarray
    examples: np.ndarray | None = None
    table: np.ndarray | None = None
    metric: Metric | None = None

    def __post_init__(self) -> None:
        for name in ("seeds", "examples", "table"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=float))
        if self.seeds.ndim != 1 or not len(self.seeds):
            raise ValueError(f"`seeds` has the shape {self.seeds.shape}; it must be a list of at least one value")
        if self.examples is not None and self.table is not None:
            raise ValueError("a metric has either `examples` or a `table`, not both")
        if (self.table is None) != (self.metric is None):
            raise ValueError("`table` and `metric` go together")
        outcomes, axes = (self.examples, 2) if self.table is None else (self.table, 3)
        if outcomes is None:
            return
        if outcomes.ndim != axes or len(outcomes) != len(self.seeds) or outcomes.shape[1] < 2:
            raise ValueError(f"outcomes of the shape {outcomes.shape} do not fit {len(self.seeds)} seeds")
        means = outcomes.mean(axis=1) if self.metric is None else self.metric(outcomes.sum(axis=1))
        if not np.allclose(means, self.seeds, rtol=1e-4, atol=1e-8, equal_nan=True):
            raise ValueError(f"the examples give {means} where the seeds have {self.seeds}")

    @property
    def size(self) -> int | None:
        """Number n of examples, or None where only the seeds' values are known."""
        outcomes = self.examples if self.table is None else self.table
        return None if outcomes is None else outcomes.shape[1]


def f1_from_counts(counts: np.ndarray) -> np.ndarray:
    """F1 = 2 tp / (2 tp + fp + fn) from counts [..., 3] of true positives, false positives and false negatives.

    0 where all three are 0, as scikit-learn has it by default.
    """
    tp, fp, fn = np.moveaxis(np.asarray(counts, dtype=float), -1, 0)
    return _ratio(2 * tp, 2 * tp + fp + fn)


def precision_from_counts(counts: np.ndarray) -> np.ndarray:
    """Precision tp / (tp + fp) from counts [..., 3] as in `f1_from_counts`; 0 where nothing was found."""
    tp, fp, _ = np.moveaxis(np.asarray(counts, dtype=float), -1, 0)
    return _ratio(tp, tp + fp)


def recall_from_counts(counts: np.ndarray) -> np.ndarray:
    """Recall tp / (tp + fn) from counts [..., 3] as in `f1_from_counts`; 0 where there was nothing to find."""
    tp, _, fn = np.moveaxis(np.asarray(counts, dtype=float), -1, 0)
    return _ratio(tp, tp + fn)


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.zeros_like(below), where=below > 0)


def moments(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The columns 1, x, y, xy, x², y² of two variables [..., n], as a table [..., n, 6] for `pearson_from_moments`.

    Both are centred first: a correlation does not see it, and sums of squares lose no digits.
    """
    x, y = np.broadcast_arrays(np.asarray(x, dtype=float), np.asarray(y, dtype=float))
    x, y = x - x.mean(axis=-1, keepdims=True), y - y.mean(axis=-1, keepdims=True)
    return np.stack([np.ones_like(x), x, y, x * y, x * x, y * y], axis=-1)


def pearson_from_moments(sums: np.ndarray) -> np.ndarray:
    """Pearson's r from sums [..., 6] of the columns of `moments`; nan where a variable is constant."""
    n, x, y, xy, xx, yy = np.moveaxis(np.asarray(sums, dtype=float), -1, 0)
    covariance, variance_x, variance_y = n * xy - x * y, n * xx - x * x, n * yy - y * y
    # What rounding leaves of the variance of a constant.
    varies = (variance_x > 1e-12 * n * xx) & (variance_y > 1e-12 * n * yy)
    below = np.sqrt(np.where(varies, variance_x * variance_y, 1.0))
    return np.where(varies, covariance / below, np.nan)
