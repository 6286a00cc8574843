"""Estimates and checks against scipy, statsmodels, scikit-learn and worked examples from the literature."""

import math

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import f1_score, precision_score, recall_score
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestIndPower
from statsmodels.stats.weightstats import ttost_ind

from stages.lib.statistics import (
    Measurements,
    agrees,
    all_equivalent,
    corrected,
    difference,
    equivalent,
    exact,
    f1_from_counts,
    higher,
    holm,
    lower,
    mean,
    meetable,
    moments,
    not_better,
    order,
    pearson_from_moments,
    possible,
    precision_from_counts,
    proportion,
    reaches,
    recall_from_counts,
)
from stages.lib.statistics.information import mcnemar_p, permutation_p

# Student's sleep data (1908), hours of sleep gained with either drug; R prints their Welch test in ?t.test.
DRUG_1 = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
DRUG_2 = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]


def with_moments(average: float, sd: float, n: int) -> Measurements:
    """n values of exactly this mean and sample standard deviation."""
    values = np.arange(n, dtype=float)
    return Measurements(average + sd * (values - values.mean()) / values.std(ddof=1))


def from_examples(examples: np.ndarray) -> Measurements:
    return Measurements(examples.mean(axis=1), examples=examples)


def from_table(table: np.ndarray, metric) -> Measurements:
    return Measurements(metric(table.sum(axis=1)), table=table, metric=metric)


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(20)


def test_welch_test_of_students_sleep_data():
    found = difference(Measurements(DRUG_1), Measurements(DRUG_2))
    assert found.value / found.standard_error == pytest.approx(-1.8608, abs=5e-5)
    assert found.degrees == pytest.approx(17.776, abs=5e-4)
    assert (found.low, found.high) == pytest.approx((-3.3654832, 0.2054832), abs=5e-8)
    claim = lower(Measurements(DRUG_1), Measurements(DRUG_2))
    assert claim.information["p_supported"] == pytest.approx(0.07939, abs=5e-6)
    assert claim.outcome == "inconclusive"


@pytest.mark.parametrize("seeds", [(3, 3), (3, 5), (5, 15)])
def test_difference_of_seeds_is_scipys_welch_test(generator, seeds):
    a, b = (generator.normal(size=count) for count in seeds)
    found, wanted = difference(Measurements(a), Measurements(b)), stats.ttest_ind(a, b, equal_var=False)
    interval = wanted.confidence_interval()
    assert found.degrees == pytest.approx(wanted.df)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.over == "seeds"


def test_difference_adds_the_paired_examples(generator):
    a, b = generator.normal(size=(3, 40)), generator.normal(size=(4, 40))
    found = difference(from_examples(a), from_examples(b))
    parts = [a.mean(1).var(ddof=1) / 3, b.mean(1).var(ddof=1) / 4, stats.sem(a.mean(0) - b.mean(0)) ** 2]
    assert found.standard_error == pytest.approx(math.sqrt(sum(parts)))
    degrees = sum(parts) ** 2 / (parts[0] ** 2 / 2 + parts[1] ** 2 / 3 + parts[2] ** 2 / 39)
    assert found.degrees == pytest.approx(degrees)
    assert found.over == "seeds and examples"


def test_one_seed_each_with_examples_is_the_paired_t_test(generator):
    a, b = generator.normal(size=(2, 1, 50))
    found, wanted = difference(from_examples(a), from_examples(b)), stats.ttest_rel(a[0], b[0]).confidence_interval()
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high))
    assert found.over == "examples"
    assert higher(from_examples(a + 9), from_examples(b)).outcome == "inconclusive"


def test_one_seed_without_examples_has_no_interval():
    found = mean(Measurements([0.5]))
    assert (found.value, found.standard_error, found.low, found.over) == (0.5, None, None, "nothing")


@pytest.mark.parametrize("size", [60, 700])
def test_bootstrap_of_a_mean_is_the_formula(generator, size):
    """A mean written as a table: the hierarchical bootstrap must give the closed formula, at three seeds too."""
    effects = generator.normal(size=size)
    runs = [effects + generator.normal(0, 0.2, (3, 1)) + generator.normal(0, 0.02, (3, size)) for _ in range(2)]
    runs[1] = runs[1] + 0.3 * generator.normal(size=size)
    formula = difference(*map(from_examples, runs))
    tables = [np.stack([run, np.ones_like(run)], axis=-1) for run in runs]
    drawn = difference(*(from_table(table, lambda sums: sums[..., 0] / sums[..., 1]) for table in tables))
    assert drawn.value == pytest.approx(formula.value)
    # 2,000 draws: a standard error of 1/√4000 = 1.6 % on each; three of them and the interactions.
    assert drawn.standard_error == pytest.approx(formula.standard_error, rel=0.06)
    assert drawn.degrees == pytest.approx(formula.degrees, rel=0.3)


