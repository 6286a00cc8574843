"""What could have been seen: the smallest difference that a check detects, and the smallest margin that it can meet."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from scipy.special import nctdtrinc, ndtri, stdtrit

from stages.lib.statistics.estimates import satterthwaite

POWER = 0.8


def detectable(standard_error: float, degrees: float, quantile: float = 0.975, power: float = POWER) -> float:
    """The smallest true difference whose interval excludes 0, on its own side, with this power.

    δ such that P(T > t(quantile; f)) = power, T noncentral t with f degrees and noncentrality δ/SE (Cohen 1988, chapter
    2); quantile 0.975 is one side of a 95 % interval. With Satterthwaite's degrees this is an approximation.
    """
    if standard_error == 0:
        return 0.0
    if degrees > 1e5:
        return float(ndtri(quantile) + ndtri(power)) * standard_error
    # scipy has the noncentrality that leaves 1 - power below the limit.
    return float(nctdtrinc(degrees, 1 - power, stdtrit(degrees, quantile))) * standard_error


class Meetable(NamedTuple):
    """Whether a margin can be met; the smallest that can at all; the smallest met in 80 % of repetitions."""

    met: bool
    smallest: float
    likely: float


def meetable(
    margin: float,
    seeds: Sequence[int],
    seed_spread: float,
    examples: int | None = None,
    example_spread: float = 0.0,
    kind: str = "equivalent",
) -> Meetable:
    """Whether a check with this margin can be supported, by spreads that are assumed beforehand.

    margin          the check's margin δ
    seeds           number of seeds of each of the two runs
    seed_spread     standard deviation over the seeds of a run
    examples        number n of examples, if outcomes by example are known
    example_spread  standard deviation over examples of the difference of the two runs' seed means (paired)
    kind            "equivalent" (two one-sided tests at 5 %) or "not_better" (95 % interval)

    SE as in `stages.lib.statistics.estimates`, with q = 0.95 or 0.975:
    - at all, that is with a difference of exactly 0: δ > t(q) SE;
    - in 80 % of repetitions where the truth is 0: δ ≥ (t(q) + t(0.9)) SE if equivalent, since both sides may miss, and
      (t(q) + t(0.8)) SE if not better (Chow, Shao & Wang 2008, section 3.2).
    With fewer than three seeds in a run no margin can be met: both are infinite. Raises ValueError for another kind.
    """
    if kind not in ("equivalent", "not_better"):
        raise ValueError(f"a check of the kind {kind!r} has no margin to be met; `equivalent` and `not_better` have")
    if min(seeds) < 3:
        return Meetable(False, math.inf, math.inf)
    parts = [(seed_spread**2 / count, count - 1.0) for count in seeds]
    if examples is not None:
        parts.append((example_spread**2 / examples, examples - 1.0))
    error = math.sqrt(sum(part for part, _ in parts))
    if error == 0:
        raise ValueError("the assumed spreads are all 0; a spread of 0 is no assumption")
    smallest, likely = smallest_margins(error, satterthwaite(parts), kind)
    return Meetable(margin > smallest, smallest, likely)


def smallest_margins(standard_error: float, degrees: float, kind: str) -> tuple[float, float]:
    """The smallest margin that can be met at all, and in 80 % of repetitions; see `meetable`."""
    quantile, miss = (0.95, 0.5 + POWER / 2) if kind == "equivalent" else (0.975, POWER)
    limit = float(stdtrit(degrees, quantile))
    return limit * standard_error, (limit + float(stdtrit(degrees, miss))) * standard_error
