"""Checks of one or two runs: each takes Measurements and numbers and returns a Finding.

An outcome is "supported" or "contradicted" if the data say so with an error of 5 % at most, else "inconclusive". It is
inconclusive whatever the numbers with fewer than three seeds in a run, with a value that is not finite, and with a
standard error of 0: seeds that agree to the last digit are too few to show their spread.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from scipy import stats
from scipy.special import stdtr

from stages.lib.statistics.estimates import Estimate, difference, from_parts, mean, variance, variances
from stages.lib.statistics.information import beside
from stages.lib.statistics.measurements import Measurements
from stages.lib.statistics.power import detectable, smallest_margins

Outcome = Literal["supported", "contradicted", "inconclusive"]
LEVEL = 0.05
FEWEST_SEEDS = 3


@dataclass(frozen=True)
class Finding:
    """What a check found.

    outcome      "supported", "contradicted" or "inconclusive"
    estimate     what was measured, or None (several runs, or a value that is not finite)
    reason       why, in a few words
    detectable   the smallest true difference that this check finds beyond its margin with 80 % power, at the spreads
                 measured; None where nothing could be found, as with fewer than three seeds
    flips_at     the nearest margin (smallest effect, threshold) with another outcome; None where no margin changes it
    information  numbers that stand beside it. `p_supported` and `p_contradicted` belong to the two decisions, each of
                 which is taken if its p is below 0.05 (`p_contradicted` after Holm's correction, if there is one:
                 `p_holm`)
    parts        the findings on pairs, of a check of several runs
    """

    outcome: Outcome
    estimate: Estimate | None
    reason: str
    detectable: float | None = None
    flips_at: float | None = None
    information: Mapping[str, Any] = field(default_factory=dict)
    parts: tuple["Finding", ...] = ()


def higher(a: Measurements, b: Measurements, smallest_effect: float = 0.0) -> Finding:
    """A above B, by more than the smallest effect δ ("clearly", "much") if there is one.

    Supported if the 95 % interval of A - B lies wholly above δ, contradicted if it lies wholly below δ. `p_supported`
    and `p_contradicted` are twice the one-sided p of A - B = δ. If A and B are equal, either outcome comes up in
    2.5 % of repetitions, as far as the interval keeps its level (see estimates.py).
    """
    return _directed(a, b, smallest_effect, 1.0)


def lower(a: Measurements, b: Measurements, smallest_effect: float = 0.0) -> Finding:
    """A below B, by more than the smallest effect if there is one; as `higher`. The estimate is still A - B."""
    return _directed(a, b, smallest_effect, -1.0)


def _directed(a: Measurements, b: Measurements, effect: float, sign: float) -> Finding:
    if effect < 0:
        raise ValueError(f"the smallest effect is {effect}; it is a size, 0 or more")
    found = difference(a, b)
    if (early := _undecided(found, a, b)) is not None:
        return early
    value, error, degrees, *limits = found.interval()
    low, high = sorted(sign * limit for limit in limits)
    outcome: Outcome
    bound = sign * effect or 0.0  # and not -0
    side = f"{'above' if sign > 0 else 'below'} {bound:g}"
    if low > effect:
        outcome, reason = "supported", f"the interval lies wholly {side}"
    elif high < effect:
        outcome, reason = "contradicted", f"no part of the interval lies {side}"
    else:
        outcome, reason = "inconclusive", f"the interval lies on both sides of {bound:g}"
    return Finding(
        outcome,
        found,
        reason,
        effect + detectable(error, degrees),
        _nearest(effect, low, high),
        _two_sided((sign * value - effect) / error, degrees) | beside(a, b),
    )


def equivalent(a: Measurements, b: Measurements, margin: float) -> Finding:
    """A and B differ by less than the margin δ: "near one another", "no effect".

    Supported by two one-sided t tests at 5 % (Schuirmann 1987), that is if the 90 % interval of A - B lies inside ±δ;
    `p_supported` is the larger of the two p. Contradicted if the 95 % interval lies wholly outside ±δ;
    `p_contradicted` is twice the one-sided p of |A - B| = δ. A margin below t(0.95) SE cannot be met and is said so.

    D. J. Schuirmann, Journal of Pharmacokinetics and Biopharmaceutics 15 (1987) 657.
    """
    _positive(margin)
    found = difference(a, b)
    if (early := _undecided(found, a, b)) is not None:
        return early
    value, error, degrees, low, high = found.interval()
    size = abs(value)
    inner = max(map(abs, found.limits(0.90)))
    outer = max(low, -high, 0.0)
    outcome: Outcome
    smallest, likely = smallest_margins(error, degrees, "equivalent")
    if inner < margin:
        outcome, reason = "supported", f"the 90 % interval lies within ±{margin:g}"
    elif outer > margin:
        outcome, reason = "contradicted", f"the 95 % interval lies outside ±{margin:g}"
    elif margin <= smallest:
        outcome, reason = "inconclusive", f"the margin cannot be met; {smallest:.2g} could be"
    else:
        outcome, reason = "inconclusive", f"the interval lies on both sides of {math.copysign(margin, value):g}"
    return Finding(
        outcome,
        found,
        reason,
        margin + detectable(error, degrees),
        _nearest(margin, outer, inner),
        {
            "p_supported": float(stdtr(degrees, (size - margin) / error)),
            "p_contradicted": min(2 * float(stdtr(degrees, (margin - size) / error)), 1.0),
            "smallest_margin": smallest,
            "likely_margin": likely,
        }
        | beside(a, b),
    )


def not_better(a: Measurements, b: Measurements, margin: float, larger_is_better: bool) -> Finding:
    """A is not better than B by more than the margin δ (non-superiority).

    With A - B turned so that larger is better: supported if the 95 % interval ends below δ, contradicted if it begins
    above δ. The estimate is A - B as measured.
    """
    _positive(margin)
    found = difference(a, b)
    if (early := _undecided(found, a, b)) is not None:
        return early
    sign = 1.0 if larger_is_better else -1.0
    value, error, degrees, *limits = found.interval()
    low, high = sorted(sign * limit for limit in limits)
    smallest, likely = smallest_margins(error, degrees, "not_better")
    outcome: Outcome
    if high < margin:
        outcome, reason = "supported", f"the interval shows no gain of {margin:g}"
    elif low > margin:
        outcome, reason = "contradicted", f"the interval shows a gain above {margin:g}"
    elif margin <= smallest:
        outcome, reason = "inconclusive", f"the margin cannot be met by equal runs; {smallest:.2g} could be"
    else:
        outcome, reason = "inconclusive", f"the interval lies on both sides of a gain of {margin:g}"
    return Finding(
        outcome,
        found,
        reason,
        margin + detectable(error, degrees),
        _nearest(margin, low, high),
        _two_sided((margin - sign * value) / error, degrees)
        | {"smallest_margin": smallest, "likely_margin": likely}
        | beside(a, b),
    )


def agrees(m: Measurements, reported: float, reported_error: float, smallest_effect: float) -> Finding:
    """A reported number r could come from another run like ours.

    Prediction interval m ± t √(s_seed² (1 + 1/S) + se_examples² + se_report²), t with Satterthwaite's degrees,
    se_report taken as known: the report ran one more seed, and its number has an error of its own (Patil, Peng & Leek
    2016). Supported if r lies in it, contradicted if r lies outside and |m - r| > smallest_effect. The estimate has
    the prediction interval. A wide interval agrees with much: `half_width` says how wide. `p_contradicted` is the
    two-sided p of r.

    One run's seeds beside errors that are known better is where Satterthwaite's degrees are at their worst: where those
    errors make up a tenth to a third of the variance, a true number is contradicted in 8 % of cases at S = 3 and 6 % at
    S = 5, in place of 5 % (see estimates.py). A smallest effect lowers that.
    """
    if reported_error < 0 or smallest_effect < 0:
        raise ValueError("the reported error and the smallest effect are sizes, 0 or more")
    if (early := _undecided(mean(m), m, known_error=reported_error)) is not None:
        return early
    parts = variances([m], [1.0])
    seeds = len(m.seeds)
    spread = (variance(m.seeds) * (1 + 1 / seeds), seeds - 1.0)
    shares = [part for part in (spread, parts.examples, (reported_error**2, math.inf)) if part is not None]
    found = from_parts(float(m.seeds.mean()), shares, parts.over)
    value, error, degrees, low, high = found.interval()
    gap = abs(value - reported)
    outcome: Outcome
    if low <= reported <= high:
        outcome, reason = "supported", "the reported number lies in the prediction interval"
    elif gap > smallest_effect:
        outcome, reason = "contradicted", "the reported number lies outside the prediction interval"
    else:
        outcome = "inconclusive"
        reason = f"outside the prediction interval, yet within {smallest_effect:g}"
    return Finding(
        outcome,
        found,
        reason,
        max(detectable(error, degrees), smallest_effect),
        None if outcome == "supported" else gap,
        {
            "p_contradicted": 2 * float(stdtr(degrees, -gap / error)),
            "difference": value - reported,
            "half_width": high - value,
            "reported_error": reported_error,
        },
    )


def reaches(m: Measurements, threshold: float, larger_is_better: bool = True) -> Finding:
    """The mean over seeds reaches a number on this test set, which is fixed: only the seeds count.

    One-sided t tests at 5 % (scipy.stats.ttest_1samp): supported if the mean is beyond the threshold, contradicted if
    it is short of it. The estimate is of the seeds alone, with its two-sided 95 % interval.
    """
    only = replace(m, examples=None, table=None, metric=None)
    found = mean(only)
    if (early := _undecided(found, only)) is not None:
        return early
    _, error, degrees, *_ = found.interval()
    sides = ("greater", "less") if larger_is_better else ("less", "greater")
    outcome: Outcome
    reached, missed = (float(stats.ttest_1samp(m.seeds, threshold, alternative=side).pvalue) for side in sides)
    if reached < LEVEL:
        outcome, reason = "supported", f"the mean over seeds reaches {threshold:g}"
    elif missed < LEVEL:
        outcome, reason = "contradicted", f"the mean over seeds does not reach {threshold:g}"
    else:
        outcome, reason = "inconclusive", f"the seeds lie too widely around {threshold:g}"
    return Finding(
        outcome,
        found,
        reason,
        detectable(error, degrees, quantile=1 - LEVEL),
        min(found.limits(1 - 2 * LEVEL), key=lambda limit: abs(limit - threshold)),
        {"p_supported": reached, "p_contradicted": missed},
    )


def _undecided(found: Estimate, *runs: Measurements, known_error: float = 0.0) -> Finding | None:
    """An inconclusive Finding if nothing can be decided from these runs, whatever the numbers say."""
    if not all(np.isfinite(run.seeds).all() for run in runs):
        return Finding("inconclusive", None, "a seed has no finite value")
    if min(len(run.seeds) for run in runs) < FEWEST_SEEDS:
        reason = "fewer than three seeds"
    elif found.standard_error is None:
        reason = "the metric is undefined on some of the examples drawn"
    elif found.standard_error == 0 and known_error == 0:
        reason = "the seeds do not differ, so their spread is unknown"
    else:
        return None
    return Finding("inconclusive", found, reason, information=beside(*runs) if len(runs) == 2 else {})


def _two_sided(t: float, degrees: float) -> dict[str, float]:
    """Twice the p of either side of a t statistic that is positive on the side of the claim."""
    return {
        "p_supported": min(2 * float(stdtr(degrees, -t)), 1.0),
        "p_contradicted": min(2 * float(stdtr(degrees, t)), 1.0),
    }


def _nearest(margin: float, *limits: float) -> float | None:
    """The limit nearest to the margin: the first that it meets when it is moved. A margin is a size, above 0."""
    return min((limit for limit in limits if limit > 0), key=lambda limit: abs(limit - margin), default=None)


def _positive(margin: float) -> None:
    if not margin > 0:
        raise ValueError(f"the margin is {margin}; it must be above 0")