def test_bootstrap_error_of_a_correlation_is_the_known_one(generator):
    """With one seed only examples count, and SE(r) = (1 - r²)/√(n - 1) for normal variables."""
    x, noise = generator.normal(size=(2, 1, 2000))
    run = from_table(moments(x, 0.8 * x + 0.6 * noise), pearson_from_moments)
    assert mean(run).standard_error == pytest.approx((1 - 0.8**2) / math.sqrt(1999), rel=0.1)
    assert mean(run) == mean(run)


def test_f1_precision_and_recall_are_scikit_learns(generator):
    truth, guess = generator.integers(2, size=(2, 4, 60))
    counts = np.stack([(truth & guess).sum(1), (guess & ~truth & 1).sum(1), (truth & ~guess & 1).sum(1)], axis=-1)
    for ours, theirs in (
        (f1_from_counts, f1_score),
        (precision_from_counts, precision_score),
        (recall_from_counts, recall_score),
    ):
        assert ours(counts) == pytest.approx([theirs(t, g) for t, g in zip(truth, guess, strict=True)])
    assert f1_from_counts(np.zeros(3)) == 0


def test_pearson_is_scipys_and_undefined_for_a_constant(generator):
    x, y = 1000 + generator.normal(size=(3, 80)), generator.normal(size=80)
    found = pearson_from_moments(moments(x, y).sum(axis=1))
    assert found == pytest.approx([stats.pearsonr(row, y).statistic for row in x])
    assert np.isnan(pearson_from_moments(moments(np.full(80, 0.1), y).sum(axis=0)))


def test_measurements_that_do_not_fit_are_refused(generator):
    examples = generator.normal(size=(3, 20))
    with pytest.raises(ValueError, match="examples give"):
        Measurements(examples.mean(axis=1) + 0.1, examples=examples)
    with pytest.raises(ValueError, match="do not fit"):
        Measurements(np.ones(4), examples=np.ones((3, 20)))
    with pytest.raises(ValueError, match="same examples"):
        difference(from_examples(examples), from_examples(examples[:, :10]))
    with pytest.raises(ValueError, match="same examples"):
        difference(from_examples(examples), Measurements(examples.mean(axis=1)))


def test_mcnemar_is_the_binomial_test_of_the_disagreements(generator):
    a, b = generator.integers(2, size=(2, 60))
    only_a, only_b = int(np.sum(a > b)), int(np.sum(b > a))
    wanted = stats.binomtest(only_a, only_a + only_b).pvalue
    assert mcnemar_p(a, b) == pytest.approx(wanted)
    found = higher(from_examples(a[None]), from_examples(b[None]))
    assert found.information["mcnemar_p"] == pytest.approx(wanted)


def test_permutation_p_is_scipys(generator):
    a, b = generator.normal(size=(2, 30))
    b = b + 0.5
    wanted = stats.permutation_test(
        (a, b), lambda x, y: x.mean() - y.mean(), permutation_type="samples", n_resamples=20_000, rng=1
    ).pvalue
    assert permutation_p(from_examples(a[None]), from_examples(b[None])) == pytest.approx(wanted, abs=0.02)
    # The same through a table: r of two predictions of the same target.
    target = generator.normal(size=200)
    good, bad = (target + spread * generator.normal(size=200) for spread in (0.5, 3.0))
    runs = [from_table(moments(guess[None], target), pearson_from_moments) for guess in (good, bad)]
    assert permutation_p(*runs) == pytest.approx(1 / 2001)
    assert "permutation_p" in higher(*runs).information
    number = from_table(np.zeros((1, 200, 1)), lambda sums: np.full(sums.shape[:-1], 0.5))
    assert "permutation_p" not in higher(runs[0], number).information


def test_probability_of_superiority_is_mann_and_whitneys_u(generator):
    a, b = generator.integers(5, size=(2, 6)).astype(float)
    u = stats.mannwhitneyu(a, b).statistic
    assert higher(Measurements(a), Measurements(b)).information["p_superior"] == pytest.approx(u / 36)


