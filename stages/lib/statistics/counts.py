"""Checks of numbers that are known exactly, and of how often something happened."""

import math

import numpy as np
from scipy import optimize, stats

from stages.lib.statistics.checks import LEVEL, Finding, Outcome
from stages.lib.statistics.estimates import Estimate
from stages.lib.statistics.power import POWER


def exact(value: float, wanted: float, tolerance: float = 0.0) -> Finding:
    """A count, a formula or an identity: |value - wanted| ≤ tolerance. `flips_at` is the tolerance it takes.

    Nothing is estimated here, so there is no interval and no smallest number of seeds. A value that is not finite is
    wrong.
    """
    if not tolerance >= 0:
        raise ValueError(f"the tolerance is {tolerance}; it is a size, 0 or more")
    gap = abs(value - wanted)
    if gap <= tolerance:
        return Finding("supported", None, f"{value:g} is {wanted:g}, to {tolerance:g}", tolerance, gap)
    return Finding(
        "contradicted",
        None,
        f"{value:g} is not {wanted:g}, to {tolerance:g}",
        tolerance,
        gap if math.isfinite(gap) else None,
    )


def possible(successes: int, n: int) -> Finding:
    """Something "may" happen: supported by one case, contradicted by none, so inconclusive where there was no case.

    The estimate is the share of cases with Clopper and Pearson's 95 % interval: after 0 of n its upper end says how
    rare it must be. `detectable` is the share of which one case at least would have been seen with 80 % power.
    """
    share = _share(successes, n)
    seen = 1 - (1 - POWER) ** (1 / n)
    if successes:
        return Finding("supported", share, f"seen in {successes} of {n}", seen)
    return Finding("inconclusive", share, f"not seen in {n}, which does not make it impossible", seen)


def proportion(successes: int, n: int, at_least: float | None = None, at_most: float | None = None) -> Finding:
    """The share of repetitions in which something happens ("diverges", "does not converge") against a bound.

    Clopper and Pearson's 95 % interval (1934; statsmodels): supported if it lies wholly on the bound's right
    side, contradicted if wholly on the other. The interval keeps its level for every n, so no smallest number of seeds
    is asked for beyond what it takes: if even all, or none, of n would not do, the reason says so (0 of n is at most
    0.2 from n = 17 on). `detectable` is how far the true share must be on the wrong side of the bound to be found
    there with 80 % power; None if n is too small for that. Exactly one bound; ValueError otherwise.

    C. J. Clopper and E. S. Pearson, Biometrika 26 (1934) 404.
    """
    if at_most is not None and at_least is None:
        # At most p of the cases is at least 1 - p of their opposites.
        opposite = proportion(n - successes, n, at_least=1 - at_most)
        flips_at = None if opposite.flips_at is None else 1 - opposite.flips_at
        return Finding(
            opposite.outcome,
            _share(successes, n),
            _against(opposite.outcome, f"at most {at_most:g}", _limits(0, n)[1] <= at_most, n),
            opposite.detectable,
            flips_at,
            opposite.information,
        )
    if at_least is None or at_most is not None:
        raise ValueError("a proportion has one bound, either at_least or at_most")
    low, high = map(float, _limits(successes, n))
    outcome: Outcome = "supported" if low >= at_least else "contradicted" if high < at_least else "inconclusive"
    p = {
        name: min(2 * float(stats.binomtest(successes, n, at_least, alternative=side).pvalue), 1.0)
        for name, side in (("p_supported", "greater"), ("p_contradicted", "less"))
    }
    return Finding(
        outcome,
        _share(successes, n),
        _against(outcome, f"at least {at_least:g}", _limits(n, n)[0] >= at_least, n),
        _detectable_below(at_least, n),
        min((low, high), key=lambda limit: abs(limit - at_least)),
        p,
    )


def _against(outcome: str, bound: str, can_be_met: bool, n: int) -> str:
    if outcome == "inconclusive":
        return f"the interval lies on both sides of {bound}" if can_be_met else f"{n} are too few to show {bound}"
    return f"the interval lies wholly {'inside' if outcome == 'supported' else 'outside'} {bound}"


def _share(successes: int, n: int) -> Estimate:
    if not 0 <= successes <= n or n < 1:
        raise ValueError(f"{successes} of {n} is no share")
    share = successes / n
    low, high = map(float, _limits(successes, n))
    return Estimate(share, math.sqrt(share * (1 - share) / n), None, low, high, "seeds")


def _limits(successes: int | np.ndarray, n: int) -> tuple:
    from statsmodels.stats.proportion import proportion_confint

    return proportion_confint(successes, n, alpha=LEVEL, method="beta")


def _detectable_below(bound: float, n: int) -> float | None:
    """How far below the bound a share must be for its interval to end below the bound in 80 % of repetitions."""
    few_enough = np.flatnonzero(_limits(np.arange(n + 1), n)[1] < bound)
    if not len(few_enough):
        return None
    most = few_enough[-1]
    share = optimize.brentq(lambda p: stats.binom.cdf(most, n, p) - POWER, 0.0, 1.0)
    return bound - float(share)
