"""What a report's numbers can bear, against published examples, enumeration and simulation."""

import math
from fractions import Fraction

import numpy as np
import pytest
from statsmodels.stats.power import NormalIndPower
from statsmodels.stats.proportion import proportion_effectsize

from stages.lib.statistics import (
    Measurements,
    accuracy_error,
    correlation_error,
    detectable_by_report,
    f1_error,
    f1_from_counts,
    fractions,
    grim,
    on_fewer_keywords,
)


def test_errors_of_accuracies_of_the_reports():
    assert accuracy_error(0.8, 10_000) == pytest.approx(0.004)
    assert accuracy_error(0.7, 2662) == pytest.approx(0.009, abs=2e-4)


def test_error_of_f1_on_35_keywords():
    """Report B: precision 23/34 and recall 23/35; the delta method against a bootstrap of the 46 outcomes."""
    error = f1_error(23 / 34, 23 / 35, 35)
    assert error == pytest.approx(0.066, abs=5e-4)
    drawn = np.random.default_rng(1).multinomial(46, np.array([23, 11, 12]) / 46, size=20_000)
    assert error == pytest.approx(np.std(f1_from_counts(drawn)), rel=0.03)
    assert f1_error(0.0, 0.0, 35) == 0.0


def test_f1_on_35_keywords_of_many_scatters_by_its_standard_error():
    """One keyword a sentence, found or not, and a false one in every third: the delta method's spread, within 10 %."""
    generator = np.random.default_rng(4)
    tp = generator.random((2, 20_000)) < 0.66
    table = np.stack([tp, generator.random(tp.shape) < 0.33, ~tp], axis=-1)
    low, high = on_fewer_keywords(Measurements(f1_from_counts(table.sum(axis=1)), None, table, f1_from_counts), 35)
    precision = tp.sum() / (tp.sum() + table[..., 1].sum())
    assert (high - low) / (2 * 1.96) == pytest.approx(f1_error(precision, tp.mean(), 35), rel=0.1)
    with pytest.raises(ValueError, match="fewer than 30000"):
        on_fewer_keywords(Measurements(f1_from_counts(table.sum(axis=1)), None, table, f1_from_counts), 30_000)


def test_error_of_a_correlation():
    generator = np.random.default_rng(2)
    x, noise = generator.normal(size=(2, 3000, 200))
    y = 0.6 * x + 0.8 * noise
    drawn = [np.corrcoef(a, b)[0, 1] for a, b in zip(x, y, strict=True)]
    assert correlation_error(0.6, 200) == pytest.approx(np.std(drawn), rel=0.05)


def test_small_telescopes_of_simonsohn():
    """Simonsohn (2015): with 20 a cell an effect of d = 0.5 has a power of a third."""
    assert detectable_by_report(20, "mean", power=1 / 3) == pytest.approx(0.5, abs=0.01)


def test_detectable_accuracy_is_statsmodels():
    gap = detectable_by_report(10_000, "accuracy", 0.75)
    power = NormalIndPower().power(proportion_effectsize(0.75 + gap / 2, 0.75 - gap / 2), 10_000, 0.05)
    assert power == pytest.approx(0.8, abs=0.002)


def test_detectable_correlation_and_f1_have_the_power_that_they_say():
    generator = np.random.default_rng(3)
    gap = detectable_by_report(200, "f1", 0.7)
    low, high = 0.7 - gap / 2, 0.7 + gap / 2

    def draw(f1: float, count: int) -> np.ndarray:
        """F1 of 200 keywords found with precision = recall = f1."""
        outcomes = np.array([f1, 1 - f1, 1 - f1])
        total = round(200 * outcomes.sum())
        return f1_from_counts(generator.multinomial(total, outcomes / outcomes.sum(), size=count))

    error = math.sqrt(f1_error(low, low, 200) ** 2 + f1_error(high, high, 200) ** 2)
    assert np.mean(draw(high, 5000) - draw(low, 5000) > 1.96 * error) == pytest.approx(0.8, abs=0.03)
    # Fisher's z has the standard error 1/√(n - 3) for every r.
    gap = detectable_by_report(1379, "correlation", 0.5)
    z = np.arctanh(0.5 + gap / 2) - np.arctanh(0.5 - gap / 2)
    assert z / math.sqrt(2 / 1376) == pytest.approx(1.96 + 0.8416, abs=0.02)


def test_spread_over_seeds_hides_more():
    alone = detectable_by_report(10_000, "accuracy", 0.75)
    ratio = detectable_by_report(10_000, "accuracy", 0.75, seed_spread=accuracy_error(0.75, 10_000)) / alone
    assert ratio == pytest.approx(math.sqrt(2))
    with pytest.raises(ValueError, match="there is no 'loss'"):
        detectable_by_report(10, "loss")


@pytest.mark.parametrize(
    ("value", "decimals", "n", "possible"),
    [
        ("5.19", 2, 28, False),  # Brown & Heathers (2017)
        ("5.18", 2, 28, True),
        ("5.21", 2, 28, True),
        ("3.48", 2, 20, False),  # twenty dice
        ("5.93", 2, 49, False),  # The Economist on the test, 2016-06-18
        ("1.12", 2, 8, True),  # 9/8 = 1.125, either way of rounding
        ("1.13", 2, 8, True),
        (0.6764705882, 10, 34, True),
        (0.6764705882, 10, 35, False),
    ],
)
def test_grim(value, decimals, n, possible):
    assert grim(value, decimals, n) is possible


def test_grim_is_what_enumeration_finds():
    for n in (7, 30, 99):
        printed = {f"{k / n:.2f}" for k in range(n + 1) if (k * 200 / n) % 2 != 1}
        found = {f"{hundredths / 100:.2f}" for hundredths in range(101) if grim(f"{hundredths / 100:.2f}", 2, n)}
        assert printed <= found
        # Only halves, which may be rounded either way, make a difference.
        assert all(min(abs(Fraction(v) - Fraction(k, n)) for k in range(n + 1)) <= Fraction(1, 200) for v in found)


def test_fractions_behind_the_print_outs_of_report_b():
    assert fractions(0.6764705882, 70) == [(23, 34), (46, 68)]
    assert fractions("0.6571428571", 50) == [(23, 35)]
    assert fractions("0.8857142857", 50) == [(31, 35)]
    assert fractions("0.500", 5) == [(1, 2), (2, 4)]
    assert fractions(0.5, 5) == [(1, 2), (2, 4)]
    assert fractions("0.67", 3) == [(2, 3)]