def test_higher_and_lower_mirror_each_other():
    high, low = Measurements([0.80, 0.81, 0.82]), Measurements([0.70, 0.71, 0.72])
    assert higher(high, low).outcome == lower(low, high).outcome == "supported"
    assert higher(low, high).outcome == lower(high, low).outcome == "contradicted"
    assert higher(high, low).flips_at == pytest.approx(lower(low, high).flips_at)
    assert higher(low, high).flips_at is None


@pytest.mark.parametrize("effect", [0.0, 0.05, 0.0999])
def test_outcome_flips_at_the_margin_that_is_named(effect):
    a, b = Measurements([0.80, 0.81, 0.82]), Measurements([0.70, 0.71, 0.72])
    found = higher(a, b, effect)
    assert higher(a, b, found.flips_at - 1e-9).outcome != higher(a, b, found.flips_at + 1e-9).outcome
    for margin in (0.05, 0.09, 0.3):
        found = equivalent(a, b, margin)
        sides = [equivalent(a, b, found.flips_at + step).outcome for step in (-1e-9, 1e-9)]
        assert found.outcome in sides
        assert len(set(sides)) == 2
    found = not_better(a, b, 0.05, larger_is_better=True)
    sides = [not_better(a, b, found.flips_at + step, True).outcome for step in (-1e-9, 1e-9)]
    assert sides == ["contradicted", "inconclusive"]


def test_equivalence_of_a_published_example():
    """Lakens (2017) on Moery & Calin-Jageman (2016): Welch TOST with bounds of d = 0.43, t = -2.69, p = 0.004."""
    a, b = with_moments(5.25, 0.95, 95), with_moments(5.22, 0.83, 89)
    margin = 0.43 * math.sqrt((0.95**2 + 0.83**2) / 2)
    found = equivalent(a, b, margin)
    welch = stats.ttest_ind_from_stats(5.25, 0.95, 95, 5.22, 0.83, 89, equal_var=False)
    assert found.estimate.value / found.estimate.standard_error == pytest.approx(welch.statistic)
    assert (found.estimate.value - margin) / found.estimate.standard_error == pytest.approx(-2.69, abs=0.005)
    assert found.information["p_supported"] == pytest.approx(0.004, abs=5e-4)
    assert found.outcome == "supported"


def test_equivalence_is_statsmodels_tost(generator):
    a, b = generator.normal(size=(2, 8))
    for margin in (0.3, 1.0, 2.5):
        found = equivalent(Measurements(a), Measurements(b), margin)
        p = ttost_ind(a, b, -margin, margin, usevar="unequal")[0]
        assert found.information["p_supported"] == pytest.approx(p)
        assert (found.outcome == "supported") == (p < 0.05)


def test_margin_that_cannot_be_met_is_said_so():
    same = Measurements([0.5, 0.6, 0.7])
    found = equivalent(same, same, 0.02)
    assert (found.outcome, found.reason[:26]) == ("inconclusive", "the margin cannot be met; ")
    smallest = found.information["smallest_margin"]
    assert equivalent(same, same, smallest * 1.001).outcome == "supported"
    assert equivalent(same, same, smallest * 0.999).outcome == "inconclusive"
    assert meetable(0.02, (3, 3), 0.1).smallest == pytest.approx(smallest)
    assert not meetable(0.02, (3, 3), 0.1).met
    assert meetable(9.0, (2, 3), 0.1).smallest == math.inf
    limit = meetable(0.02, (3, 3), 0.1, kind="not_better").smallest
    assert not_better(same, same, limit * 1.001, True).outcome == "supported"
    assert not_better(same, same, limit * 0.999, True).outcome == "inconclusive"


def test_not_better_takes_the_direction_of_the_metric():
    good, bad = Measurements([0.80, 0.81, 0.82]), Measurements([0.70, 0.71, 0.72])
    assert not_better(bad, good, 0.01, larger_is_better=True).outcome == "supported"
    assert not_better(good, bad, 0.01, larger_is_better=True).outcome == "contradicted"
    assert not_better(good, bad, 0.01, larger_is_better=False).outcome == "supported"


