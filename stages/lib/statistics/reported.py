"""What a report's own numbers can bear: their errors, what it could have seen, and whether they fit together."""

import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
from scipy import stats

from stages.lib.statistics.measurements import Measurements

Number = float | str | Decimal


def accuracy_error(accuracy: float, n: int) -> float:
    """Standard error of an accuracy on n items, √(p (1 - p) / n)."""
    return math.sqrt(accuracy * (1 - accuracy) / n)


def correlation_error(r: float, n: int) -> float:
    """Standard error of Pearson's r of n pairs, (1 - r²) / √(n - 1), by the delta method for normal variables."""
    return (1 - r * r) / math.sqrt(n - 1)


def f1_error(precision: float, recall: float, keywords: int) -> float:
    """Standard error of F1 on this number of true keywords, by the delta method.

    With tp = recall · keywords, fn = keywords - tp and fp = tp (1/precision - 1) multinomial, and
    F1 = 2 tp / (2 tp + fp + fn):

        Var(F1) = 4 tp (fp + fn) (tp + fp + fn) / (2 tp + fp + fn)⁴

    Where only F1 is known take it for both. Keywords are counted as independent; those of one sentence are not quite.
    0 if precision or recall is 0 (and so is F1): the method has nothing to say there.
    """
    if not precision or not recall:
        return 0.0
    tp = recall * keywords
    wrong = keywords - tp + tp * (1 / precision - 1)
    return math.sqrt(4 * tp * wrong * (tp + wrong)) / (2 * tp + wrong) ** 2


def detectable_by_report(n: int, kind: str, value: float = 0.0, power: float = 0.8, seed_spread: float = 0.0) -> float:
    """The smallest difference between two of its runs that a report could have detected with its own n.

    kind "accuracy"     n items, accuracies near `value`
         "correlation"  n pairs, r near `value`
         "f1"           n true keywords, F1 near `value`
         "mean"         n values a run; the difference in units of their standard deviation (Cohen's d), by the t test

    For the first three (z(0.975) + z(power)) √(2 (se² + seed_spread²)), se the standard error of one number; "mean" is
    exact, by the noncentral t (statsmodels' TTestIndPower). A single seed tells nothing of the spread over seeds:
    without `seed_spread` the answer is the best case. The two runs are counted as independent, though they share the
    items, which makes a difference easier to see if they err on the same ones.

    Simonsohn (2015) calls an effect small if the original study had a power of a third for it: power=1/3 gives that
    d33 %. Raises ValueError for another kind.

    U. Simonsohn, Psychological Science 26 (2015) 559.
    """
    if kind == "mean":
        from statsmodels.stats.power import TTestIndPower

        return float(TTestIndPower().solve_power(nobs1=n, alpha=0.05, power=power))
    errors = {
        "accuracy": lambda: accuracy_error(value, n),
        "correlation": lambda: correlation_error(value, n),
        "f1": lambda: f1_error(value, value, n),
    }
    if kind not in errors:
        raise ValueError(f"there is no {kind!r}; a report's numbers are {', '.join(errors)} or mean")
    reach = float(stats.norm.ppf(0.975) + stats.norm.ppf(power))
    return reach * math.sqrt(2 * (errors[kind]() ** 2 + seed_spread**2))


def on_fewer_keywords(measured: Measurements, keywords: int, draws: int = 2000) -> tuple[float, float]:
    """The range that holds 95 % of a rate's values (precision, recall, F1) if it is taken on few keywords.

    measured: a rate with its `table` [S, n, 3] of true positives, false positives and false negatives of n sentences.
    Each draw takes a seed and sentences in random order until they hold at least so many true keywords, which keeps
    together those of one sentence. Raises ValueError where there is no such table, or too few keywords in it.
    """
    table, metric = measured.table, measured.metric
    if table is None or metric is None or table.shape[-1] != 3:
        raise ValueError("the metric is no rate of counts")
    generator = np.random.default_rng(0)
    found = np.empty(draws)
    for number in range(draws):
        shuffled = generator.permutation(table[generator.integers(len(table))])
        true = np.cumsum(shuffled[:, 0] + shuffled[:, 2])
        if true[-1] < keywords:
            raise ValueError(f"{true[-1]:.0f} keywords are fewer than {keywords}")
        found[number] = metric(shuffled[: np.searchsorted(true, keywords) + 1].sum(axis=0))
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)


def grim(value: Number, decimals: int, n: int) -> bool:
    """Whether a whole number of n items can give this mean or share, as printed with so many decimals.

    GRIM (Brown & Heathers 2017): some k with |k/n - value| ≤ half a unit of the last decimal; both ways to round a half
    count. Computed with fractions, so no rounding of ours comes in; give the value as text if its digits matter.

    N. J. L. Brown and J. A. J. Heathers, Social Psychological and Personality Science 8 (2017) 363.
    """
    return _numerator(Fraction(str(value)), decimals, n) is not None


def fractions(value: Number, max_n: int, decimals: int | None = None) -> list[tuple[int, int]]:
    """All (k, n) with n ≤ max_n and k/n printed as this value, by rising n.

    decimals: how many were printed; by default those of `value` (0.5 as a number has one, so give "0.500" as text).
    Long print-outs leave one fraction in lowest terms: 0.6764705882 is 23/34, and then 46/68 and so on.
    """
    if decimals is None:
        decimals = max(-int(Decimal(str(value)).as_tuple().exponent), 0)
    target = Fraction(str(value))
    found = ((_numerator(target, decimals, n), n) for n in range(1, max_n + 1))
    return [(k, n) for k, n in found if k is not None]


def _numerator(value: Fraction, decimals: int, n: int) -> int | None:
    k = round(value * n)
    return k if abs(Fraction(k, n) - value) <= Fraction(1, 2 * 10**decimals) else None
