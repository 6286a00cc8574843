"""Means and differences with standard errors that count both the seeds and the examples.

A run is repeated with S seeds and scored on n examples; another seed and other examples would have given another
number. The two parts of the variance are estimated apart and added:

    SE² = s_A²/S_A + s_B²/S_B + Var_i(d_i)/n

s_A² is the variance over A's seeds and d_i the difference of the two runs' seed means on example i: paired, since both
runs see the same examples. The degrees of freedom are Satterthwaite's (1946; for two groups Welch 1947), of the parts v
with their degrees f:

    degrees = (Σ v)² / Σ v²/f,    f = S_A - 1, S_B - 1 and n - 1

and the 95 % interval is the value ± t(0.975; degrees) SE.

How good this is at S = 3 to 5 (tests/lib/test_statistics_errors.py shows each):
- Where seeds and examples interact (a seed is right on other examples, not on more) the interaction is in the seeds'
  part and in the examples' part, so SE is too large, by √2 at most if nothing else varies: careful, at the price of
  power.
- Where they do not, and nearly all variance comes from the seeds of *one* run with a little from the examples (about a
  tenth), Satterthwaite's degrees are too many whenever s happens to be small: a nominal 5 % two-sided is 8 % at S = 3
  and 6 % at S = 5. A false verdict takes one side of it, 4 % and 3 %; for equivalence, where a side has 5 %, it is 6 %
  and 5.4 %. With the two runs' seeds alike all are kept. Cochran's weighted quantile, Σ v t(f) / Σ v over the seeds'
  part and the examples' part (Cochran 1964), would keep them everywhere, with intervals up to a quarter wider.

F. E. Satterthwaite, Biometrics Bulletin 2 (1946) 110; B. L. Welch, Biometrika 34 (1947) 28; W. G. Cochran, Biometrics
20 (1964) 191.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

from stages.lib.statistics.measurements import Measurements

DRAWS = 2000
_SEED = 0
_CELLS = 4_000_000  # weights held at a time: 32 MB


class Interval(NamedTuple):
    """The numbers of an Estimate where all of them are known."""

    value: float
    standard_error: float
    degrees: float
    low: float
    high: float


@dataclass(frozen=True)
class Estimate:
    """A value with its standard error, degrees of freedom and 95 % interval.

    over: what the error counts: "seeds and examples", "seeds", "examples" (one seed: how another seed would do is
    unknown) or "nothing" (one seed and no examples). A number that cannot be known is None.
    """

    value: float | None
    standard_error: float | None
    degrees: float | None
    low: float | None
    high: float | None
    over: str = "seeds and examples"

    def interval(self) -> Interval:
        """The value with its 95 % interval. Raises ValueError without a standard error."""
        if (
            self.value is None
            or self.standard_error is None
            or self.degrees is None
            or self.low is None
            or self.high is None
        ):
            raise ValueError("there is no standard error, and so no interval")
        return Interval(self.value, self.standard_error, self.degrees, self.low, self.high)

    def limits(self, level: float) -> tuple[float, float]:
        """The interval at another level, such as 0.90. Raises ValueError without a standard error."""
        value, error, degrees, *_ = self.interval()
        reach = float(stdtrit(degrees, 0.5 + level / 2)) * error
        return value - reach, value + reach


@dataclass(frozen=True)
class Parts:
    """Variances, each with its degrees of freedom: of every run's seeds, and of the examples."""

    seeds: tuple[tuple[float, float], ...]
    examples: tuple[float, float] | None

    @property
    def all(self) -> tuple[tuple[float, float], ...]:
        return self.seeds if self.examples is None else (*self.seeds, self.examples)

    @property
    def over(self) -> str:
        names = ["seeds"] * bool(self.seeds) + ["examples"] * (self.examples is not None)
        return " and ".join(names) or "nothing"


def mean(m: Measurements) -> Estimate:
    """Mean over the seeds, with SE² = s²/S + Var_i(m_i)/n, m_i the seed mean of example i; see the head of the file."""
    return estimate([m], [1.0])


def difference(a: Measurements, b: Measurements) -> Estimate:
    """Mean of A minus mean of B with the standard error at the head of this file.

    For a metric that is no mean over examples see `bootstrap_variance`. Raises ValueError if the two runs do not have
    the same examples, or only one of them has any.
    """
    return estimate([a, b], [1.0, -1.0])


def estimate(runs: Sequence[Measurements], signs: Sequence[float]) -> Estimate:
    """The sum of the runs' means with these signs, as an Estimate."""
    if not all(np.isfinite(run.seeds).all() for run in runs):
        return Estimate(None, None, None, None, None, "nothing")
    value = float(sum(sign * run.seeds.mean() for run, sign in zip(runs, signs, strict=True)))
    parts = variances(runs, signs)
    return from_parts(value, parts.all, parts.over)