def test_prediction_interval_of_one_more_value():
    """Without examples and an error of the report it is the classical m ± t s √(1 + 1/S)."""
    values = np.array([1.40, 1.45, 1.52])
    reach = stats.t.ppf(0.975, 2) * values.std(ddof=1) * math.sqrt(4 / 3)
    found = agrees(Measurements(values), 1.42, 0.0, 0.1)
    assert found.outcome == "supported"
    assert found.information["half_width"] == pytest.approx(reach)
    m = values.mean()
    assert agrees(Measurements(values), m + 1.01 * reach, 0.0, 0.1).outcome == "contradicted"
    assert agrees(Measurements(values), m + 1.01 * reach, 0.0, 1.0).outcome == "inconclusive"
    assert agrees(Measurements(values), m + 1.01 * reach, 0.5, 0.1).outcome == "supported"


def test_reaches_is_scipys_one_sided_test():
    values = [0.81, 0.83, 0.84]
    p = stats.ttest_1samp(values, 0.80, alternative="greater").pvalue
    found = reaches(Measurements(values), 0.80)
    assert (found.information["p_supported"], found.outcome) == (pytest.approx(p), "supported")
    assert reaches(Measurements(values), 0.80, larger_is_better=False).outcome == "contradicted"
    assert reaches(Measurements(values), found.flips_at + 1e-9).outcome == "inconclusive"
    assert reaches(Measurements(values), found.flips_at - 1e-9).outcome == "supported"


def test_what_decides_nothing_is_inconclusive():
    good, bad = Measurements([0.9, 0.9]), Measurements([0.1, 0.11, 0.12])
    assert higher(good, bad).reason == "fewer than three seeds"
    assert equivalent(good, bad, 0.1).outcome == not_better(good, bad, 0.1, True).outcome == "inconclusive"
    assert agrees(good, 0.1, 0.0, 0.0).outcome == reaches(good, 0.1).outcome == "inconclusive"
    assert order([bad, bad, good]).outcome == "inconclusive"
    diverged = Measurements([0.1, math.nan, math.inf])
    assert higher(diverged, bad).reason == agrees(diverged, 1, 1, 1).reason == "a seed has no finite value"
    constant = Measurements([0.1, 0.1, 0.1])
    assert higher(Measurements([0.3, 0.3, 0.3]), constant).reason.startswith("the seeds do not differ")
    assert reaches(constant, 0.05).outcome == "inconclusive"


def test_detectable_difference_is_statsmodels_for_equal_groups():
    found = higher(with_moments(0.0, 2.0, 6), with_moments(0.0, 2.0, 6))
    wanted = TTestIndPower().solve_power(nobs1=6, alpha=0.025, power=0.8, alternative="larger")
    assert found.detectable == pytest.approx(2.0 * wanted, rel=1e-3)


def test_order_needs_every_adjacent_pair():
    low, middle, high = (Measurements(np.array([0.00, 0.01, 0.02]) + level) for level in (0.1, 0.2, 0.3))
    rising = order([low, middle, high])
    assert rising.outcome == "supported"
    assert [part.information["pair"] for part in rising.parts] == [(0, 1), (0, 2), (1, 2)]
    assert rising.flips_at == pytest.approx(min(higher(middle, low).flips_at, higher(high, middle).flips_at))
    assert order([low, middle, middle]).outcome == "inconclusive"
    assert order([low, high, middle]).outcome == "contradicted"
    # Adjacent steps too small to tell, the ends clearly the other way round.
    steps = [Measurements(np.array([0.00, 0.01, 0.02]) - 0.018 * place) for place in range(4)]
    falling = order(steps)
    assert falling.outcome == "contradicted"
    assert falling.parts[0].outcome == "inconclusive"


def test_all_equivalent_is_every_pair():
    runs = [Measurements(np.array([0.00, 0.01, 0.02]) + level) for level in (0.0, 0.01, 0.02)]
    found = all_equivalent(runs, 0.06)
    assert found.outcome == "supported"
    assert found.flips_at == pytest.approx(equivalent(runs[0], runs[2], 0.06).flips_at)
    assert all_equivalent(runs, found.flips_at - 1e-6).outcome == "inconclusive"
    assert all_equivalent([*runs, Measurements([1.0, 1.01, 1.02])], 0.06).outcome == "contradicted"


def test_holms_correction(generator):
    for count in (1, 4, 15):
        p_values = generator.random(count) ** 3
        assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1])
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