def from_parts(value: float, parts: Sequence[tuple[float, float]], over: str) -> Estimate:
    """An Estimate from variances with their degrees of freedom; infinite degrees are those of a known variance."""
    variance = sum(part for part, _ in parts)
    if not parts or not math.isfinite(variance):
        return Estimate(value, None, None, None, None, over)
    if variance == 0:
        return Estimate(value, 0.0, min(degrees for _, degrees in parts), value, value, over)
    error = math.sqrt(variance)
    degrees = satterthwaite(parts)
    reach = float(stdtrit(degrees, 0.975)) * error
    return Estimate(value, error, degrees, value - reach, value + reach, over)


def satterthwaite(parts: Sequence[tuple[float, float]]) -> float:
    """(Σ v)² / Σ v²/f of variances v with f degrees of freedom each (Satterthwaite 1946)."""
    total = sum(part for part, _ in parts)
    below = sum((part / total) ** 2 / degrees for part, degrees in parts)
    return 1 / below if below else math.inf


def variances(runs: Sequence[Measurements], signs: Sequence[float]) -> Parts:
    """The parts of the variance of the runs' means added with these signs.

    If a run has a single seed, nothing is known of its seeds: only the examples' part is given.
    """
    sizes = {run.size for run in runs}
    if len(sizes) != 1:
        raise ValueError(f"runs that are compared have the same examples; these have {sizes}")
    seeds = tuple((variance(run.seeds) / len(run.seeds), len(run.seeds) - 1.0) for run in runs)
    if any(len(run.seeds) == 1 for run in runs):
        seeds = ()
    (size,) = sizes
    if size is None:
        return Parts(seeds, None)
    examples = [run.examples for run in runs if run.examples is not None]
    if len(examples) == len(runs):
        means = (sign * outcomes.mean(axis=0) for outcomes, sign in zip(examples, signs, strict=True))
        contrast = sum(means, np.zeros(size))
        return Parts(seeds, (variance(contrast) / size, size - 1.0))
    total = bootstrap_variance(runs, signs)
    # Both are variances of the same sum, so what the seeds do not account for is the examples'.
    return Parts(seeds, (max(total - sum(part for part, _ in seeds), 0.0), size - 1.0))


def variance(values: np.ndarray) -> float:
    """Sample variance (divided by n - 1); exactly 0 for equal values, which rounding would spoil."""
    return 0.0 if np.ptp(values) == 0 else float(np.var(values, ddof=1))


def bootstrap_variance(runs: Sequence[Measurements], signs: Sequence[float], draws: int = DRAWS) -> float:
    """Variance of the runs' means added with these signs, by a hierarchical bootstrap; for metrics that are no means.

    A draw takes n of the n examples with replacement, the same for all runs, computes each seed's metric on them, takes
    S - 1 of each run's S seeds with replacement and averages. S - 1 and not S, since the variance of a mean of m values
    drawn from S is (S - 1)/S · s²/m: only m = S - 1 gives s²/S (Rao & Wu 1988, after McCarthy & Snowden 1985). With m
    = S the standard error would be too small by a fifth at three seeds.

    Percentiles of so few seeds mean nothing, so only the variance is used: the interval is value ± t SE with the
    degrees of Satterthwaite, s²/S with S - 1 a run and the rest of the variance with n - 1. As the pigeonhole
    bootstrap (Owen 2007) it counts an interaction of seeds and examples three times, where the formula for means
    counts it twice.

    The metric of a draw comes from sums over examples, weighted with how often each was drawn: one matrix product.
    The generator starts from the same seed in every call. nan if the metric is undefined in a draw.

    X. Bouthillier et al., MLSys 3 (2021) 747; R. Dror et al., ACL 2018, 1383; J. N. K. Rao and C. F. J. Wu, JASA 83
    (1988) 231; A. B. Owen, Annals of Applied Statistics 1 (2007) 386.
    """
    generator = np.random.default_rng(_SEED)
    tables = [run.table for run in runs if run.table is not None]
    metrics = [run.metric for run in runs if run.metric is not None]
    if not len(tables) == len(metrics) == len(runs):
        raise ValueError("the bootstrap needs a table and a metric of every run")
    size = tables[0].shape[1]
    at_once = max(1, _CELLS // size)
    drawn = []
    for start in range(0, draws, at_once):
        count = min(at_once, draws - start)
        places = generator.integers(size, size=(count, size)) + size * np.arange(count)[:, None]
        weights = np.bincount(places.ravel(), minlength=count * size).reshape(count, size).astype(float)
        total = np.zeros(count)
        for table, metric, sign in zip(tables, metrics, signs, strict=True):
            seeds, _, columns = table.shape
            sums = weights @ table.transpose(1, 0, 2).reshape(size, seeds * columns)
            values = metric(sums.reshape(count, seeds, columns))
            chosen = generator.integers(seeds, size=(count, max(seeds - 1, 1)))
            total += sign * np.take_along_axis(values, chosen, axis=1).mean(axis=1)
        drawn.append(total)
    return float(np.var(np.concatenate(drawn), ddof=1))