def test_correction_over_a_claim_drops_weak_contradictions():
    weak = higher(Measurements([0.70, 0.72, 0.74]), Measurements([0.76, 0.78, 0.80]))
    assert weak.outcome == "contradicted"
    p = weak.information["p_contradicted"]
    assert 0.05 / 3 < p < 0.05
    fine = higher(Measurements([0.9, 0.91, 0.92]), Measurements([0.1, 0.11, 0.12]))
    after = corrected([fine, exact(3, 3), weak])
    assert [finding.outcome for finding in after[:2]] == ["supported", "supported"]
    assert after[2].information["p_holm"] == pytest.approx(2 * p)
    # Each pair of an order counts.
    rising = order([Measurements([0.1, 0.12, 0.14]), Measurements([0.3, 0.32, 0.34]), Measurements([0.5, 0.52, 0.54])])
    after = corrected([rising, weak])
    assert after[0].outcome == "supported"
    assert after[1].information["p_holm"] == pytest.approx(4 * p)
    assert after[1].outcome == "inconclusive"


def test_every_look_counts():
    weak = higher(Measurements([0.70, 0.72, 0.74]), Measurements([0.755, 0.775, 0.795]))
    held = lower(Measurements([0.70, 0.72, 0.74]), Measurements([0.755, 0.775, 0.795]))
    sure = higher(Measurements([0.9, 0.91, 0.92]), Measurements([0.1, 0.11, 0.12]))
    assert 0.05 / 2 < weak.information["p_contradicted"] == held.information["p_supported"] < 0.05
    assert [corrected([weak], looks)[0].outcome for looks in (1, 2)] == ["contradicted", "inconclusive"]
    assert [corrected([each], 2)[0].outcome for each in (held, sure)] == ["inconclusive", "supported"]
    # Every neighbouring pair of an order.
    rising = order([Measurements([0.70, 0.72, 0.74]), Measurements([0.755, 0.775, 0.795])])
    assert [corrected([rising], looks)[0].outcome for looks in (1, 2)] == ["supported", "inconclusive"]


def test_two_looks_together_keep_the_error(generator):
    """Runs without a difference, three seeds each and ten where three are too few to tell: 5 % of sure outcomes."""
    sure = 0
    for _ in range(2000):
        a, b = generator.normal(size=(2, 10))
        (finding,) = corrected([higher(Measurements(a[:3]), Measurements(b[:3]))], 2)
        if finding.outcome == "inconclusive":
            (finding,) = corrected([higher(Measurements(a), Measurements(b))], 2)
        sure += finding.outcome != "inconclusive"
    assert sure / 2000 < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 2000)


def test_exact_to_a_tolerance():
    assert exact(76_800, 76_800).outcome == "supported"
    assert exact(1.81e9, 1.8e9, 0.05e9).outcome == "supported"
    assert exact(1.9e9, 1.8e9, 0.05e9).outcome == "contradicted"
    assert exact(math.nan, 1.0, 1.0).outcome == "contradicted"


def test_clopper_and_pearson_of_published_tables():
    found = proportion(0, 10, at_most=0.4).estimate
    assert (found.low, found.high) == pytest.approx((0.0, 0.3085), abs=5e-5)
    found = proportion(10, 100, at_most=0.2).estimate
    assert (found.low, found.high) == pytest.approx((0.0490, 0.1762), abs=5e-5)


def test_proportions_against_bounds():
    assert proportion(0, 17, at_most=0.2).outcome == "supported"
    assert proportion(0, 16, at_most=0.2).reason == "16 are too few to show at most 0.2"
    assert proportion(15, 15, at_least=0.5).outcome == "supported"
    assert proportion(12, 15, at_most=0.2).outcome == "contradicted"
    assert proportion(3, 15, at_least=0.9).outcome == "contradicted"
    with pytest.raises(ValueError, match="one bound"):
        proportion(1, 2)


def test_detectable_share_has_the_power_that_it_says():
    found = proportion(15, 20, at_least=0.8)
    share = 0.8 - found.detectable
    outcomes = [proportion(count, 20, at_least=0.8).outcome == "contradicted" for count in range(21)]
    assert stats.binom.pmf(np.arange(21), 20, share) @ outcomes == pytest.approx(0.8, abs=1e-6)
    once = possible(0, 5)
    assert 1 - (1 - once.detectable) ** 5 == pytest.approx(0.8)
    assert (once.outcome, possible(1, 5).outcome) == ("inconclusive", "supported")
